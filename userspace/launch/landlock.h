/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock for a sandbox: everything is denied but the given trees. Applied by osh-launch's child
 * after the last mount and before it executes osh-init; it holds for all that follows.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum landlock_kind {			/* what may be done below a path */
	LANDLOCK_LIST,			/* list directories, nothing else */
	LANDLOCK_READ,			/* and read files */
	LANDLOCK_RUN,			/* and execute them */
	LANDLOCK_WRITE,			/* read and write, no execution */
	LANDLOCK_ALL,			/* read, write, execute */
	LANDLOCK_SHARED,		/* read and write, no execution, no new sockets */
	LANDLOCK_SHARED_RUN,		/* and execute */
	LANDLOCK_DEVICE,		/* read, write, ioctl on device nodes */
	LANDLOCK_SOCKET,		/* connect to this socket, made outside */
	LANDLOCK_EXEC,			/* execute, nothing else */
	LANDLOCK_KINDS
};

struct landlock_rule {
	int fd;				/* O_PATH of a file or directory, borrowed */
	enum landlock_kind kind;
};

int landlock_abi(void);			/* 0 where the kernel has none */
uint64_t landlock_rights(enum landlock_kind kind, bool dir, int abi);

/* Needs no_new_privs. Denials are EACCES from here on. */
int landlock_apply(const struct landlock_rule *rules, size_t n, int abi, struct err *e);
