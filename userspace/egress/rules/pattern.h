/* SPDX-License-Identifier: Apache-2.0 */
/* Does a text meet a pattern? Linear in the text; the pattern was checked before. */
#pragma once

#include <stdbool.h>

#include "slice.h"

/* `sep` 0 = none: else `*` stays between two of it, and `**` does not. */
bool text_meets(const char *pattern, struct slice text, char sep);
