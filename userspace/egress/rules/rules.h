/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judgement of a request inside a connection: the L7 tables of the bundle, read as what they are.
 * Shares no matching code with policy-compiler/eval_*.c, which is what it is tested against.
 */
#pragma once

#include "bundle.h"
#include "osh/abi.h"
#include "slice.h"
#include "table.h"

struct rules_request {
	const char *method;		/* as sent; "WEBSOCKET_TEXT" for a client's text message */
	struct slice target;		/* origin form, path and query as sent */
	bool upgrade;			/* asks for a WebSocket */
	bool message;			/* `body` is a client's text message on the WebSocket that this target opened */
	struct slice body;		/* whole, where rules_wants_body() said so */
	struct slice content_type;
};

struct rules_answer {
	enum osh_verdict verdict;	/* OSH_AUDIT: denied by a rule that only records; forward it */
	enum osh_reason why;
	uint32_t rule;			/* index into the bundle's RULES + 1; 0 = none */
	uint32_t line;			/* in the policy, of the rule that decided */
	uint32_t l7;			/* index into the bundle's L7 + 1 of the endpoint that allowed: its credential, rewriting, protocol */
	char path[4097];		/* canonical path, without query: what is matched and what is forwarded */
	struct slice query;		/* of `target`, after the '?', as sent; p NULL = none */
};

/* Once, before the process is confined: the JSON reader needs a secret for its tables. 0 or -errno. */
int rules_init(void);

/* Is the connection looked into at all? (some rule that lets this program through has an L7 entry) */
bool rules_inspect(const struct bundle *b, const struct target *t);

/* `tls: skip` for every rule that lets it through: relayed opaque, the SNI must be the name. */
bool rules_skip_tls(const struct bundle *b, const struct target *t);

/*
 * Bytes of body that must be held before this request can be judged (GraphQL, JSON-RPC, MCP); 0 = none.
 * Also where the method has no body: one that has is refused. A longer body is refused by the caller
 * (OSH_WHY_LIMIT).
 */
size_t rules_wants_body(const struct bundle *b, const struct target *t, const struct rules_request *q);

/* Where rules_inspect() says no: every request that can be read is allowed. */
void rules_pass(const struct bundle *b, const struct target *t, const struct rules_request *q, struct rules_answer *ret);

void rules_judge(const struct bundle *b, const struct target *t, const struct rules_request *q,
		 struct rules_answer *ret);
