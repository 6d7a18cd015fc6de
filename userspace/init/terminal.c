/* SPDX-License-Identifier: Apache-2.0 */
#include "terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include "clock.h"
#include "own.h"

#define AT_ONCE 16384			/* bytes of output a turn */
#define LAG (OSH_REPLAY / 2)		/* the driver is waited for from here on, */
#define LAG_MS 1000			/* as long as it takes something that often */
#define LINE_MAX_BYTES 4096
#define LAST_READS 256			/* more than the kernel's buffer takes */
#define END_MS 5000			/* for a view to take the last output */

struct terminal *terminal_new(int master)
{
	struct terminal *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->master = master;
	(void)fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
	return t;
}

void terminal_free(struct terminal *t)
{
	for (int i = 0; i < OSH_SESSIONS; i++)
		if (t->views[i].terminal)
			view_end(&t->views[i]);
	own_close(&t->master);
	free(t);
}

/* Programs draw anew when the size changes; one that has not changed is said again to the foreground. */
static void resize(struct terminal *t, struct view *v)
{
	struct winsize now = { 0 };
	pid_t group = 0;

	t->driver = v;
	if (t->master < 0 || !v->size.ws_row || !v->size.ws_col)
		return;
	(void)ioctl(t->master, TIOCGWINSZ, &now);
	if (memcmp(&now, &v->size, sizeof(now)))
		(void)ioctl(t->master, TIOCSWINSZ, &v->size);
	else if (ioctl(t->master, TIOCGPGRP, &group) == 0 && group > 1)
		(void)kill(-group, SIGWINCH);
}

void view_size(struct view *v, const struct osh_msg_attach *m)
{
	v->size = (struct winsize){ m->rows, m->cols, m->xpixel, m->ypixel };
	if (!v->watch)
		resize(v->terminal, v);
}

/* The oldest that is kept; where something before it is lost, from the next line on. */
static uint64_t replay_from(const struct terminal *t)
{
	uint64_t oldest = t->total < OSH_REPLAY ? 0 : t->total - OSH_REPLAY;

	for (uint64_t at = oldest; oldest && at < oldest + LINE_MAX_BYTES; at++)
		if (t->kept[at % OSH_REPLAY] == '\n')
			return at + 1;
	return oldest;
}

struct view *terminal_find(struct terminal *t, uint32_t number)
{
	for (int i = 0; i < OSH_SESSIONS; i++)
		if (t->views[i].terminal && t->views[i].number == number)
			return &t->views[i];
	return NULL;
}

int terminal_view(struct terminal *t, const struct osh_msg_attach *m, uint32_t *ret_number, int *ret_far,
		  struct err *e)
{
	struct view *v = t->views;
	int pair[2];

	while (v < t->views + OSH_SESSIONS && v->terminal)
		v++;
	if (v == t->views + OSH_SESSIONS)
		return fail(e, EAGAIN, "the terminal has %d views already", OSH_SESSIONS);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(e, errno, "socketpair: %s", strerror(errno));
	*v = (struct view){ .terminal = t, .number = ++t->views_made, .stream = pair[0],
			    .watch = m->flags & OSH_ATTACH_WATCH, .at = t->total, .moved_ms = now_ms() };
	if (!(m->flags & OSH_ATTACH_NEW))
		v->at = replay_from(t);
	*ret_number = v->number;
	*ret_far = pair[1];
	return 0;
}

void view_end(struct view *v)
{
	struct terminal *t = v->terminal;

	(void)shutdown(v->stream, SHUT_RDWR);
	own_close(&v->stream);
	if (t->driver == v)
		t->driver = NULL;
	v->terminal = NULL;
}

/* Where its place is no longer kept. CAN ends an escape sequence that was cut in two. */
static void skip(struct view *v)
{
	uint64_t oldest = v->terminal->total - OSH_REPLAY;

	v->note_n = (size_t)snprintf(v->note, sizeof(v->note), "\030\r\n[osh: %llu bytes of output are not shown]\r\n",
				     (unsigned long long)(oldest - v->at));
	v->note_at = 0;
	v->at = oldest;
}

/* What is to be sent next, contiguous. */
static size_t next_piece(const struct view *v, const char **ret)
{
	const struct terminal *t = v->terminal;
	size_t from = v->at % OSH_REPLAY, n = (size_t)(t->total - v->at);

	if (v->note_at < v->note_n) {
		*ret = v->note + v->note_at;
		return v->note_n - v->note_at;
	}
	*ret = t->kept + from;
	return n < OSH_REPLAY - from ? n : OSH_REPLAY - from;
}

/* False when the viewer is gone. */
static bool show(struct view *v)
{
	const char *p;
	size_t n;

	if (v->terminal->total - v->at > OSH_REPLAY && v->note_at == v->note_n)
		skip(v);
	while ((n = next_piece(v, &p))) {
		ssize_t sent = send(v->stream, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0)
			return errno == EAGAIN || errno == EINTR;
		v->moved_ms = now_ms();
		if (v->note_at < v->note_n)
			v->note_at += (size_t)sent;
		else
			v->at += (uint64_t)sent;
	}
	return true;
}

static void keep(struct terminal *t, const char *p, size_t n)
{
	for (size_t done = 0; done < n;) {
		size_t at = t->total % OSH_REPLAY, room = OSH_REPLAY - at;
		size_t piece = n - done < room ? n - done : room;

		memcpy(t->kept + at, p + done, piece);
		t->total += piece;
		done += piece;
	}
}

/* One piece of output; false = there is none. */
static bool take_output(struct terminal *t)
{
	char buf[AT_ONCE];
	ssize_t n = read(t->master, buf, sizeof(buf));

	if (n <= 0)
		return false;
	keep(t, buf, (size_t)n);
	for (int i = 0; i < OSH_SESSIONS; i++)
		if (t->views[i].terminal && !show(&t->views[i]))
			view_end(&t->views[i]);
	return true;
}

static void type(struct terminal *t)
{
	for (int i = 0; i < OSH_SESSIONS; i++) {
		struct view *v = &t->views[i];
		ssize_t n;

		if (!v->terminal || v->typed_at == v->typed_n)
			continue;
		n = write(t->master, v->typed + v->typed_at, v->typed_n - v->typed_at);
		if (n > 0)
			v->typed_at += (size_t)n;
	}
}

static bool behind(const struct view *v)
{
	return v && v->terminal->total - v->at > LAG;
}

static bool waits(const struct terminal *t, uint64_t now)
{
	return behind(t->driver) && now < t->driver->moved_ms + LAG_MS;
}

short terminal_events(const struct terminal *t, uint64_t now)
{
	short events = waits(t, now) ? 0 : POLLIN;

	for (int i = 0; i < OSH_SESSIONS; i++)
		if (t->views[i].terminal && t->views[i].typed_at < t->views[i].typed_n)
			events |= POLLOUT;
	return events;
}

uint64_t terminal_deadline(const struct terminal *t, uint64_t now)
{
	if (waits(t, now) && t->master >= 0)
		return t->driver->moved_ms + LAG_MS;
	return t->ended ? t->until_ms : 0;
}

/* What is still on its way; whoever writes on after the command is not listened to. */
static void last_output(struct terminal *t)
{
	for (int i = 0; i < LAST_READS; i++) {
		if (waits(t, now_ms()))
			return;
		if (!take_output(t))
			break;
	}
	own_close(&t->master);
}

void terminal_ready(struct terminal *t, short revents)
{
	if (revents & POLLOUT)
		type(t);
	if (t->ended)
		last_output(t);
	else if (revents & (POLLIN | POLLHUP))
		(void)take_output(t);
}

short view_events(const struct view *v)
{
	bool more = v->at < v->terminal->total || v->note_at < v->note_n;

	return (short)((v->typed_at == v->typed_n ? POLLIN : 0) | (more ? POLLOUT : 0));
}

static bool listen_to(struct view *v)
{
	struct terminal *t = v->terminal;
	struct winsize now = { 0 };
	ssize_t n;

	if (v->typed_at < v->typed_n)	/* the rest of it is read when this is taken */
		return true;
	n = recv(v->stream, v->typed, sizeof(v->typed), MSG_DONTWAIT);
	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	v->typed_at = v->typed_n = 0;
	if (v->watch || t->master < 0)
		return true;
	v->typed_n = (size_t)n;
	if (t->driver != v) {
		(void)ioctl(t->master, TIOCGWINSZ, &now);
		if (memcmp(&now, &v->size, sizeof(now)))
			resize(t, v);
		t->driver = v;
	}
	type(t);
	return true;
}

void view_ready(struct view *v, short revents)
{
	if (((revents & POLLOUT) && !show(v)) || ((revents & (POLLIN | POLLHUP | POLLERR)) && !listen_to(v)))
		view_end(v);
}

void terminal_end(struct terminal *t)
{
	t->ended = true;
	t->until_ms = now_ms() + END_MS;
	last_output(t);
}

bool terminal_over(struct terminal *t, uint64_t now)
{
	bool left = false;

	if (!t->ended || (t->master >= 0 && now < t->until_ms))
		return false;
	for (int i = 0; i < OSH_SESSIONS; i++) {
		struct view *v = &t->views[i];

		if (!v->terminal)
			continue;
		if (now >= t->until_ms || (v->at == t->total && v->note_at == v->note_n))
			view_end(v);
		else
			left = true;
	}
	return !left;
}
