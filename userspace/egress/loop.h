/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One epoll loop: watched descriptors and timers. All timers of a class wait equally long, so a
 * class is a list in order of expiry and arming one is O(1).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/queue.h>

#include "err.h"

#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

struct watch {
	int fd;
	void (*fn)(struct watch *w, uint32_t events);	/* NULL = gone; events of the batch are dropped */
};

enum timer_class {
	TIMER_NOW, TIMER_GRACE, TIMER_DIAL, TIMER_CONNECT, TIMER_HELLO, TIMER_HEAD, TIMER_POOL,
	TIMER_KEEP, TIMER_IDLE, TIMER_MAX
};

struct timer {
	TAILQ_ENTRY(timer) link;
	uint64_t due_ms;		/* 0 = not armed */
	enum timer_class class;
	void (*fn)(struct timer *t);
};

TAILQ_HEAD(timer_list, timer);

struct loop {
	int epfd;
	int stop;			/* 1 = return after this round */
	uint64_t now_ms;		/* CLOCK_BOOTTIME, once a round */
	int64_t asleep_ms;		/* that less CLOCK_MONOTONIC: grows while the machine sleeps */
	struct timer_list timers[TIMER_MAX];
	int (*before)(void *arg);	/* work between rounds; most milliseconds to sleep, -1 = any */
	void *arg;
};

int loop_init(struct loop *l, struct err *e);
int loop_watch(struct loop *l, struct watch *w, uint32_t events);	/* adds; 0 or -errno */
int loop_rewatch(struct loop *l, struct watch *w, uint32_t events);
void loop_unwatch(struct loop *l, struct watch *w);	/* does not close */
void loop_arm(struct loop *l, struct timer *t, enum timer_class class);
void loop_disarm(struct loop *l, struct timer *t);
int loop_run(struct loop *l, struct err *e);
