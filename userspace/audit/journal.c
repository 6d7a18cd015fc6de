/* SPDX-License-Identifier: Apache-2.0 */
#include "journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "chain.h"
#include "note.h"
#include "ocsf.h"
#include "own.h"

#define RETRY_MS 1000
#define SOON_MS 100
#define MOST (2ull * OSH_LOG_BYTES)	/* of a file whose successor does not come */

struct journal *journal_find(struct journal *list, uint32_t uid, uint32_t kind)
{
	while (list && (list->uid != uid || list->kind != kind))
		list = list->next;
	return list;
}

const char *journal_kind(uint32_t kind)
{
	return kind == OSH_JOURNAL_ALLOWED ? "allowed" : "denied";
}

bool journal_open(const struct journal *j)
{
	return j->fd >= 0 && !j->retry_ms;
}

static void stop(struct journal *j, int why, uint64_t now_ms)
{
	if (!j->retry_ms)
		note(NULL, j->uid, "the log of uid %u (%s) cannot be written: %s", j->uid, journal_kind(j->kind), strerror(why));
	j->retry_ms = now_ms + RETRY_MS;
}

/* What does not go in stays in `rest`, so that the file never holds a part of a line for good. */
static int put(struct journal *j, const char *p, size_t n, uint64_t now_ms)
{
	size_t at = 0;

	while (at < n) {
		ssize_t w = write(j->fd, p + at, n - at);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0) {
			int why = w ? errno : EIO;

			stop(j, why, now_ms);
			if (at)
				buf_put(&j->rest, p + at, n - at);
			return at ? 0 : -why;
		}
		at += (size_t)w;
		j->size += (uint64_t)w;
	}
	return 0;
}

/* The chain moves on only with a line that goes in. */
static bool add(struct journal *j, const char *p, size_t n, uint64_t now_ms)
{
	static struct buf out;
	uint8_t chain[HASH_LEN];
	char tail[CHAIN_TAIL];

	if (n < 2 || n + CHAIN_TAIL > OSH_LOG_LINE || !journal_open(j) || j->size >= MOST)
		return false;
	memcpy(chain, j->chain, sizeof(chain));
	if (chain_next(chain, p, n - 2, tail) < 0)
		return false;
	out.n = 0;
	out.bad = false;
	buf_put(&out, p, n - 2);
	buf_put(&out, tail, sizeof(tail));
	if (!buf_ok(&out) || put(j, out.p, out.n, now_ms) < 0)
		return false;
	memcpy(j->before, j->chain, sizeof(chain));
	memcpy(j->chain, chain, sizeof(chain));
	if (!j->sync_ms)
		j->sync_ms = now_ms + OSH_LOG_SYNC_MS;
	return true;
}

bool journal_line(struct journal *j, const char *p, size_t n, uint64_t now_ms)
{
	return add(j, p, n, now_ms);
}

/* A line about the log itself. */
static bool say(struct journal *j, const char *title, uint64_t now_ms)
{
	struct timespec boot, real;
	struct ocsf_context c = { .sandbox = "log", .seq = j->seq++, .rule = "" };
	struct buf out = { 0 };
	uint64_t ns;
	bool ok;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_REALTIME, &real);
	ns = (uint64_t)boot.tv_sec * 1000000000u + (uint64_t)boot.tv_nsec;
	c.epoch_ns = ((int64_t)real.tv_sec * 1000000000 + real.tv_nsec) - (int64_t)ns;
	if (title)
		ocsf_finding(&out, title, j->lost, ns, 0, &c);
	else
		ocsf_log(&out, j->uid, j->kind, j->file, j->chain, ns, &c);
	ok = buf_ok(&out) && add(j, out.p, out.n, now_ms);
	buf_done(&out);
	return ok;
}

/* True: nothing of a line is still to come. */
static bool finish(struct journal *j, uint64_t now_ms)
{
	struct buf rest = j->rest;

	j->rest = (struct buf){ 0 };
	if (rest.n && put(j, rest.p, rest.n, now_ms) < 0)
		j->rest = rest;
	else
		buf_done(&rest);
	return !j->rest.n;
}

static void settle(struct journal *j, struct syncer *s)
{
	if (j->sync_ms && !(s && syncer_take(s, j->fd)) && fdatasync(j->fd) < 0)
		note(NULL, j->uid, "the log of uid %u: %s", j->uid, strerror(errno));
	j->sync_ms = 0;
}

/* The old file is left. A line that it holds a part of is none, and the chain goes on from the one before. */
static void leave(struct journal *j, struct syncer *s, uint64_t now_ms)
{
	if (!finish(j, now_ms)) {
		memcpy(j->chain, j->before, sizeof(j->chain));
		j->lost++;
		buf_done(&j->rest);
	}
	settle(j, s);
	own_close(&j->fd);
}

static struct journal *make(struct journal **list, uint32_t uid, uint32_t kind)
{
	struct journal *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->uid = uid;
	j->kind = kind;
	j->fd = -1;
	j->next = *list;
	*list = j;
	return j;
}

int journal_set(struct journal **list, struct syncer *s, const struct osh_msg_audit_journal *m, int fd,
		uint64_t now_ms)
{
	struct journal *j = journal_find(*list, m->uid, m->kind);
	bool ours = j && j->file;	/* then the chain is what we made it, whatever is said */

	if (!j)
		j = make(list, m->uid, m->kind);
	if (!j) {
		own_close(&fd);
		return -ENOMEM;
	}
	if (fd < 0) {			/* a file that we have is better than none */
		if (j->fd < 0)
			j->retry_ms = j->ask_ms = now_ms + RETRY_MS;
		return 0;
	}
	if (j->fd >= 0)
		leave(j, s, now_ms);
	j->fd = fd;
	j->file = m->file;
	j->size = m->size;
	j->retry_ms = j->ask_ms = 0;
	if (!ours)
		memcpy(j->chain, m->chain, sizeof(j->chain));
	if (!j->size)
		(void)say(j, NULL, now_ms);
	return 0;
}

bool journal_retry(struct journal *j, uint64_t now_ms)
{
	if (j->fd < 0 || j->size >= MOST || (j->retry_ms && now_ms < j->retry_ms))
		return false;
	if (j->rest.n && !finish(j, now_ms))
		return false;
	j->retry_ms = 0;
	if (!j->size && !say(j, NULL, now_ms))
		return false;
	if (j->lost && !say(j, "log lines could not be written", now_ms))
		return false;
	if (j->lost)
		note(NULL, j->uid, "the log of uid %u (%s) is written again; %llu lines are missing", j->uid, journal_kind(j->kind),
		     (unsigned long long)j->lost);
	j->lost = 0;
	return j->behind && journal_open(j);
}

void journal_tick(struct journal *j, struct syncer *s, uint64_t now_ms, journal_ask *ask, void *data)
{
	if ((j->fd < 0 || j->size >= OSH_LOG_BYTES) && now_ms >= j->ask_ms) {
		j->ask_ms = now_ms + RETRY_MS;
		ask(data, j);
	}
	if (j->sync_ms && now_ms >= j->sync_ms && j->fd >= 0 && syncer_take(s, j->fd))
		j->sync_ms = 0;
}

void journal_hurry(struct journal *j, uint64_t now_ms)
{
	if (j->sync_ms > now_ms + SOON_MS)
		j->sync_ms = now_ms + SOON_MS;
}

void journal_free(struct journal **list, struct journal *j, struct syncer *s)
{
	while (*list && *list != j)
		list = &(*list)->next;
	if (*list)
		*list = j->next;
	if (j->fd >= 0)
		settle(j, s);
	own_close(&j->fd);
	buf_done(&j->rest);
	free(j);
}
