/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request and its answer. A client side and an upstream side, each HTTP/1.1 or HTTP/2, meet here:
 * the request's head is judged, gets its credential, is sent to an upstream of the pool, and the answer
 * comes back. Bodies stream both ways with backpressure. Sides know nothing of policy, and exchange
 * nothing of wire formats.
 *
 * Rules that every side keeps: calls do not recurse into the caller's half-finished state (a side
 * finishes its own bookkeeping before it calls exchange_*, and looks at s->x again after the call); after
 * `abort`, or after exchange_gone(), the side is no longer linked and never calls again; memory of a side
 * is its own. Memory of an exchange is freed between rounds of the loop, never inside a call.
 *
 * The end: an exchange is over when the client has the whole answer, or when a side is gone and nothing
 * can be sent any more. Both sides are unlinked (x == NULL) *before* the call that tells the client so
 * (`end`, a final `head` with end = true, or `abort`), which is therefore the last one. An upstream that
 * had not the whole request then, or not given the whole answer, hears `abort` first. A client whose own
 * request was not finished when that call came (a denial, an early answer) ends its message itself:
 * HTTP/1 drains a bounded amount and closes, HTTP/2 resets the stream with NO_ERROR.
 *
 * Upgrade: a client's head with the field `upgrade` asks; the exchange drops the field unless the policy
 * allows a WebSocket. An upstream gives 101 only where the head that it got had `upgrade`; after that
 * `head` the bodies of both sides are the bytes of the other protocol as they come, `end` is a FIN, and no
 * connection is used again. The side that sends a head with `upgrade`, or 101, writes the `connection` field.
 *
 * Expect: `expect` stays in the head and goes upstream, whose 100 comes back through `head`; where the
 * exchange has to hold the body itself, it gives the client `head` 100 and drops the field.
 */
#pragma once

#include <sys/queue.h>

#include "http/head.h"
#include "osh/abi.h"

struct exchange;
struct side;

enum gone {				/* why one side of an exchange went away */
	GONE_RESET,			/* the peer reset, or its connection broke */
	GONE_PROTOCOL,			/* the peer broke HTTP */
	GONE_REFUSED,			/* upstream says that it processed nothing (REFUSED_STREAM, GOAWAY): may be sent again */
	GONE_STALE,			/* a kept connection ended before a byte of the answer: may be sent again if nothing of a body was */
	GONE_TIMEOUT,
};

struct side_ops {
	/*
	 * The exchange speaks to the side's peer. 1xx heads go through `head` too (status < 200, end = false).
	 * `end` = no body, no trailers follow. *h is the exchange's: written at once or copied.
	 * A head with `content-length` absent and end = false has a body of unknown length.
	 */
	void (*head)(struct side *s, const struct head *h, bool end);
	size_t (*body)(struct side *s, struct slice bytes);	/* bytes taken; less = full, exchange_writable() will follow */
	void (*end)(struct side *s, const struct head *trailers);	/* trailers may be NULL */
	void (*resume)(struct side *s);		/* the other side has room again: deliver what was left over */
	void (*abort)(struct side *s, enum gone why);	/* ends this message unfinished; the side is unlinked on return */
};

struct side {
	const struct side_ops *ops;
	struct exchange *x;		/* NULL = not linked */
};

/* What a side tells the exchange. */
void exchange_head(struct exchange *x, struct side *from, struct head *h, bool end);	/* may edit *h or take its memory (it is then empty, and reusable); done with it on return */
size_t exchange_body(struct exchange *x, struct side *from, struct slice bytes);	/* bytes taken; the rest waits for `resume` */
void exchange_end(struct exchange *x, struct side *from, const struct head *trailers);
void exchange_writable(struct exchange *x, struct side *from);
void exchange_gone(struct exchange *x, struct side *from, enum gone why);

/*
 * A client connection (its flow, what its address stands for, its program's rules) starts one exchange
 * a request and gives it exchange_head() next. NULL = a limit was reached: it is recorded; the side
 * answers 503 with conn_refusal()'s body, and the connection may go on.
 */
struct buf;
struct conn;				/* http/conn.h: an accepted connection that is looked into */
struct exchange *exchange_new(struct conn *c, struct side *client);

/*
 * The JSON body of an answer that the side itself writes, appended to *body (content-type
 * application/json). conn_bad_request(): a request that breaks HTTP and has no meaning to judge: one
 * event, one 400 (or 414, 431, 501, 505) by the side, which then closes. `why` is one line for a person.
 */
void conn_bad_request(struct conn *c, int status, const char *why, struct buf *body);
void conn_refusal(struct conn *c, struct buf *body);
