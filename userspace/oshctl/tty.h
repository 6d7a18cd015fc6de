/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The caller's terminal. At most one is raw at a time, and it is restored however oshctl ends: by
 * exit(), by a fatal signal, or before it stops itself.
 */
#pragma once

#include <stdbool.h>
#include <termios.h>

struct winsize;

/* A descriptor of our own for the terminal on fd, non-blocking where it can be reopened. -1 if none. */
int tty_reopen(int fd);

int tty_raw(int fd);			/* saves the modes first; 0 or -errno */
void tty_restore(void);			/* harmless when nothing is raw; async-signal-safe */
bool tty_front(int fd);			/* we may set modes and read; true where there is no job control */
void tty_copy_size(int from, int to);
