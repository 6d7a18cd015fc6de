/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A descriptor that a caller gave: a file, or a pipe or terminal that its owner may stop reading.
 * This process serves every sandbox, so such a one is written to only while it takes bytes, is given
 * BLOCK_MS to prove it wrong, and is given up after that.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct out {
	int fd;				/* -1 = none */
	bool file;			/* a regular file: writes end by themselves */
	bool torn;			/* the last line was cut: begin the next on a line of its own */
	bool given_up;
};

void out_setup(void);			/* once, before the system call filter */
void out_init(struct out *o, int fd);	/* takes the descriptor */
void out_done(struct out *o);
int out_write(struct out *o, const char *p, size_t n);	/* all of it: 0, or -errno */
