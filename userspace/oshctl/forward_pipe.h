/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes between two sockets that do not block, either way, with each way's end passed on by itself. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct way {
	char bytes[65536];
	size_t at, end;			/* what is between was read and waits to be written */
	bool eof, done;			/* nothing more to read; and that was passed on */
};

struct pipe_pair {
	int fd[2];
	struct way way[2];		/* way[i] leads from fd[i] to the other */
};

/* As far as it goes now. 1 = both ways are done, -errno = one side is gone. */
int pipe_move(struct pipe_pair *p);
uint32_t pipe_wants(const struct pipe_pair *p, int i);	/* EPOLL* events of fd[i] that would move something */
