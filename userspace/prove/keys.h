/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the model leaves out must be known to be left out: each key that a policy has is looked up in keys.def. The walk
 * goes by the tables of the language, so that a key which is added there and not here is one without a model.
 */
#pragma once

#include "arena.h"
#include "slice.h"

enum key_how { KEY_MODEL, KEY_BESIDE, KEY_UNKNOWN };

struct key_row {
	const char *path;
	enum key_how how;
};

extern const struct key_row key_rows[];	/* ends in a row without path */

/* The first key of this policy that has no model, from the arena; NULL: all have one. */
const char *keys_unknown(struct arena *a, struct slice text, const struct key_row *rows);
