/* SPDX-License-Identifier: Apache-2.0 */
/* What the questions of eval.h have in common. Nothing outside of eval_*.c includes this. */
#pragma once

#include "eval.h"

/* The question as the kernel sees it: an address, or a lower-case name without trailing dot. */
struct target {
	bool is_net;
	struct net net;
	char name[OSH_NAME_MAX];
};

bool target_of(const char *text, struct target *t);
bool net_inside(const struct net *addr, const struct net *net);
bool host_covers(const struct host *h, const struct target *t);
bool has_port(const struct endpoint *e, uint32_t port);

/* Does this rule let the caller through (OSH_WHY_ALLOWED), and if not, what is in the way? */
enum osh_reason who(const struct rule *rule, const struct eval_connect *c);
bool programs_list(const struct list *programs, const struct eval_connect *c);

/*
 * The protocols' part of eval_request(). Allowed by a rule of this endpoint, not by one, or refused
 * whatever the rules say (`hard`). `line` is of the rule that decided, 0 = of the endpoint.
 */
struct ruling {
	enum osh_reason why;		/* OSH_WHY_ALLOWED or what is in the way */
	uint32_t line;
	bool hard;
};

struct ruling http_allows(const struct endpoint *e, const struct eval_request *q);
struct ruling ws_allows(const struct endpoint *e, const struct eval_request *q);
struct ruling graphql_allows(const struct endpoint *e, const struct eval_request *q);
struct ruling rpc_allows(const struct endpoint *e, const struct eval_request *q);

/* The deny rule that is met, or NULL. */
const struct l7_rule *http_denies(const struct endpoint *e, const struct eval_request *q);
const struct l7_rule *graphql_denies(const struct endpoint *e, const struct eval_request *q);
const struct l7_rule *rpc_denies(const struct endpoint *e, const struct eval_request *q);

/* `any` holds a pattern for this text; in deny rules `*` crosses every separator. */
bool any_match(const struct list *any, const char *text, bool deny);
