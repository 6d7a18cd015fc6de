/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of something was used in the last minute, or the last 24 hours: a ring of pieces of that time. Pure: the time
 * is given, in milliseconds of CLOCK_REALTIME, and whatever it does no use is forgotten before its time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "osh/inference.h"

#define COUNT_PIECES 25			/* a window's, and the one that is begun */
#define COUNT_NEVER UINT64_MAX

struct count {
	enum osh_window per;
	uint64_t at;			/* the newest piece, by the clock */
	uint64_t serial;		/* the newest piece, by its own number: only goes up */
	uint64_t used[COUNT_PIECES];	/* by serial */
	uint64_t stored[COUNT_PIECES];	/* what a next oshd would find: no less than `used` once a call goes */
};

void count_start(struct count *c, enum osh_window per, uint64_t now_ms);
void count_go(struct count *c, uint64_t now_ms);	/* first of all, whenever time has passed */

uint64_t count_sum(const struct count *c);

/* Until there is room for `amount` under `most`: 0 = now; COUNT_NEVER = it is more than `most`. */
uint64_t count_wait(const struct count *c, uint64_t now_ms, uint64_t most, uint64_t amount);

/* Counts it in the newest piece, whose number it gives. */
uint64_t count_take(struct count *c, uint64_t amount);

/* What was taken in that piece came to `used`: what is less goes back there, what is more is used now. */
void count_settle(struct count *c, uint64_t serial, uint64_t taken, uint64_t used);

/* True: `stored` lies behind and was moved ahead of use, in the newest piece by a sixteenth of `most`; it has to be written. */
bool count_ahead(struct count *c, uint64_t most);
void count_unsure(struct count *c);	/* it could not be written: nobody knows what is there */
bool count_exact(struct count *c);	/* what is stored is what was used; true: it was not, and has to be written */
uint64_t count_until(const struct count *c);	/* when nothing of it counts any more, ms */

/* As it is kept: fixed layout. Reading one that is none, or that another program wrote, gives false. */
struct count_row {
	uint32_t version, per;
	uint64_t at;
	uint64_t used[COUNT_PIECES];	/* from the newest back */
};
void count_row(const struct count *c, struct count_row *ret);
bool count_read(struct count *c, enum osh_window per, const void *row, uint64_t n, uint64_t now_ms);
