/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May this policy follow that one in a sandbox that runs? What was built at the start stays as it was;
 * a policy that needs it otherwise is refused with the key that differs. Both bundles were checked.
 */
#pragma once

#include "sandbox.h"

int fixed_check(const struct sandbox *s, const struct bundle *next, struct err *e);
