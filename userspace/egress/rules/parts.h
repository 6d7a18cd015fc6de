/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the judgement share. Nothing outside of rules/ includes this, but for its tests. */
#pragma once

#include "rules/pattern.h"
#include "rules/rules.h"

#define PATH_BYTES 4096			/* of a canonical path; more has none */

/* canonical.c: the one spelling of a path; an encoded slash stays, for the endpoint to judge. */
bool path_canonical(struct slice target, char ret[PATH_BYTES + 1]);

/* pattern.c */
bool text_meets_one(const struct bundle *b, struct osh_b_range patterns, struct slice text, char sep);

/* params.c: the query of a target, decoded where it is looked at. */
struct param {
	struct slice key, value;	/* as sent */
};
bool param_next(struct slice *query, struct param *ret);	/* false: no more */
bool params_readable(struct slice query);	/* every escape is one, and none is NUL */
bool param_is(struct slice key, const char *name);
size_t param_decode(struct slice s, char *out);	/* out holds s.n bytes */
bool params_meet(const struct bundle *b, const struct osh_b_query *m, struct slice query, bool deny);

static inline char sep_of(bool deny)
{
	return deny ? 0 : '.';		/* in deny rules `*` crosses dots */
}

/* One GraphQL operation as the client sent it. */
struct gql_op {
	uint32_t type;			/* enum osh_b_operation; 0 = by hash alone */
	struct slice name;		/* n == 0: none */
	struct slice hash;
	bool persisted;
	uint32_t first_field, n_fields;
};

#define OPERATIONS_MAX 32		/* of one request */
#define FIELDS_MAX 512			/* root fields of all of them, after fragments */

struct graphql {
	bool bad;			/* could not be read */
	bool control;			/* a websocket message that carries no operation */
	struct gql_op ops[OPERATIONS_MAX];
	uint32_t n;
	struct slice fields[FIELDS_MAX];
	uint32_t n_fields;
	void *json;			/* owns the texts above */
	char *text;			/* likewise, of a GET */
};
void graphql_read(struct graphql *ret, const struct rules_request *q, struct slice query);
void graphql_done(struct graphql *g);

/*
 * document.c: adds the operation that `wanted` names, or the only one, with its root fields. False: the
 * document is malformed, ambiguous or larger than the limits.
 */
bool document_read(struct slice text, struct slice wanted, struct graphql *to);

/* calls.c: does a content type name no other charset than UTF-8? */
bool type_is_utf8(struct slice type);

/* json_keys.c: is there a key that some reader takes for one of `names` although it is spelt differently? */
struct json_t;
bool keys_misleading(const struct json_t *object, const char *const names[], size_t n);

/* One JSON-RPC message. */
struct call {
	struct slice method, tool;	/* p NULL = none */
	bool error, response, stream;
};
struct calls {
	void *json;			/* NULL and not bad: no body, the client only listens */
	uint32_t n;
	bool bad;
};
void calls_read(struct calls *ret, const struct rules_request *q);
void call_get(const struct calls *c, uint32_t i, struct call *ret);
void calls_done(struct calls *c);

/* Of one endpoint, about one request: allowed, or what is in the way. */
struct ruling {
	enum osh_reason why;
	uint32_t line;			/* of the rule that decided, 0 = of the endpoint */
	bool hard;			/* refused whatever the rules say */
};

struct asked {				/* a request while it is judged */
	const struct bundle *b;
	const char *method;
	struct slice path, query;
	bool message;
	const struct graphql *graphql;	/* NULL = not read as GraphQL */
	const struct call *call;	/* NULL = none */
};

struct ruling http_ruling(const struct asked *a, const struct osh_b_l7 *l7);
struct ruling websocket_ruling(const struct asked *a, const struct osh_b_l7 *l7);
struct ruling graphql_ruling(const struct asked *a, const struct osh_b_l7 *l7);
struct ruling rpc_ruling(const struct asked *a, const struct osh_b_l7 *l7);

/* The first deny rule that is met, or NULL. */
const struct osh_b_match *http_denial(const struct asked *a, const struct osh_b_l7 *l7);
const struct osh_b_match *graphql_denial(const struct asked *a, const struct osh_b_l7 *l7);
const struct osh_b_match *rpc_denial(const struct asked *a, const struct osh_b_l7 *l7);
