/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may stand in the place of the last of some words: for shells, whose own part (userspace/oshctl/completion) is glue.
 * A line for each candidate, with a tab and a word about it; or ":file", ":dir", ":command", which the shell knows best.
 */
#pragma once

#include <stdio.h>

/* words: what stands behind "oshctl", the last one as far as it is typed, perhaps "". */
void complete(int n, char *const *words, FILE *out);
