/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generations of the policy, as this process holds them: the one it judges by and, while a reload is
 * under way, the next one. The kernel's table of sandboxes says which is in force; it is asked at every
 * judgement, so that the kernel's flip is the flip here, and a process that the flip has passed by judges
 * nothing. What was judged holds its generation; reload.c judges it again, so nothing holds an old one for long.
 */
#pragma once

#include "bundle.h"
#include "table.h"

struct generation {
	struct table table;
	struct bundle bundle;
	unsigned refs;
};

/* What a connection is under one generation. */
struct grant {
	struct generation *policy;
	unsigned refs;
	enum osh_reason why;		/* OSH_WHY_ALLOWED, or why it is not allowed any more */
	struct target target;
};

struct generations {
	struct generation *now, *next;	/* next: loaded and checked, not in force yet; or NULL */
	int sandboxes_fd;		/* map `sandboxes`, read only */
	uint32_t slot;
	/* `next` became `now`, in the middle of somebody's judgement; NULL = nobody wants to know. */
	void (*flipped)(struct generations *ps);
	/* Another one is in force than any that is held here. To be the last act of this process. */
	void (*stale)(struct generations *ps);
};

/* Reads a bundle of `generation` for the sandbox that `like` is about. One reference is the caller's. */
int generation_open(struct generation **ret, const struct table *like, uint32_t generation, int bundle_fd,
		struct err *e);
void generation_put(struct generation *p);	/* takes NULL */

/* The one in force. */
struct generation *generation_now(struct generations *ps);

/* One reference is the caller's; NULL = out of memory. */
struct grant *grant_new(struct generation *p, const struct ip *dst, uint16_t port, uint32_t mark);
struct grant *grant_own(struct generation *p, const struct target *t);	/* a connection of our own */
struct grant *grant_again(struct generation *p, const struct grant *g);	/* the same connection under another one */
struct grant *grant_ref(struct grant *g);
void grant_put(struct grant *g);	/* takes NULL */
void grant_move(struct grant **held, struct grant *to);	/* *held = another reference of `to` */

/* *held as the policy in force judges it: false = out of memory, and it stays as it was. */
bool grant_now(struct generations *ps, struct grant **held);
