/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy language as tables: one row a key. The reader walks the rows, so a key that is in no row
 * is an error, and a row marked FIELD_LATER is known but refused until something enforces it.
 */
#pragma once

#include "model.h"
#include "tree.h"

struct reader {
	struct arena *a;
	struct diags *d;
	struct policy *p;
	const struct node *helpers;	/* registry/helpers.yaml, read once */
};

enum field_flags {
	FIELD_REQUIRED = 1,
	FIELD_LATER = 2,		/* refused with OSH150, its shape is checked */
	FIELD_LATER_TRUE = 4,		/* a bool: `false` changes nothing, `true` is refused likewise */
	FIELD_OWN = 8,			/* osh's own key: no `version` needed */
	FIELD_IGNORED = 16,		/* accepted with a warning */
};

struct field {
	const char *key;
	void (*read)(struct reader *r, const struct node *value, void *obj);
	unsigned flags;
	const char *type, *doc;		/* for people: `policy schema`, docs */
};

extern const struct field policy_fields[];	/* top level; ends in a row without key */

/* Reads a mapping by its table; `what` names it in messages. Gives false when it is no mapping. */
bool read_map(struct reader *r, const struct node *n, const struct field *fields, const char *what,
	      void *obj);
const struct node *map_get(const struct node *map, const char *key);	/* value or NULL */

/* Scalars. false = diagnosed. Nothing is guessed: `no` is no bool, 1.5 is no string. */
bool read_text(struct reader *r, const struct node *n, const char **ret);
bool read_bool(struct reader *r, const struct node *n, bool *ret);
bool read_uint(struct reader *r, const struct node *n, uint32_t min, uint32_t max, uint32_t *ret);
bool read_word(struct reader *r, const struct node *n, const char *const words[], unsigned *ret);
bool want_kind(struct reader *r, const struct node *n, enum node_kind kind);

/* Shape checks for rows that are refused later anyway. */
void want_text(struct reader *r, const struct node *n, void *obj);
void want_bool(struct reader *r, const struct node *n, void *obj);
void want_number(struct reader *r, const struct node *n, void *obj);
void want_list(struct reader *r, const struct node *n, void *obj);
void want_map(struct reader *r, const struct node *n, void *obj);
void want_any(struct reader *r, const struct node *n, void *obj);

/* The closest of `words` to a misspelt one, or NULL when none is near. */
const char *nearest(const char *text, const char *const words[], size_t n);

/* Section readers, one file each. */
void read_filesystem(struct reader *r, const struct node *n, void *obj);
void read_landlock(struct reader *r, const struct node *n, void *obj);
void read_process(struct reader *r, const struct node *n, void *obj);
void read_dns(struct reader *r, const struct node *n, void *obj);
void read_network(struct reader *r, const struct node *n, void *obj);
void read_network_policies(struct reader *r, const struct node *n, void *obj);
