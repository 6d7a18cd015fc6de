/* SPDX-License-Identifier: Apache-2.0 */
/* Program paths of a policy: canonical spellings, expanded braces, and the helpers that belong to them. */
#pragma once

#include "schema.h"

/*
 * Adds every program that one `path:` stands for to rule->programs: each alternative of its braces,
 * for /bin/x also /usr/bin/x, and the helpers that registry/helpers.yaml names.
 */
void program_add(struct reader *r, const struct node *path, struct rule *rule);

/* Sorts and drops repeats; warns of interpreters. After the last program_add(). */
void programs_finish(struct reader *r, struct rule *rule);
