/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Doctor: what `oshd --probe` finds, which osh-launch starts: what confines oshd as a service refuses what a sandbox is
 * made of. One at a time, and who asks again within a minute hears the same: a probing loads every program, and anybody
 * may ask.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "launcher.h"
#include "manager.h"
#include "methods.h"
#include "osh/probe.h"
#include "own.h"
#include "sandbox.h"

#define FRESH_S 60
#define LATE_US (180ull * 1000000)	/* it has shorter limits of its own */
#define WAITING 256

struct doctor {
	struct daemon *d;
	struct osh_probe_row rows[OSH_PROBE_ROWS];
	size_t bytes;
	time_t when;			/* CLOCK_MONOTONIC; 0 = never */
	sd_bus_message *waiting[WAITING];
	unsigned n_waiting;
	sd_event_source *input, *late;	/* NULL = none is under way */
};

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + 1;		/* never 0 */
}

static int append_rows(sd_bus_message *m, const struct doctor *x)
{
	int r = sd_bus_message_open_container(m, 'a', "(uus)");

	for (size_t i = 0; r >= 0 && i < x->bytes / sizeof(*x->rows); i++) {
		char note[sizeof(x->rows[i].note)];

		/* A kernel's words may hold any byte, and the bus takes UTF-8 alone. */
		snprintf(note, sizeof(note), "%.*s", (int)sizeof(note) - 1, x->rows[i].note);
		for (char *c = note; *c; c++)
			if (*c < ' ' || *c > '~')
				*c = '?';
		r = sd_bus_message_append(m, "(uus)", (uint32_t)x->rows[i].id, (uint32_t)x->rows[i].state, note);
	}
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int answer(const struct doctor *x, sd_bus_message *call)
{
	sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_return(call, &m);

	if (r >= 0)
		r = append_rows(m, x);
	if (r >= 0)
		r = sd_bus_send(NULL, m, NULL);
	sd_bus_message_unref(m);
	return r;
}

static void finish(struct doctor *x)
{
	x->input = sd_event_source_disable_unref(x->input);
	x->late = sd_event_source_disable_unref(x->late);
	x->when = now();
	for (unsigned i = 0; i < x->n_waiting; i++) {
		if (answer(x, x->waiting[i]) < 0)
			bus_answer_error(x->waiting[i], "the answer was lost");
		sd_bus_message_unref(x->waiting[i]);
	}
	x->n_waiting = 0;
}

static int on_rows(sd_event_source *src, int fd, uint32_t events, void *data)
{
	struct doctor *x = data;
	ssize_t n = read(fd, (char *)x->rows + x->bytes, sizeof(x->rows) - x->bytes);

	(void)src;
	(void)events;
	if (n > 0)
		x->bytes += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		finish(x);
	return 0;
}

static int on_late(sd_event_source *src, uint64_t usec, void *data)
{
	(void)src;
	(void)usec;
	finish(data);
	return 0;
}

static int watch(struct doctor *x, int *fd)
{
	int r = sd_event_add_io(x->d->event, &x->input, *fd, EPOLLIN, on_rows, x);

	if (r >= 0) {
		sd_event_source_set_io_fd_own(x->input, 1);
		(void)take_fd(fd);
		r = sd_event_add_time_relative(x->d->event, &x->late, CLOCK_MONOTONIC, LATE_US, 0, on_late, x);
	}
	return r;
}

static int start(struct doctor *x, struct err *e)
{
	_close_ int in = -1, out = -1;
	int both[2], r;

	if (pipe2(both, O_CLOEXEC) < 0)
		return fail(e, errno, "pipe: %s", strerror(errno));
	in = both[0];
	out = both[1];
	if (fcntl(in, F_SETFL, O_NONBLOCK) < 0)
		return fail(e, errno, "pipe: %s", strerror(errno));
	x->bytes = 0;
	r = launcher_probe(x->d, out, e);
	if (r < 0)
		return r;
	r = watch(x, &in);
	if (r >= 0)
		return 0;
	x->input = sd_event_source_disable_unref(x->input);
	return fail(e, -r, "watch the probing: %s", strerror(-r));
}

int on_doctor(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct doctor *x = who->d->doctor;

	if (!x) {
		x = who->d->doctor = calloc(1, sizeof(*x));
		if (!x)
			return fail(e, ENOMEM, "out of memory");
		x->d = who->d;
	}
	if (!x->input && x->when && now() - x->when < FRESH_S)
		return answer(x, m) < 0 ? fail(e, EIO, "the answer was lost") : 0;
	if (x->n_waiting == WAITING)
		return fail(e, EAGAIN, "too many wait for the same answer: ask again");
	if (!x->input) {
		int r = start(x, e);

		if (r < 0)
			return r;
	}
	x->waiting[x->n_waiting++] = sd_bus_message_ref(m);
	return 0;
}

void doctor_close(struct daemon *d)
{
	struct doctor *x = d->doctor;

	if (!x)
		return;
	sd_event_source_disable_unref(x->input);
	sd_event_source_disable_unref(x->late);
	for (unsigned i = 0; i < x->n_waiting; i++)
		sd_bus_message_unref(x->waiting[i]);
	free(x);
	d->doctor = NULL;
}
