/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The meaning of a policy. Slow, plain, pure: walks every rule for every question and shares no code
 * with the tables that the runtime uses, so that one can be tested against the other. One file a
 * question: eval_dns.c, eval_connect.c, eval_addr.c, eval_request.c, eval_file.c, eval_exec.c.
 */
#pragma once

#include "model.h"
#include "osh/abi.h"

struct decision {
	enum osh_verdict verdict;
	enum osh_reason why;
	const char *rule;		/* smallest name of those that allow, or that name the host; or NULL */
	uint32_t line;			/* of its endpoint; of the deny rule where one decided */
	bool audit;			/* requests: the denial is recorded and the request forwarded */
	bool inference;			/* allowed requests: calls of models, for eval_inference() */
};

/* Is this name answered? Who asks does not matter. */
struct decision eval_dns(const struct policy *p, const char *name);

struct eval_connect {
	const char *host;		/* name, or address as text */
	uint32_t port;
	const char *binary;		/* absolute path; NULL = no identity */
	bool tainted;
	const char *const *ancestors;	/* nearest first; count only for programs with inherit: true */
	uint32_t n_ancestors;
	const char *sha256;		/* of the binary's file, or NULL */
};
struct decision eval_connect(const struct policy *p, const struct eval_connect *c);

/* After eval_connect(): may the host be dialled at all of these addresses? */
struct decision eval_addr(const struct policy *p, const struct eval_connect *c,
			  const char *const *addrs, uint32_t n_addrs);

/* Does some rule that lets this connection through look into it? Then eval_request() decides too. */
bool eval_inspects(const struct policy *p, const struct eval_connect *c);

struct eval_param {			/* one key of a query with all its values, decoded */
	const char *key;
	const char *const *values;
	uint32_t n;
};

struct eval_operation {			/* one operation of a GraphQL document */
	const char *type, *name;	/* name NULL or "" = anonymous */
	const char *const *fields;	/* root fields */
	uint32_t n_fields;
	bool persisted;			/* by hash alone */
	const char *hash;
};

struct eval_graphql {
	bool error;			/* could not be read */
	const struct eval_operation *operations;
	uint32_t n;
};

struct eval_call {			/* one JSON-RPC message */
	const char *method;		/* NULL = none */
	const char *tool;		/* params.name, NULL = none or not text */
	bool error, response, stream;	/* unreadable; answers the server; GET that only listens */
};

struct eval_request {
	struct eval_connect connect;
	const char *method;		/* "WEBSOCKET_TEXT" for a client's text message */
	const char *path;		/* canonical (canon.h), without query */
	const struct eval_param *query;
	uint32_t n_query;
	const struct eval_graphql *graphql;	/* NULL = not read as GraphQL */
	const struct eval_call *calls;	/* a batch holds several */
	uint32_t n_calls;
};

/* Rules alone: audit mode shows in decision.audit and changes no verdict. */
struct decision eval_request(const struct policy *p, const struct eval_request *q);

/* A request that eval_request() allowed with `inference`. */
struct eval_call_of_model {
	const char *method, *path;	/* canonical */
	const char *model;		/* in its body; NULL = none */
	bool anthropic;			/* has the field anthropic-version */
	bool local;			/* eval_privacy() leaves it local routes alone */
};

struct eval_routed {
	enum osh_shape shape;
	const struct route *route;	/* NULL = none */
	const char *model;		/* that the backend is asked for; "" = none */
	uint64_t may;			/* bit i: the i-th route may take it too: where one fails, or another is chosen */
};

/* Which backend does it go to? `a` keeps the texts. */
enum osh_reason eval_inference(const struct policy *p, const struct eval_call_of_model *q, struct arena *a,
			       struct eval_routed *ret);
/* Does the policy let calls that go to this route ask for that model in place of their own? */
bool eval_renames(const struct policy *p, const struct route *route, enum osh_shape shape, const char *model);
/* May the name stand in a path? It is made of segments that are neither empty nor steps. */
bool eval_model_in_path(const char *name);

/* May routes of the sandbox with that name come to this port here? */
struct decision eval_serves(const struct policy *p, uint32_t port, const char *caller);

/* Which limits count a call that eval_inference() gave a route: bit i = the i-th of the policy. */
uint32_t eval_limits(const struct policy *p, const struct eval_routed *to);
/* What its tokens cost, millionths rounded up, of a call of that model; false = it has no price. */
bool eval_cost(const struct policy *p, const char *model, const uint64_t tokens[OSH_PRICES], uint64_t *ret);
/*
 * What the policy says of texts that a call says to a model: of a body, its strings as they read decoded; of the rest what goes
 * on. UTF-8 throughout.
 */
struct eval_said {
	const char *p;
	size_t n;
	bool fixed;			/* nothing can be replaced there: a key, a field, the model's name */
};
struct eval_private {
	uint64_t *found;		/* for each rule of `inference.privacy`, how often */
	const struct content_rule *refused;	/* the first that refuses; NULL = none does */
	bool local;			/* the call may go to local routes alone */
};
enum osh_reason eval_privacy(const struct policy *p, const struct eval_said *said, size_t n, struct arena *a,
			     struct eval_private *ret);
const char *eval_redacted(const struct policy *p, const struct eval_said *said, struct arena *a);	/* one text, as it is sent */

const char *eval_shape(enum osh_shape shape);	/* its name */

/*
 * May this path, whose ".." and links are resolved, be read; or written, made, renamed, removed? `deny`
 * takes away the second alone: what must not be read is not listed.
 */
struct decision eval_file(const struct policy *p, const char *path, const char *workdir,
			  const char *binary, bool write);

/* May this program, by its resolved path, be executed? */
struct decision eval_exec(const struct policy *p, const char *path, const char *workdir);

/* The methods of MCP that allow_all_known_mcp_methods is about; NULL past the last. */
const char *eval_mcp_known(size_t i);

/* Globs: glob.c. sep 0 = `*` crosses everything. */
bool glob_match(const char *pattern, const char *text);
bool pattern_match(const struct pattern *p, const char *text, char sep);
