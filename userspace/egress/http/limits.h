/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits of calls of models. oshd counts (docs/inference.md): before a call is sent it is asked for what the call may
 * use, and when it is over it hears what was used. Here is no count: only what was taken and is not settled.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "osh/msg.h"

struct exchange;
struct flows;

enum counted_state {
	COUNTED_NOT,			/* nothing is taken for it */
	COUNTED_LINE,			/* oshd is to be asked */
	COUNTED_ASKED,
	COUNTED_HAS,			/* it may be sent */
};

struct counted {			/* of one exchange */
	enum counted_state state;
	bool sent;			/* something went upstream since */
	bool elsewhere;			/* it is on its way to another backend */
	uint64_t call, number;
	struct osh_msg_take take;
	uint64_t tokens[4];		/* by enum osh_price: as guessed */
};

/*
 * May it be sent? True: what it may use is taken, or no limit counts it. False: it waits and is judged again when the
 * answer is here, or it was refused.
 */
bool limits_pass(struct exchange *x, bool elsewhere);

/* It, or this attempt, is over: what was taken is settled. */
void limits_settle(struct exchange *x);

void limits_late(struct exchange *x);	/* no answer in time; it is refused */

/* oshd answered. */
void limits_taken(struct flows *fs, const struct osh_msg_taken *m);
void limits_init(struct flows *fs);
