/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that a sandbox's filter refuses and that are to be on record: their callers wait at a
 * listener until we have written them down and given the errno. What has been received and what has been
 * counted lies in memory that outlives us: the next osh-audit answers what we had taken, and goes on
 * counting.
 */
#pragma once

#include <stdint.h>

#define CALLS_NAME 32

struct audit;
struct asandbox;
struct tally;

struct calls {
	int fd;				/* listener; -1 = none */
	int epoll_fd;			/* that watches it */
	uint32_t uid;			/* the sandbox's */
	struct tally *tally;
};

/* Takes the listener; maps the tally. 0, or -errno where either is not what it should be. */
int calls_watch(int epoll_fd, struct asandbox *s, uint32_t uid, int listener, int tally_fd);

/* Answers what waits, of all sandboxes that `epoll_fd` watches: each a little, then the next. */
void calls_round(int epoll_fd, struct audit *a);
void calls_answer(struct audit *a, struct asandbox *s, int most);

uint64_t calls_overflow(const struct calls *c);	/* counted, but with no record of their own */
void calls_done(struct calls *c);
void calls_name(uint32_t nr, char ret[CALLS_NAME]);
