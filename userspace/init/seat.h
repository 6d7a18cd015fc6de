/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leader of a terminal's session: one process between osh-init and a command that has a terminal.
 * A process has one controlling terminal, and a group whose parent is in another session cannot be
 * stopped by keys; so each terminal needs a parent of its own. It answers over a socket pair, blocks
 * every signal and ends when osh-init closes its end.
 */
#pragma once

#include "command.h"

enum seat_what {
	SEAT_PID,			/* from the seat: the command's pid */
	SEAT_STOPPED,			/* the signal that stopped it */
	SEAT_ENDED,			/* its wait status; it stays a zombie, so that its group keeps its number */
	SEAT_FRONT,			/* to the seat: bring the command's group to the foreground, continue it */
};

struct seat_word {
	enum seat_what what;
	int value;
};

/* The seat's pid and our end of its socket. `report` as of command_fork(). */
int seat_start(const struct command *c, int report, pid_t *ret_pid, int *ret_sock, struct err *e);
int seat_hear(int sock, struct seat_word *ret);	/* 1 = a word, 0 = nothing yet, negative = it is gone */
void seat_front(int sock);
