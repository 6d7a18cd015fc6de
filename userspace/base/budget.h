/* SPDX-License-Identifier: Apache-2.0 */
/* A limit of calls of models, for a person. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "bundle.h"
#include "osh/inference.h"

#define BUDGET_TEXT (OSH_ROUTE_NAME + 120)

/* "12", "2.5": money is in millionths. */
void budget_amount(char *to, size_t room, enum osh_count what, uint64_t v);

/* "5000 tokens a day of all sandboxes of the user, route gpt" */
void budget_text(char *to, size_t room, const struct bundle *b, const struct osh_b_budget *l);
