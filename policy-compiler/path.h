/* SPDX-License-Identifier: Apache-2.0 */
/* Paths as a policy writes them: absolute, "." and double slashes removed, ".." refused. */
#pragma once

#include "arena.h"

enum path_error { PATH_OK, PATH_RELATIVE, PATH_DOTDOT, PATH_LONG, PATH_CONTROL };

/* Canonical copy, shorter than `max` with its NUL; a relative one only where `relative`. */
enum path_error path_clean(struct arena *a, const char *text, size_t max, bool relative,
			   const char **ret);
