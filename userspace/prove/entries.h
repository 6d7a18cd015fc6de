/* SPDX-License-Identifier: Apache-2.0 */
/* A file of JSON that holds a list of entries. What is wrong with one is said with its place, as of a policy. */
#pragma once

#include <jansson.h>

#include "model.h"

struct entries {
	const char *name;		/* of the file, for people */
	const char *key;		/* of the list, where an object holds it */
	const char *hint;		/* what an entry looks like */
	/* Keeps an entry; gives what is wrong with it, or NULL. */
	const char *(*read)(struct arena *a, json_t *entry, struct list *ret);
};

/* False: said on stderr. */
bool entries_read(struct arena *a, const struct entries *f, struct slice text, struct list *ret);
