/* SPDX-License-Identifier: Apache-2.0 */
#include "counts.h"

#include <time.h>

#include "budget.h"
#include "life.h"
#include "note.h"
#include "own.h"
#include "sandbox.h"

#define SECOND_US 1000000u
#define HEARD_MOST 2000u		/* messages of one egress in a second: a thousand calls */

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

static struct accounts *accounts(struct daemon *d)
{
	d->accounts.st = d->state;
	return &d->accounts;
}

int counts_check(struct daemon *d, const struct bundle *b, struct err *e)
{
	return book_check(accounts(d), b, e);
}

/* Opened when its egress asks for the first time: most sandboxes have no limits. */
static struct book *book_of(struct sandbox *s, struct err *e)
{
	int64_t id = s->life ? (int64_t)s->life->key : -(int64_t)s->k.id;

	if (!s->book)
		(void)book_open(&s->book, accounts(s->d), s->uid, id, s->fresh, e);
	return s->book;
}

static void take(struct sandbox *s, const struct osh_msg_take *m)
{
	struct osh_msg_taken answer = { .call = m->call, .verdict = OSH_TAKEN_FAILED };
	struct err e = { 0 };
	struct book *k = book_of(s, &e);

	if (k)
		book_take(k, &s->bundle, s->k.generation, m, now_ms(), &answer);
	else
		snprintf(answer.text, sizeof(answer.text), "%.119s", e.text);
	answer.id = s->k.id;
	if (chan_send_now(s->egress.control_fd, OSH_MSG_COUNT_TAKEN, &answer, sizeof(answer), NULL, 0) >= 0)
		return;
	note(s->name, s->uid, "its egress does not read what it asked for; it is ended");
	cgroup_kill_members(s->egress_cgroup_fd);
}

static int on_rested(sd_event_source *src, uint64_t usec, void *data)
{
	struct sandbox *s = data;

	(void)src;
	(void)usec;
	s->counts.rest = sd_event_source_unref(s->counts.rest);
	s->counts.heard = 0;
	if (s->egress.control)
		sd_event_source_set_enabled(s->egress.control, SD_EVENT_ON);
	return 0;
}

/* One that asks without end is not listened to for the rest of the second: oshd has others to serve. */
void counts_pace(struct sandbox *s)
{
	uint64_t now = 0;

	(void)sd_event_now(s->d->event, CLOCK_MONOTONIC, &now);
	if (now - s->counts.since_us >= SECOND_US) {
		s->counts.since_us = now;
		s->counts.heard = 0;
	}
	if (++s->counts.heard < HEARD_MOST || s->counts.rest || !s->egress.control)
		return;
	if (sd_event_add_time(s->d->event, &s->counts.rest, CLOCK_MONOTONIC, s->counts.since_us + SECOND_US, 0, on_rested, s) >= 0)
		sd_event_source_set_enabled(s->egress.control, SD_EVENT_OFF);
}

bool counts_message(struct sandbox *s, const struct chan_in *in)
{
	const struct osh_msg_used *used = chan_is(in, OSH_MSG_COUNT_USED, sizeof(*used), 0);
	const struct osh_msg_take *m = chan_is(in, OSH_MSG_COUNT_TAKE, sizeof(*m), 0);

	if (m || used)
		counts_pace(s);
	if (m)
		take(s, m);
	else if (used && s->book)
		book_used(s->book, used, now_ms());
	return m || used;
}

/* What it said last of calls that were over counts; for more than there can be nobody waits. */
void counts_egress_gone(struct sandbox *s)
{
	struct chan_in in;

	if (!s->book)
		return;
	for (int i = 0; i < 2 * OSH_MODEL_CALLS && s->egress.control_fd >= 0; i++) {
		if (chan_recv_now(s->egress.control_fd, &in) <= 0)
			break;
		if (chan_is(&in, OSH_MSG_COUNT_USED, sizeof(struct osh_msg_used), 0))
			(void)counts_message(s, &in);
		chan_in_done(&in);
	}
	book_forget(s->book, now_ms());
}

void counts_end(struct sandbox *s)
{
	s->counts.rest = sd_event_source_disable_unref(s->counts.rest);
	book_close(s->book, now_ms());
	s->book = NULL;
}

int counts_put(sd_bus_message *m, struct sandbox *s)
{
	const struct bundle *b = &s->bundle;
	uint64_t use[OSH_INFERENCE_LIMITS];
	struct err e = { 0 };
	struct book *k = book_of(s, &e);
	int r = k ? book_use(k, b, s->k.generation, now_ms(), use, &e) : -EIO;

	if (r < 0)
		return sd_bus_message_append(m, "s", e.text);
	for (uint32_t i = 0; r >= 0 && i < b->n_budgets; i++) {
		char used[32], limit[BUDGET_TEXT], text[sizeof(used) + sizeof(limit) + 8];

		budget_amount(used, sizeof(used), (enum osh_count)b->budgets[i].what, use[i]);
		budget_text(limit, sizeof(limit), b, &b->budgets[i]);
		snprintf(text, sizeof(text), "%s of %s", used, limit);
		r = sd_bus_message_append(m, "s", text);
	}
	return r;
}

void counts_stop(struct daemon *d)
{
	accounts_store(accounts(d), now_ms());
}
