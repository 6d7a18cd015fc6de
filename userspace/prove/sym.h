/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy as a formula: one attempt of a program in the sandbox, with every part of it a variable. Each term
 * mirrors a function of eval_*.c over the same structures (policy-compiler/model.h), so that what Z3 says is
 * possible is what eval allows; witness.c asks eval before anybody is told.
 */
#pragma once

#include "cells.h"
#include "dim.h"
#include "model.h"
#include "sees.h"
#include "slice.h"

struct sym_endpoint {
	const struct rule *rule;
	const struct endpoint *e;
	uint32_t index;
	bool asked;			/* here; the others are those that it meets */
	bool used;			/* something was seen to go through it */
	Z3_ast host;			/* it names this destination */
	Z3_ast reach;			/* eval_connect() allows by it */
	Z3_ast dial;			/* and eval_addr() at this address */
	Z3_ast covers;			/* it speaks of the request inside */
	Z3_ast allows, denies, hard;	/* its rules say so; hard: whatever audit mode says */
};

struct sym_route {			/* a backend of `inference` */
	const struct route *route;
	Z3_ast takes;			/* the request, being a call of a model; with fallback also after others, or for what it says */
};

struct sym_param {			/* one key of a query, with one value */
	const char *key;
	Z3_ast there;
	struct dim value;
};

struct sym {
	struct zed z;
	const struct policy *p;
	const char *workdir;
	const struct slices *slices;
	uint32_t slice, first;		/* first: of the policy's endpoints in slices->of */
	bool no_files;			/* the policy does not say what may be read: anything */

	/* Shared by the sides of a comparison. */
	struct dim *host, *program, *ancestor, *digest;
	Z3_ast port, is_addr;		/* destination: a name, or an address */
	Z3_ast dialled;			/* that address, or what the name resolves to: its number among `cells` */
	const struct cells *cells;
	Z3_ast nobody, tainted, has_ancestor, has_digest;
	Z3_ast forbidden, private, closed;	/* addresses and ports that are never dialled, or not without a list (sym_connect.c) */

	struct dim *method, *path;
	struct list *params;		/* struct sym_param * */
	struct dim *op_name, *field;	/* GraphQL */
	Z3_ast graphql, op_type, has_field;
	struct dim *call, *tool;	/* JSON-RPC, MCP */
	Z3_ast has_call, has_tool, stream, response;
	struct dim *model;		/* that a body names */
	Z3_ast has_model, anthropic;	/* anthropic: it has that API's field */

	struct dim *reader, *file;	/* a program and what it reads */

#define PLAIN 48
	Z3_ast plain[PLAIN], all_plain;	/* what a witness is best without (witness.c) */
	size_t n_plain;

	struct list endpoints;		/* struct sym_endpoint */
	Z3_ast reads, writes;		/* the reader runs and may read (read and write) the file */
	Z3_ast runs, ran;		/* the program may be executed; there is an ancestor that may */
	Z3_ast dials;			/* connected, at an address that is allowed */
	Z3_ast inspected;
	Z3_ast allowed;			/* the request, by rules alone */
	Z3_ast forwarded;		/* or in audit mode */
	struct list routes;		/* struct sym_route; none where no endpoint here is about calls of models */
	Z3_ast calls;			/* allowed, and for the routes */
	Z3_ast sends;			/* dials, and what is sent is forwarded or not looked into; a call has a route */

	/* Other sides: what another policy, or this one with parts left out, says of the same attempt. NULL = not asked for. */
	struct sym *base, *less;
	struct sym_parts *parts;	/* of `less` alone */
	const struct list *gone;	/* of the plan */
};

struct sym_plan {
	const struct policy *p, *base;	/* base NULL: nothing is compared */
	const char *workdir, *base_workdir;	/* base_workdir NULL: the same */
	const struct cells *cells;	/* of all networks that are asked about */
	const struct slices *slices;
	uint32_t slice;			/* of the endpoints those of this one; slices->n = none; without slices all */
	const struct list *gone;	/* const void *: parts that were found to change nothing */
	bool less;
};

void sym_open(struct sym *s, struct arena *a, const struct sym_plan *plan);
void sym_done(struct sym *s);
void sym_each_dim(struct sym *s, void (*fn)(struct dim *d));

/* sym_parts.c: is this endpoint or rule (its address in the policy) there? Without parts everything is. */
Z3_ast sym_there(struct sym *s, const void *part);
/* sym_single.c: is what one value, field and operation show of the two sides all there is to be seen? */
bool sym_single(const struct sym *s, const struct sym *other);

/* sym_connect.c */
Z3_ast sym_host(struct sym *s, const struct host *h);
Z3_ast sym_is_program(struct dim *d, const struct program *p);
Z3_ast sym_programs(struct dim *d, const struct list *programs);	/* without ancestors and digests */
Z3_ast sym_at(struct sym *s, const struct endpoint *e);	/* an address that it may be dialled at, `dialled` */
void sym_connect(struct sym *s);

/* sym_addr.c: of `dialled`; classes as net_class() has them. */
Z3_ast sym_addr_at_least(struct sym *s, enum addr_class class);
Z3_ast sym_addr_in(struct sym *s, const struct net *n);

/* sym_request.c */
void sym_request(struct sym *s);
struct sym_param *sym_param(struct sym *s, const char *key);

/* sym_inference.c: which route takes a call of a model; it is one. */
Z3_ast sym_routed(struct sym *s, Z3_ast calls);
bool sym_keeps_local(const struct policy *p);	/* may a rule about content leave a call the local routes alone? */

/* sym_rules.c: one endpoint's rules about what is inside. */
void sym_rules(struct sym *s, struct sym_endpoint *e);
void sym_graphql(struct sym *s, struct sym_endpoint *e, Z3_ast *ret_allows, Z3_ast *ret_hard);
Z3_ast sym_graphql_denies(struct sym *s, const struct endpoint *e);
void sym_rpc(struct sym *s, struct sym_endpoint *e);

/* sym_file.c: what eval_file() and eval_exec() say of the path in `file`, for the program in `who`; NULL: for all of them. */
Z3_ast sym_file(struct sym *s, struct dim *file, struct dim *who, bool write);
Z3_ast sym_exec(struct sym *s, struct dim *program);
Z3_ast sym_below(struct sym *s, struct dim *file, const char *path);	/* the path, and what lies below it */
const char *sym_literal(struct sym *s, const char *text);	/* as a glob that means it alone */
