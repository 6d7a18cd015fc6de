/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts the agent's command as a child of osh-init: a process group of its own, default signals,
 * no descriptor but its stdio. It tells over a close-on-exec pipe why it could not be executed.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "spec.h"

#define COMMAND_CANNOT 125		/* exit statuses as env(1) gives them */
#define COMMAND_NOT_RUN 126
#define COMMAND_NOT_FOUND 127

struct command {
	const struct spec *spec;
	int stdio[3];			/* owned by the caller */
	bool front;			/* make its group the foreground of the terminal on stdio */
	int tty;			/* -1 = none */
};

/* Forks; the pipe reads end-of-file once the command is executed. */
int command_start(const struct command *c, pid_t *ret_pid, int *ret_report, struct err *e);

/* Waits on the pipe: 0 = executed, else -errno and the reason in *e. */
int command_report(int report, const struct spec *s, struct err *e);
