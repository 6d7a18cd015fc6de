/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fdatasync() in a thread: a slow disk must hold up neither the rings nor another's log. The thread is made before the
 * cage and is under the same filter; it gets duplicates of descriptors and shares nothing else.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "err.h"

struct syncer {
	int to;				/* pipe of descriptors to bring to disk and to close */
	int from;
	atomic_int waiting;
};

int syncer_start(struct syncer *s, struct err *e);
bool syncer_take(struct syncer *s, int fd);	/* false: it has enough to do, ask later */
