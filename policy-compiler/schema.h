/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy language as tables: one row a key. The reader walks the rows, so a key that is in no row
 * is an error. The stage of a row says how far the key has come; what is not FIELD_KEPT is noted in
 * policy.unkept, of which `check` warns and which `compile` refuses (OSH150).
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

enum field_stage {
	FIELD_KEPT,			/* the runtime enforces it, save for values that its reader notes */
	FIELD_JUDGED,			/* eval knows its meaning; the runtime cannot keep it yet */
	FIELD_PARSED,			/* read and checked, nothing more */
};

enum field_flags {
	FIELD_REQUIRED = 1,
	FIELD_OWN = 2,			/* osh's own key: no `version` needed */
	FIELD_IGNORED = 4,		/* accepted with a warning */
};

struct field {
	const char *key;
	void (*read)(struct reader *r, const struct node *value, void *obj);
	enum field_stage stage;
	unsigned flags;
	const char *type, *doc;		/* for people, and for `policy schema`, which parses `type` */
	const struct field *sub;	/* keys of the mapping that `type` holds */
};

extern const struct field policy_fields[];	/* top level; ends in a row without key */

/* Of the sections, one a key of the top level; of lists and named entries, what one entry has. */
extern const struct field filesystem_fields[], landlock_fields[], process_fields[], dns_fields[];
extern const struct field exec_fields[], resource_fields[], gpu_fields[], credential_fields[];
extern const struct field inference_fields[], rule_fields[], short_fields[], middleware_fields[];
extern const struct field assert_fields[], serve_fields[];
extern const struct field route_fields[], limit_fields[], price_fields[], privacy_fields[];

/* Reads a mapping by its table; `what` names it in messages. Gives false when it is no mapping. */
bool read_map(struct reader *r, const struct node *n, const struct field *fields, const char *what,
	      void *obj);
/* Notes something that the runtime cannot keep yet. */
void unkept(struct reader *r, struct place at, const char *what);
const struct node *map_get(const struct node *map, const char *key);	/* value or NULL */

/* Scalars. false = diagnosed. Nothing is guessed: `no` is no bool, 1.5 is no string. */
bool read_text(struct reader *r, const struct node *n, const char **ret);
bool read_bool(struct reader *r, const struct node *n, bool *ret);
bool read_uint(struct reader *r, const struct node *n, uint32_t min, uint32_t max, uint32_t *ret);
bool read_count(struct reader *r, const struct node *n, uint64_t most, uint64_t *ret);	/* from 1 */
bool read_millionths(struct reader *r, const struct node *n, uint64_t most, uint64_t *ret);	/* 1, 0.25 */
bool read_word(struct reader *r, const struct node *n, const char *const words[], unsigned *ret);
bool read_pattern(struct reader *r, const struct node *n, struct pattern *ret);
bool want_kind(struct reader *r, const struct node *n, enum node_kind kind);

/* Shape checks for rows of which nothing is kept. */
void want_text(struct reader *r, const struct node *n, void *obj);
void want_any(struct reader *r, const struct node *n, void *obj);

/* The closest of `words` to a misspelt one, or NULL when none is near. */
const char *nearest(const char *text, const char *const words[], size_t n);

/* Section readers. */
void read_filesystem(struct reader *r, const struct node *n, void *obj);
void read_landlock(struct reader *r, const struct node *n, void *obj);
void read_process(struct reader *r, const struct node *n, void *obj);
void read_dns(struct reader *r, const struct node *n, void *obj);
void read_network(struct reader *r, const struct node *n, void *obj);
void read_network_policies(struct reader *r, const struct node *n, void *obj);
void read_middlewares(struct reader *r, const struct node *n, void *obj);
void read_resources(struct reader *r, const struct node *n, void *obj);
void read_gpu(struct reader *r, const struct node *n, void *obj);
void read_credentials(struct reader *r, const struct node *n, void *obj);
void read_models(struct reader *r, const struct node *n, struct list *to);	/* struct pattern: one, or a list of them */
void read_limits(struct reader *r, const struct node *n, struct inference *to);
void read_prices(struct reader *r, const struct node *n, struct inference *to);
void read_privacy(struct reader *r, const struct node *n, struct inference *to);
void check_privacy(struct reader *r);	/* likewise */
void check_local(struct reader *r);	/* once the policy is whole */
void check_limits(struct reader *r);	/* once all of `inference` is read */
void read_inference(struct reader *r, const struct node *n, void *obj);
void read_serves(struct reader *r, const struct node *n, void *obj);
bool read_sandbox(struct reader *r, const struct node *n, bool glob, const char **ret);	/* a name; or also `*` and `?` */
void read_asserts(struct reader *r, const struct node *n, void *obj);
void read_exec(struct reader *r, const struct node *n, void *obj);
