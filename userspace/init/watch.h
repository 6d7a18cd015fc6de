/* SPDX-License-Identifier: Apache-2.0 */
/* What pid 1 does after the command was started: reap, report, relay signals, notice oshctl's end. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "spec.h"

struct watch {
	int manager;			/* while it is open the sandbox lives */
	int control;			/* to oshctl */
	int signals;			/* signalfd of SIGCHLD */
	int report;			/* the command's exec report, -1 once it is read */
	int tty;			/* the sandbox's terminal, -1 = none */
	bool behind;			/* the command is in the terminal's background */
	bool ended;			/* `status` is the command's */
	pid_t pid;			/* the command, leader of its group */
	int status;
	const struct spec *spec;
};

int watch_init(struct watch *w, struct err *e);	/* before the fork: no death is missed */
int watch_run(struct watch *w);			/* the exit status for osh-init */
