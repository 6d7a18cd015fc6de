/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Warnings of `policy check` about policies that are right and bite all the same. One row of lint.c a
 * lint, codes OSH2xx of diag.def. Reads the model alone, decides nothing: eval.h has the meaning.
 */
#pragma once

#include "model.h"

/* After policy_read() gave 0. Uses the policy's arena. */
void lint_policy(struct policy *p, struct diags *d);
