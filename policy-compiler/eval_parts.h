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

/* The protocols' part of eval_request(): does one rule of `e` allow or deny this request? */
bool rest_rule(const struct l7_rule *rule, const struct eval_request *q, bool deny);
struct decision graphql_judge(const struct endpoint *e, const struct eval_request *q);
struct decision rpc_judge(const struct endpoint *e, const struct eval_request *q);
struct decision http_judge(const struct endpoint *e, const struct eval_request *q);
