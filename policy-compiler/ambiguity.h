/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "model.h"

/* Two endpoints that one connection or request can mean must want the same of it (OSH133). */
void check_ambiguity(struct policy *p, struct diags *d);
