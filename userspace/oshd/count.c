/* SPDX-License-Identifier: Apache-2.0 */
#include "count.h"

#include <string.h>

#define VERSION 1

static const struct {
	uint64_t width_ms;
	uint32_t pieces;		/* of a window */
} windows[OSH_WINDOWS] = {
	[OSH_WINDOW_MINUTE] = { 5000, 12 },
	[OSH_WINDOW_DAY] = { 3600000, 24 },
};
_Static_assert(OSH_WINDOWS == 2, "every window has its row");

/* Those of a window, and the newest, which is not over. */
static uint32_t kept(const struct count *c)
{
	return windows[c->per].pieces + 1;
}

static uint64_t *piece(uint64_t *of, uint64_t serial)
{
	return &of[serial % COUNT_PIECES];
}

static uint64_t plus(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

void count_start(struct count *c, enum osh_window per, uint64_t now_ms)
{
	*c = (struct count){ .per = per, .at = now_ms / windows[per].width_ms, .serial = COUNT_PIECES };
}

/* A clock that was set back makes what was used no older than it is, and no younger. */
void count_go(struct count *c, uint64_t now_ms)
{
	uint64_t now = now_ms / windows[c->per].width_ms;

	for (uint64_t i = c->at; i < now && i < c->at + COUNT_PIECES; i++) {
		c->serial++;
		*piece(c->used, c->serial) = *piece(c->stored, c->serial) = 0;
	}
	c->at = now;
}

uint64_t count_sum(const struct count *c)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < kept(c); i++)
		sum = plus(sum, c->used[(c->serial - i) % COUNT_PIECES]);
	return sum;
}

/* The oldest pieces go first, one each time that a piece is over. */
uint64_t count_wait(const struct count *c, uint64_t now_ms, uint64_t most, uint64_t amount)
{
	uint64_t width = windows[c->per].width_ms, sum = 0, wait = width - now_ms % width;
	uint32_t i = 0;

	if (amount > most)
		return COUNT_NEVER;
	/* How many of the newest may stay? */
	for (; i < kept(c); i++) {
		sum = plus(sum, c->used[(c->serial - i) % COUNT_PIECES]);
		if (sum > most - amount)
			break;
	}
	return i == kept(c) ? 0 : wait + (kept(c) - 1 - i) * width;
}

uint64_t count_take(struct count *c, uint64_t amount)
{
	uint64_t *p = piece(c->used, c->serial);

	*p = plus(*p, amount);
	return c->serial;
}

void count_settle(struct count *c, uint64_t serial, uint64_t taken, uint64_t used)
{
	uint64_t *p = piece(c->used, serial);

	if (used > taken)
		(void)count_take(c, used - taken);
	else if (serial <= c->serial && c->serial - serial < COUNT_PIECES)
		*p -= taken - used < *p ? taken - used : *p;
}

void count_unsure(struct count *c)
{
	memset(c->stored, 0, sizeof(c->stored));
}

bool count_exact(struct count *c)
{
	bool differs = memcmp(c->stored, c->used, sizeof(c->stored)) != 0;

	memcpy(c->stored, c->used, sizeof(c->stored));
	return differs;
}

bool count_ahead(struct count *c, uint64_t most)
{
	bool behind = false;

	for (uint32_t i = 0; i < COUNT_PIECES; i++)
		behind |= c->used[i] > c->stored[i];
	if (behind) {			/* only the newest can become more */
		(void)count_exact(c);
		*piece(c->stored, c->serial) = plus(*piece(c->used, c->serial), most / 16);
	}
	return behind;
}

uint64_t count_until(const struct count *c)
{
	return (c->at + kept(c)) * windows[c->per].width_ms;
}

void count_row(const struct count *c, struct count_row *ret)
{
	*ret = (struct count_row){ .version = VERSION, .per = c->per, .at = c->at };
	for (uint32_t i = 0; i < kept(c); i++)
		ret->used[i] = c->stored[(c->serial - i) % COUNT_PIECES];
}

bool count_read(struct count *c, enum osh_window per, const void *from, uint64_t n, uint64_t now_ms)
{
	struct count_row row;

	if (n != sizeof(row))
		return false;
	memcpy(&row, from, sizeof(row));
	if (row.version != VERSION || row.per != per)
		return false;
	count_start(c, per, now_ms);
	c->at = row.at;
	for (uint32_t i = 0; i < kept(c); i++)
		c->used[(c->serial - i) % COUNT_PIECES] = row.used[i];
	(void)count_exact(c);
	count_go(c, now_ms);
	return true;
}
