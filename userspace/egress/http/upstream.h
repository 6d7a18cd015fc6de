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
struct upstream;

struct upstream_ops {
	/* A new exchange on this connection. Its side; NULL = it cannot take one after all. */
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
	uint32_t open, most;		/* exchanges under way; h1: at most 1, h2: what the peer allows */
	bool used;			/* carried an exchange before: a failure may be staleness */
	bool closing;			/* takes no new ones (connection: close, GOAWAY) */
	struct timer idle;
	struct pool *pool;
};

/* Protocols on a connected (and, where TLS, verified) stream. 0 or -ENOMEM. */
int h1_upstream_start(struct upstream *u);
int h2_upstream_start(struct upstream *u);

/* What protocols tell the pool. */
void upstream_free_slot(struct upstream *u);	/* an exchange ended; the connection can take another, or is idle */
void upstream_end(struct upstream *u, bool hard);	/* calls ops->done */
