/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML as a tree with line and column per node. The reader (yaml.c) takes the plain part of YAML:
 * mappings with scalar keys, sequences, scalars. Everything that makes a file mean something else
 * than it seems (anchors, aliases, tags, merge keys, several documents) is an error.
 */
#pragma once

#include "arena.h"
#include "diag.h"

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
	enum node_kind kind;
	bool plain;			/* scalar without quotes: may be a number, true, null */
	struct place at;
	const char *text;		/* scalar; NUL terminated, holds no NUL */
	const struct node *key;		/* of a mapping's entry */
	struct node *first, *next;	/* entries; next sibling */
	uint32_t n;
};

/* The root, or NULL after an error that leaves no tree. Other errors still give a tree. */
const struct node *yaml_read(struct slice text, struct arena *a, struct diags *d);
