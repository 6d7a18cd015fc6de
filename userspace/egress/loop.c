/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include <time.h>

#include "osh/limits.h"

#define BATCH 128

static const uint64_t wait_ms[TIMER_MAX] = {
	[TIMER_NOW] = 0,	/* next round: work that was cut for fairness */
	[TIMER_GRACE] = 100,	/* the other address family, once one has answered */
	[TIMER_DIAL] = 4000,	/* one upstream address */
	[TIMER_CONNECT] = OSH_EGRESS_CONNECT_MS,
	[TIMER_HELLO] = OSH_EGRESS_HELLO_MS,	/* first bytes, and the client's TLS handshake */
	[TIMER_HEAD] = OSH_EGRESS_HEAD_MS,	/* the rest of a request's head */
	[TIMER_POOL] = OSH_EGRESS_POOL_MS,	/* an upstream connection that nobody uses */
	[TIMER_KEEP] = OSH_EGRESS_KEEP_MS,	/* a client's connection between requests */
	[TIMER_IDLE] = OSH_EGRESS_IDLE_MS,
};

#define SLEPT_MS 1000			/* the machine slept, and not merely between our two readings */

static uint64_t clock_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* CLOCK_MONOTONIC, by which epoll waits, stands still while the machine sleeps. Signed: who had to wait between the two readings
 * finds less than nothing. */
static bool has_slept(struct loop *l)
{
	int64_t was = l->asleep_ms;

	l->asleep_ms = (int64_t)l->now_ms - (int64_t)clock_ms(CLOCK_MONOTONIC);
	return l->asleep_ms - was > SLEPT_MS;
}

int loop_init(struct loop *l, struct err *e)
{
	*l = (struct loop){ .epfd = epoll_create1(EPOLL_CLOEXEC), .now_ms = clock_ms(CLOCK_BOOTTIME) };
	(void)has_slept(l);
	for (int c = 0; c < TIMER_MAX; c++)
		TAILQ_INIT(&l->timers[c]);
	return l->epfd < 0 ? fail(e, errno, "epoll: %s", strerror(errno)) : 0;
}

static int control(struct loop *l, int op, struct watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	return epoll_ctl(l->epfd, op, w->fd, &ev) < 0 ? -errno : 0;
}

int loop_watch(struct loop *l, struct watch *w, uint32_t events)
{
	return control(l, EPOLL_CTL_ADD, w, events);
}

int loop_rewatch(struct loop *l, struct watch *w, uint32_t events)
{
	return control(l, EPOLL_CTL_MOD, w, events);
}

void loop_unwatch(struct loop *l, struct watch *w)
{
	if (w->fd >= 0)
		(void)control(l, EPOLL_CTL_DEL, w, 0);	/* not watched is as good */
	w->fn = NULL;
}

void loop_disarm(struct loop *l, struct timer *t)
{
	if (t->due_ms)
		TAILQ_REMOVE(&l->timers[t->class], t, link);
	t->due_ms = 0;
}

void loop_arm(struct loop *l, struct timer *t, enum timer_class class)
{
	loop_disarm(l, t);
	t->class = class;
	t->due_ms = l->now_ms + wait_ms[class];
	TAILQ_INSERT_TAIL(&l->timers[class], t, link);
}

/* Runs what is due when the round began; a timer that arms itself again waits for the next round. */
static void fire(struct loop *l)
{
	for (int c = 0; c < TIMER_MAX; c++) {
		struct timer *t, *last = TAILQ_LAST(&l->timers[c], timer_list);
		int more = last != NULL;

		while (more && (t = TAILQ_FIRST(&l->timers[c])) && t->due_ms <= l->now_ms) {
			more = t != last;
			loop_disarm(l, t);
			t->fn(t);
		}
	}
}

static int sleep_ms(struct loop *l, int most)
{
	for (int c = 0; c < TIMER_MAX; c++) {
		const struct timer *t = TAILQ_FIRST(&l->timers[c]);
		uint64_t left;

		if (!t)
			continue;
		left = t->due_ms > l->now_ms ? t->due_ms - l->now_ms : 0;
		if (most < 0 || left < (uint64_t)most)
			most = (int)left;
	}
	return most;
}

int loop_run(struct loop *l, struct err *e)
{
	struct epoll_event ev[BATCH];

	while (!l->stop) {
		int n = epoll_wait(l->epfd, ev, BATCH, sleep_ms(l, l->before ? l->before(l->arg) : -1));

		if (n < 0 && errno != EINTR)
			return fail(e, errno, "epoll_wait: %s", strerror(errno));
		l->now_ms = clock_ms(CLOCK_BOOTTIME);
		if (has_slept(l))	/* what is over is not used any more, however soon an event asks for it */
			fire(l);
		for (int i = 0; i < n; i++) {
			struct watch *w = ev[i].data.ptr;

			if (w->fn)
				w->fn(w, ev[i].events);
		}
		fire(l);
	}
	return 0;
}
