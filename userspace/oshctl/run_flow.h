/* SPDX-License-Identifier: Apache-2.0 */
/* Copies bytes one way between two descriptors, one buffer at a time, from a poll loop. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

struct flow {
	int from, to;			/* not owned; from -1 = ended */
	bool deaf;			/* `to` is gone: keep reading, throw away */
	bool close_to;			/* at the end of input close `to`, the far side's end of file */
	size_t off, n;			/* bytes buf[off .. off+n) wait to be written */
	char buf[16384];
};

bool flow_live(const struct flow *f);	/* something may still come or is still to be written */
void flow_want(const struct flow *f, struct pollfd *p);
void flow_step(struct flow *f, short revents);
void flow_drain(struct flow *f);	/* what can be read now, written out; waits for `to` a while */
