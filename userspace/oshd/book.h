/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What calls of models used, against the limits of policies. One account for each thing that is limited; a user's is
 * shared by his sandboxes. A book is one sandbox's: its limits, and what its egress took and has not settled. What an
 * egress says is never trusted with another's: it gives back what it took, once. Killed at any point, the next oshd
 * finds on disk no less than what calls were let go for.
 */
#pragma once

#include <sys/types.h>

#include "bundle.h"
#include "err.h"
#include "osh/inference.h"
#include "osh/msg.h"

struct state;
struct account;
struct book;

struct accounts {			/* of one oshd */
	struct state *st;		/* NULL = embedded: nothing outlives it */
	struct account *first;
};

/* `sandbox`: key of a created one, below 0 a run; `fresh`: it has just begun, so what a run of that number left is nothing. */
int book_open(struct book **ret, struct accounts *all, uid_t uid, int64_t sandbox, bool fresh, struct err *e);

/* `b` is the policy in force, `generation` its number. */
void book_take(struct book *k, const struct bundle *b, uint32_t generation, const struct osh_msg_take *m, uint64_t now_ms,
	       struct osh_msg_taken *ret);
void book_used(struct book *k, const struct osh_msg_used *m, uint64_t now_ms);
/* Of each limit of `b`, in its order, what counts now. */
int book_use(struct book *k, const struct bundle *b, uint32_t generation, uint64_t now_ms, uint64_t ret[OSH_INFERENCE_LIMITS],
	     struct err *e);
void book_forget(struct book *k, uint64_t now_ms);	/* its egress has gone: what is not settled stays as it was taken */
void book_close(struct book *k, uint64_t now_ms);	/* the sandbox has ended; NULL is none */

/* At a proper end of oshd: what is on disk is what was used. */
void accounts_store(struct accounts *all, uint64_t now_ms);

/* May a sandbox with this policy start here? */
int book_check(const struct accounts *all, const struct bundle *b, struct err *e);
