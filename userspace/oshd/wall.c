/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clock goes on while the machine sleeps, and what counts is when osh-init was started, as the kernel knows it: so
 * an oshd that adopts the sandbox needs to be told nothing. What lives then is asked to end, and later ended.
 */
#include "wall.h"

#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "hits.h"
#include "init.h"
#include "life.h"
#include "note.h"
#include "proc.h"

#define GRACE_MS 5000			/* from SIGTERM to SIGKILL */

static int on_silent(sd_event_source *src, uint64_t usec, void *data)
{
	struct sandbox *s = data;

	(void)src;
	(void)usec;
	wall_stop(s);
	sandbox_kill(s);
	return 0;
}

static int on_over(sd_event_source *src, uint64_t usec, void *data)
{
	struct sandbox *s = data;
	char why[80];
	struct err e;

	(void)src;
	wall_stop(s);
	snprintf(why, sizeof(why), "its time was over: resources.wall is %" PRIu64 " seconds", s->amount[OSH_RES_WALL]);
	if (s->life)
		life_say(s->life, why, sizeof(why));
	if (!s->d->config.embedded)		/* whose caller reads it in the summary */
		note(s->name, s->uid, "%s", why);
	hits_add(s, OSH_LIMIT_WALL);
	/* osh-init does it; where it has been stopped from outside, we do. */
	if (init_stop(s, GRACE_MS, &e) < 0 ||
	    sd_event_add_time(s->d->event, &s->wall, CLOCK_BOOTTIME, usec + 2000ull * GRACE_MS, 0, on_silent, s) < 0)
		sandbox_kill(s);
	return 0;
}

int wall_start(struct sandbox *s, struct err *e)
{
	uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK), end;
	unsigned long long born;
	int r;

	if (!s->amount[OSH_RES_WALL])
		return 0;
	r = proc_start(s->pid, &born);
	if (r < 0)
		return fail(e, -r, "osh-init's start: %s", strerror(-r));
	end = born * 1000000 / hz + s->amount[OSH_RES_WALL] * 1000000;
	r = sd_event_add_time(s->d->event, &s->wall, CLOCK_BOOTTIME, end, 0, on_over, s);
	return r < 0 ? fail(e, -r, "watch its time: %s", strerror(-r)) : 0;
}

void wall_stop(struct sandbox *s)
{
	s->wall = sd_event_source_disable_unref(s->wall);
}
