/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one spelling of a request target's path that rules are matched against and that is sent on. A
 * canonical path is its own canonical form.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "slice.h"

#define CANON_MAX 4096

enum canon_error {
	CANON_OK,
	CANON_ABOVE_ROOT,
	CANON_ENCODED_SLASH,
	CANON_CONTROL,
	CANON_FRAGMENT,
	CANON_NON_ASCII,
	CANON_RESIDUAL_DOT,
	CANON_LONG,
	CANON_ESCAPE,			/* % without two hex digits */
	CANON_FORM,			/* neither /path nor scheme://host/path */
	CANON_ERRORS
};

struct canon_options {
	bool encoded_slash;		/* keep %2F inside a segment */
	bool keep_params;		/* keep ;params */
};

const char *canon_error_name(enum canon_error e);	/* "TraversalAboveRoot" */

/* `out` is NUL terminated on CANON_OK and otherwise undefined. The query is left away. */
enum canon_error canon_path(struct slice raw, const struct canon_options *o, char out[CANON_MAX + 1]);
