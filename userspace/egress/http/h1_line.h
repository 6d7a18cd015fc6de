/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of HTTP/1.1 that heads and bodies share. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

/* `name: value` without its line end; or false and *why. */
bool h1_line_field(struct slice line, struct slice *name, struct slice *value, const char **why);

/* A Content-Length: plain digits, no sign, no needless zeros, below 10^18. */
bool h1_length(struct slice v, uint64_t *ret);
