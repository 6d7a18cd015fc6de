/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection of the sandbox that is looked into, from the first byte to the last: what its address
 * stands for and which rules let its program through (judged by flow.c), then TLS or not, then HTTP/1.1
 * or HTTP/2 on it. The protocols are two implementations of struct conn_ops.
 */
#pragma once

#include "http/exchange.h"
#include "grant.h"
#include "tls/stream.h"

struct flows;
struct conn;

/*
 * Whatever the client sends before the protocol starts stays in its socket. `ready` is called once right
 * after the start, and then whenever the stream may go on. conn_end() closes the stream at once (further
 * I/O fails) and calls ops->done later, from the loop: never while a function of the protocol is on the
 * stack. `done` says exchange_gone() for every exchange that is still linked.
 */
struct conn_ops {
	void (*ready)(struct conn *c, uint32_t events);	/* the client's stream may go on */
	void (*drain)(struct conn *c);		/* no new requests: GOAWAY, or close after the answer under way */
	void (*done)(struct conn *c);		/* frees what the protocol holds */
};

struct conn {
	TAILQ_ENTRY(conn) link;		/* in flows.conns, by their last request */
	struct flows *fs;
	struct stream client;
	struct grant *grant;		/* conn_grant() first: it may be of an earlier policy */
	struct timer timer;		/* conn_await()'s */
	bool tls;			/* credentials go over such connections alone */
	bool listed;			/* in flows.conns: the sandbox', not one of our own (token.c) */
	bool ending;			/* conn_end() was called */
	bool skip;			/* `tls: skip`: only its first bytes are looked at */
	bool reserved;			/* room for the record that says why it came to nothing */
	uint32_t exchanges;		/* under way; kept by exchange.c */
	const struct conn_ops *ops;
	void *state;			/* the protocol's */
};

/* An accepted connection that was judged; uses the reservation of a record that came with `fd`. */
void conn_start(struct flows *fs, int fd, struct grant *g, bool skip);

/* What it is under the policy in force. NULL = out of memory. */
struct grant *conn_grant(struct conn *c);

/* Another policy is in force: connections that it does not allow end, and requests under way are judged again. */
void conns_again(struct flows *fs);
void conns_creds(struct flows *fs);	/* the same for another set of credentials */

/* Ends the one that has been without a request longest. False: there is none. */
bool conn_make_room(struct flows *fs);

/* Protocols. 0 or -ENOMEM. They set ops and state; conn_end() ends the connection, calling ops->done. */
int h1_client_start(struct conn *c);
int h2_client_start(struct conn *c);
void conn_end(struct conn *c, bool hard);

void conn_limit(struct conn *c);	/* on record: a request found no place */
void exchanges_init(struct flows *fs);
void exchange_resume_all(struct flows *fs);	/* those that waited for room for their record */

/*
 * What is waited for; the connection ends when it takes too long: TIMER_HEAD for the rest of a head that
 * began, TIMER_KEEP for the next request, TIMER_IDLE for a connection with exchanges (those have
 * timeouts of their own). Arming again starts anew.
 */
void conn_await(struct conn *c, enum timer_class what);
