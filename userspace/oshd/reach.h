/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy has in the sandbox's namespaces: local routes to its addresses, open files of its programs. */
#pragma once

#include <stdbool.h>

#include "bundle.h"

/* In order, so that one look at each is enough; a list in another order counts as another. */
bool reach_same_routes(const struct bundle *a, const struct bundle *b);
bool reach_same_programs(const struct bundle *a, const struct bundle *b);
