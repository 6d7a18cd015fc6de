/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fork that becomes an agent's command: a process group of its own, default signals, no descriptor
 * but its stdio. It tells over a close-on-exec pipe why it could not be executed.
 */
#pragma once

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "spec.h"

extern rlim_t command_files;		/* open files that a command may have; 0 = as many as osh-init */

#define COMMAND_CANNOT 125		/* exit statuses as env(1) gives them */
#define COMMAND_NOT_RUN 126
#define COMMAND_NOT_FOUND 127

struct command {
	const struct spec *spec;
	int stdio[3];			/* owned by the caller */
	bool front;			/* make its group the foreground of the terminal on stdio */
	int tty;			/* -1 = none; else the caller is the leader of its session */
	mode_t umask;
};

/* The pid, or -1 with errno. `report` is the pipe's end to write; it reads end-of-file once executed. */
pid_t command_fork(const struct command *c, int report);

/* What stands in the pipe: 0 = executed (or it says nothing), else -errno and the reason in *e. */
int command_report(int report, const char *program, const char *cwd, struct err *e);

_Noreturn void command_quit(int report);	/* from a process that could not even fork it; by errno */
