/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An exchange as its files see it: exchange.c (its life), exchange_judge.c (from the request's head to an
 * upstream), exchange_up.c and exchange_down.c (what streams through), exchange_answer.c (answers of our own).
 */
#pragma once

#include "buf.h"
#include "http/conn.h"
#include "http/exchange.h"
#include "http/limits.h"
#include "http/pool.h"
#include "http/websocket.h"
#include "rules/rules.h"

enum stage {
	X_NEW,				/* no head yet */
	X_RECORD,			/* waits for room for its record */
	X_HOLD,				/* the body is collected, to be judged with it */
	X_TOKEN,			/* allowed; its provider is asked for a token */
	X_LIMIT,			/* allowed; oshd is asked whether its limits have room */
	X_CONNECT,			/* allowed; waits for a place on an upstream connection */
	X_OPEN,				/* both sides are linked */
	X_DRAIN,			/* our own answer is ready; what is left of the body is thrown away first */
	X_ANSWER,			/* our own answer is being written */
	X_OVER,
};

struct exchange {
	TAILQ_ENTRY(exchange) link;	/* in flows.waiting */
	struct flows *fs;
	struct conn *c;
	TAILQ_ENTRY(exchange) under_way;	/* in flows.exchanges */
	struct grant *grant;		/* it is judged by, whole */
	struct side *client, *up;
	enum stage stage;
	bool reserved;			/* room for the record of its decision */
	bool client_ended;		/* the whole request is here, or went through */
	bool request_sent;		/* upstream has the end of the request */
	bool body_sent;			/* something of the body went upstream: it cannot be sent again */
	bool answered;			/* the client has the head of an answer */
	bool upgrade, upgraded;		/* a WebSocket is asked for and allowed; 101 came */
	bool in_client;			/* called by the client's side, which goes on by itself on return */
	bool last_try;			/* if it fails it is not sent again */
	bool is_head;			/* HEAD: an answer of ours has no body */
	uint16_t status;		/* of our own answer */
	uint32_t drained;		/* bytes of the body thrown away */
	uint8_t tries;			/* upstream connections used */
	uint8_t interim;		/* 1xx heads passed on */
	struct timer timer;
	struct pool_wait wait;
	struct head head;		/* of the request; as it is sent, once it was judged */
	struct head trailers;		/* of a held request */
	struct buf held;		/* the body that is judged; or our own answer's */
	size_t held_at;			/* of `held`: given on already */
	size_t hold_most;
	uint32_t rule, line, cred;
	uint32_t shown;			/* of head.text: the target without a credential, for records and answers */
	size_t kept;			/* bytes of a message that is not whole yet */
	struct websocket *ws;		/* NULL = what the client says after 101 is not judged */
	struct guard *guard;		/* NULL = the sandbox has no credentials */
	struct counted counted;		/* what is taken of limits for it */
	uint32_t retry_s;		/* of our own answer; 0 = it says nothing of that */
	struct inference *inference;	/* NULL = no call of a model */
};

/* exchange.c */
void exchange_over(struct exchange *x);		/* both sides are unlinked, the upstream is aborted unless it is done */
void exchange_cut(struct exchange *x, enum gone why);	/* over, and the client is aborted */
void exchange_resume(struct exchange *x);	/* the client may go on with its body */
void exchange_drop_upstream(struct exchange *x, enum gone why);
void exchange_unqueue(struct exchange *x);	/* it waits for nothing any more */
void exchange_await(struct exchange *x, enum timer_class what);
bool exchange_held_room(const struct exchange *x, size_t n);	/* all bodies of the sandbox together */
void exchange_kept(struct exchange *x, size_t n);	/* of a WebSocket's unfinished message: counts like a held body */
void exchange_held_add(struct exchange *x, struct slice bytes);
void exchange_held_drop(struct exchange *x);

const struct target *exchange_target(const struct exchange *x);	/* where it goes: its client's, or a backend */
bool exchange_tls(const struct exchange *x);	/* and whether in verified TLS */

/* exchange_up.c */
void exchange_open(struct exchange *x);		/* asks the pool */
void up_place(struct pool_wait *w, struct side *side, enum osh_reason why, const char *detail);
void up_push(struct exchange *x);		/* the upstream has room */
void up_head(struct exchange *x, struct head *h, bool end);
size_t up_body(struct exchange *x, struct slice bytes);
void up_end(struct exchange *x, const struct head *trailers);

/* exchange_down.c */
void down_head(struct exchange *x, struct head *h, bool end);
size_t down_body(struct exchange *x, struct slice bytes);
void down_end(struct exchange *x, const struct head *trailers);
void down_gone(struct exchange *x, enum gone why);	/* the upstream's side is unlinked */
void down_writable(struct exchange *x);		/* the client has room */

/* exchange_again.c: another policy is in force; x->grant is what it says of the connection. May be the end of it. */
void exchange_again(struct exchange *x);
void exchange_creds(struct exchange *x);	/* another set of credentials is there: nothing goes with one that it has not */
void exchange_revoke(struct exchange *x, const char *detail);
bool exchange_current(struct exchange *x);	/* is judged by the policy in force, or was now; false = that ended it */

/* exchange_judge.c */
struct rules_request judge_question(const struct exchange *x);
void judge_again(struct exchange *x);		/* nothing of it was sent yet */
void judge_begin(struct exchange *x);		/* the head is here */
void judge_body(struct exchange *x);		/* the held body is whole */
void judge_elsewhere(struct exchange *x);	/* a call of a model goes to another backend, or is refused */
void judge_elsewhere_on(struct exchange *x);	/* and its limits have room */
size_t judge_hold(struct exchange *x, struct slice bytes);

/* exchange_answer.c: one record where `event` says so, one answer. The upstream, if any, is aborted. */
#define TOO_LARGE 413			/* a body that is longer than may be held to judge it */
void answer_deny(struct exchange *x, int status, enum osh_reason why, const char *detail, bool event);
void answer_push(struct exchange *x);		/* the client has room */
size_t answer_drain(struct exchange *x, struct slice bytes);
void answer_start(struct exchange *x);		/* drained, or long enough waited */
bool answer_event(struct exchange *x, enum osh_verdict v, enum osh_reason why, int status, const char *detail);
