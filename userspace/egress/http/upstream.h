/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections to the world that speak HTTP, kept for reuse. One is for one (host number, name, port, TLS or
 * not, checked addresses); it is never shared between hosts, nor between a request with a credential of one provider and
 * one of another (connection-bound authentication). Resolving, checking and dialling are flow.c's own code.
 */
#pragma once

#include "http/exchange.h"
#include "table.h"
#include "tls/stream.h"

struct flows;
struct pool_host;
struct upstream;

/*
 * upstream_end() closes the stream at once and calls ops->done later, from the loop, as conn_end() does.
 * `ready` is called whenever the stream may go on, also while nothing is under way: then bytes or an end
 * from the peer mean upstream_end().
 */
struct upstream_ops {
	/* A new exchange on this connection: its side, whose `head` comes next. NULL = it cannot take one after all. */
	struct side *(*open)(struct upstream *u);
	void (*ready)(struct upstream *u, uint32_t events);
	void (*done)(struct upstream *u);	/* frees the protocol's state; its exchanges hear exchange_gone() */
};

struct upstream {
	TAILQ_ENTRY(upstream) link;
	struct flows *fs;
	struct stream stream;
	const struct upstream_ops *ops;
	void *state;
	uint32_t open;			/* exchanges under way; the pool counts up, upstream_free_slot() down */
	uint32_t most;			/* set at start and later; h1: 1, h2: what the peer allows */
	bool used;			/* carried an exchange before: a failure may be staleness (set by the pool) */
	bool closing;			/* takes no new ones (connection: close, GOAWAY); set by the protocol */
	bool ending;			/* upstream_end() was called */
	struct timer idle;		/* here and below: the pool's own */
	TAILQ_ENTRY(upstream) idle_link;
	bool is_idle;
	struct pool_host *host;
	struct attempt *attempt;	/* while it is being made */
	struct ip addr;			/* that was dialled */
	bool proxied, listed;		/* by the operator's proxy; at an address that the operator gave */
};

/* Protocols on a connected (and, where TLS, verified) stream. 0 or -ENOMEM. */
int h1_upstream_start(struct upstream *u);
int h2_upstream_start(struct upstream *u);

/*
 * What protocols tell the pool. upstream_free_slot(): an exchange left this connection in order (call it
 * after exchange_end(), or inside `abort` where the connection survives that); with `closing` and nothing
 * open the pool ends it.
 */
void upstream_free_slot(struct upstream *u);
void upstream_end(struct upstream *u, bool hard);
