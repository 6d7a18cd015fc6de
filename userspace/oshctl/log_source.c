/* SPDX-License-Identifier: Apache-2.0 */
#include "log_source.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "log_line.h"
#include "manager.h"
#include "manager_call.h"
#include "osh/msg.h"
#include "own.h"
#include "say.h"

#define PIECE (256u << 10)

static struct log_stream *stream_of(struct log_source *s, uint32_t uid, uint32_t kind)
{
	struct log_stream **p = &s->streams;

	while (*p && ((*p)->uid != uid || (*p)->kind != kind))
		p = &(*p)->next;
	if (!*p && (*p = calloc(1, sizeof(**p)))) {
		(*p)->uid = uid;
		(*p)->kind = kind;
	}
	return *p;
}

/* 1 = taken, 0 = known or no news. */
static int add_file(struct log_source *s, uint32_t uid, uint32_t kind, uint32_t number, int fd, struct err *e)
{
	struct log_stream *t = stream_of(s, uid, kind);
	uint32_t last = t && t->n_files ? t->files[t->n_files - 1].number : 0;
	int own;

	if (!t)
		return fail(e, ENOMEM, "out of memory");
	if (t->n_files && number <= last)
		return 0;
	if (t->n_files == ARRAY_SIZE(t->files))
		return 0;		/* when some have been read */
	s->left_behind |= last && number > last + 1;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (own < 0)
		return fail(e, errno, "descriptors: %s", strerror(errno));
	t->files[t->n_files++] = (struct log_file){ number, own };
	return 1;
}

static int read_answer(struct log_source *s, sd_bus_message *m, struct err *e)
{
	uint32_t uid, kind, number;
	int fd, x = sd_bus_message_enter_container(m, 'a', "(uuuh)"), r = 0;

	while (x >= 0 && r >= 0 && (x = sd_bus_message_read(m, "(uuuh)", &uid, &kind, &number, &fd)) > 0)
		if (!s->denied || kind != OSH_JOURNAL_ALLOWED)
			r = add_file(s, uid, kind, number, fd, e);
	if (x < 0)
		return fail(e, EBADMSG, "oshd sent an answer that makes no sense");
	return r < 0 ? r : 0;
}

static int ask(const struct log_source *s, sd_bus *bus, sd_bus_message **ret, struct err *e)
{
	sd_bus_error bad = SD_BUS_ERROR_NULL;
	sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_call(bus, &m, NULL, MANAGER_PATH, MANAGER_INTERFACE, MANAGER_LOGS);

	if (r >= 0)
		r = s->one_user ? sd_bus_message_append(m, "a{sv}", 1, MANAGER_OPT_USER, "u", s->uid)
				: sd_bus_message_append(m, "a{sv}", 0);
	if (r >= 0)
		r = sd_bus_call(bus, m, 0, &bad, ret);
	if (r < 0)
		r = fail(e, -r, "%s", bad.message ? bad.message : strerror(-r));
	sd_bus_error_free(&bad);
	sd_bus_message_unref(m);
	return r < 0 ? r : 0;
}

bool log_source_user(struct log_source *s, const char *text)
{
	const struct passwd *pw;
	char *end;

	s->one_user = true;
	s->uid = (uint32_t)strtoul(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end)
		return true;
	pw = getpwnam(text);
	s->uid = pw ? pw->pw_uid : 0;
	if (!pw)
		say_error("no user is called '%s'", text);
	return pw;
}

int log_source_fetch(struct log_source *s, struct err *e)
{
	sd_bus_message *answer = NULL;
	sd_bus *bus = NULL;
	int r = manager_open(&bus, s->socket, e);

	if (r == 0)
		r = ask(s, bus, &answer, e);
	if (r == 0)
		r = read_answer(s, answer, e);
	sd_bus_message_unref(answer);
	sd_bus_close_unref(bus);
	return r;
}

/* The next file has begun, and this one is read to its end. */
static bool next_file(struct log_stream *t)
{
	struct stat st;

	if (t->n_files < 2 || fstat(t->files[1].fd, &st) < 0 || !st.st_size)
		return false;
	own_close(&t->files[0].fd);
	memmove(t->files, t->files + 1, --t->n_files * sizeof(t->files[0]));
	t->line_no = 0;
	t->in.n = t->at = 0;		/* a part of a line at a file's end is none */
	return true;
}

/* More of the file into the buffer; false = there is no more now. */
static bool read_more(struct log_stream *t)
{
	ssize_t n;
	char *room;

	memmove(t->in.p ? t->in.p : "", t->in.p ? t->in.p + t->at : "", t->in.n - t->at);
	t->in.n -= t->at;
	t->at = 0;
	room = buf_space(&t->in, PIECE);
	if (!room)
		return false;
	t->in.n -= PIECE;
	n = read(t->files[0].fd, room, PIECE);
	if (n > 0)
		t->in.n += (size_t)n;
	return n > 0;
}

static bool fill(struct log_stream *t)
{
	while (!t->line.n && t->n_files) {
		const char *from = t->in.p + t->at, *nl = t->in.n > t->at ? memchr(from, '\n', t->in.n - t->at) : NULL;
		bool next;

		if (nl) {
			t->line = (struct slice){ from, (size_t)(nl - from) };
			t->line_file = t->files[0].number;
			t->line_ms = log_line_time(t->line);
			t->at += t->line.n + 1;
			t->line_no++;
			continue;
		}
		next = t->n_files > 1;	/* looked at before the read: what came before it is in this file */
		if (!read_more(t) && !(next && next_file(t)))
			break;
	}
	return t->line.n;
}

struct log_stream *log_source_next(struct log_source *s, struct slice *ret)
{
	struct log_stream *first = NULL;

	for (struct log_stream *t = s->streams; t; t = t->next)
		if (fill(t) && (!first || t->line_ms < first->line_ms))
			first = t;
	if (!first)
		return NULL;
	*ret = first->line;
	first->line.n = 0;
	return first;
}

bool log_source_is_old(const struct log_source *s)
{
	struct stat st;

	for (const struct log_stream *t = s->streams; t; t = t->next)
		if (t->n_files == 1 && (fstat(t->files[0].fd, &st) < 0 || !st.st_nlink || st.st_size >= (off_t)OSH_LOG_BYTES))
			return true;
	return !s->streams;
}

void log_source_skip_before(struct log_source *s, int64_t ms)
{
	struct stat st;

	for (struct log_stream *t = s->streams; t; t = t->next)
		while (t->n_files > 1 && !fstat(t->files[0].fd, &st) && (int64_t)st.st_mtim.tv_sec * 1000 + 1000 < ms && next_file(t))
			;
}

void log_source_done(struct log_source *s)
{
	while (s->streams) {
		struct log_stream *t = s->streams;

		s->streams = t->next;
		for (unsigned i = 0; i < t->n_files; i++)
			own_close(&t->files[i].fd);
		buf_done(&t->in);
		free(t);
	}
}
