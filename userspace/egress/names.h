/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Upstream addresses of a host name: A and AAAA through c-ares, one pair of queries for all who ask
 * at once, answers kept for their (bounded) time to live. No file is read here: servers come from
 * the caller. Answers are not judged here; addr.c does that for each use.
 */
#pragma once

#include <ares.h>

#include "ip.h"
#include "loop.h"
#include "osh/limits.h"

#define NAMES_ADDRS 16			/* addresses kept of one answer, both families together */
#define NAMES_CACHE 1024
#define NAMES_SOCKETS 64

struct name_wait {
	TAILQ_ENTRY(name_wait) link;
	struct name *name;		/* NULL = not waiting */
	/* n = 0: could not be resolved. Called from names_get() itself on a cache hit. */
	void (*fn)(struct name_wait *w, const struct ip *addrs, int n);
};
TAILQ_HEAD(name_waits, name_wait);

struct name;
TAILQ_HEAD(name_list, name);

struct name_socket {
	struct watch w;			/* fd -1 = free */
	struct names *names;
};

struct names {
	struct loop *loop;
	ares_channel channel;
	struct name_list list;		/* least recently used first */
	unsigned n;
	int servers;
	unsigned busy;			/* questions that are out */
	struct name_socket sockets[NAMES_SOCKETS];
};

int names_init(struct names *ns, struct loop *l, const struct ip *servers, int n, struct err *e);
void names_get(struct names *ns, const char *name, struct name_wait *w);
void names_cancel(struct name_wait *w);		/* fn will not be called */
int names_before(struct names *ns);		/* work due; milliseconds until more, -1 = none */
