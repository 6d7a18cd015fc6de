/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who gets which upstream connection. A request asks; it gets a place on a connection that is kept, or one is
 * dialled, verified and given to a protocol. Every dial has its record, every failure its reason.
 */
#pragma once

#include "http/upstream.h"

#define POOL_CONNS OSH_EGRESS_CONNS	/* upstream connections of a sandbox */
#define POOL_BUCKETS 64

TAILQ_HEAD(pool_host_list, pool_host);
TAILQ_HEAD(upstream_list, upstream);

struct pool {
	struct pool_host_list hosts[POOL_BUCKETS];
	struct upstream_list idle;	/* without an exchange; least recently used first */
	TAILQ_HEAD(, attempt) attempts;	/* connections being made */
	struct pool_host_list hungry;	/* who would dial, had the sandbox room for it */
	unsigned n;			/* connections, those being made included */
};

struct pool_wait {			/* zeroed at first; `fn` set */
	TAILQ_ENTRY(pool_wait) link;
	struct pool_host *host;		/* NULL = not waiting */
	struct grant *grant;		/* the owner's; a new one when another policy comes into force */
	bool fresh;
	/*
	 * Called once, perhaps by pool_get() itself. `side`: a place on a connection, its `head` comes next.
	 * NULL: why not, and a line for a person.
	 */
	void (*fn)(struct pool_wait *w, struct side *side, enum osh_reason why, const char *detail);
};

struct pool_ask {
	struct grant *grant;		/* lives until `fn` was called or pool_cancel() */
	bool tls;
	bool http1;			/* only HTTP/1.1 will do: an upgrade */
	bool fresh;			/* no connection that was used before: the last one was stale */
	uint32_t cred;			/* connections are not shared between credentials; 0 = none */
};

void pool_init(struct pool *p);
void pool_get(struct flows *fs, const struct pool_ask *q, struct pool_wait *w);
void pool_resume(struct flows *fs);	/* between rounds: room may have come */
void pool_cancel(struct pool_wait *w);

/*
 * Another policy is in force. pool_again(), before any request is judged by it: connections to where it does not
 * lead take no more requests. pool_dials_again(), once those that wait are judged: likewise those being made.
 */
void pool_again(struct flows *fs);
void pool_dials_again(struct flows *fs);
