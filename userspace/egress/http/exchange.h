/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request and its answer. A client side and an upstream side, each HTTP/1.1 or HTTP/2, meet here:
 * the request's head is judged, gets its credential, is sent to an upstream of the pool, and the answer
 * comes back. Bodies stream both ways with backpressure. Sides know nothing of policy, and exchange
 * nothing of wire formats.
 *
 * Rules that every side keeps: calls do not recurse into the caller's half-finished state (a side
 * finishes its own bookkeeping before it calls exchange_*); after `abort`, or after exchange_gone(), the
 * side is no longer linked and never calls again; memory of a side is its own.
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
	 * `end` = no body, no trailers follow.
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
void exchange_head(struct exchange *x, struct side *from, struct head *h, bool end);	/* may edit *h; done with it on return */
size_t exchange_body(struct exchange *x, struct side *from, struct slice bytes);	/* bytes taken; the rest waits for `resume` */
void exchange_end(struct exchange *x, struct side *from, const struct head *trailers);
void exchange_writable(struct exchange *x, struct side *from);
void exchange_gone(struct exchange *x, struct side *from, enum gone why);

/*
 * A client connection (its flow, what its address stands for, its program's rules) starts one exchange
 * a request. NULL = a limit was reached; the side answers 503 and records it through conn_refused().
 */
struct conn;				/* http/conn.h: an accepted connection that is looked into */
struct exchange *exchange_new(struct conn *c, struct side *client);

/*
 * A request that breaks HTTP and has no meaning to judge: one event, one 400 (or 431, 501) by the side
 * itself, which then closes. `why` is one line for the record.
 */
void conn_bad_request(struct conn *c, const char *why);
