/* SPDX-License-Identifier: Apache-2.0 */
/* The chain of users' logs: does every line follow from the one before? */
#pragma once

#include <stdio.h>

#include "log_source.h"

/*
 * Says on `out` what was found, a line a user, or as JSON. known: the chain of a line that is to be there, NULL = none.
 * The number of things that are wrong.
 */
unsigned log_verify(struct log_source *s, const char *known, bool json, FILE *out);
