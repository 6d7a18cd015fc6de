/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that read rules and endpoints share while a mapping is half read. */
#pragma once

#include "schema.h"

struct rule_in {
	struct rule rule;
	const struct node *binaries;
	uint32_t errors;		/* known before it was read */
};

struct endpoint_in {
	struct endpoint e;
	const struct node *host, *port, *ports, *protocol, *access, *rules, *deny, *path;
	const struct node *signing, *ws_rewrite, *body_rewrite, *encoded_slash;
	const struct node *graphql, *json_rpc, *mcp;	/* any key that is for that protocol alone */
	const struct node *methods, *paths;		/* short form */
	const struct node *credential, *route;
	bool brief;			/* an entry of `network` */
	struct list allowed;
	struct rule_in *rule;		/* short form: endpoint and rule are one mapping */
};

extern const struct field endpoint_fields[], binary_fields[];
extern const struct field allow_fields[], deny_fields[];

/* read_endpoint.c: the mapping `at` has been read; puts an endpoint into `rule`. */
void endpoint_finish(struct reader *r, const struct node *at, struct endpoint_in *in,
		     uint32_t default_port, struct rule *rule);

/* read_rules.c: `rules`, `deny_rules`, and what the short form says instead. */
void rules_finish(struct reader *r, struct endpoint_in *in);

/* check_endpoint.c: keys that contradict each other or the protocol. */
void endpoint_check(struct reader *r, const struct node *at, const struct endpoint_in *in);

/* read_endpoint.c: keys of an endpoint that others have too; `obj` is a struct endpoint_in. */
void read_endpoint_host(struct reader *r, const struct node *n, void *obj);
void read_endpoint_port(struct reader *r, const struct node *n, void *obj);
void read_endpoint_allowed(struct reader *r, const struct node *n, void *obj);

/* read_network.c */
void read_binaries(struct reader *r, const struct node *list, struct rule *rule);
void read_taint(struct reader *r, const struct node *n, void *obj);
const char *protocol_name(enum protocol p);
