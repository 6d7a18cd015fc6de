/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which descriptors go on to oshd: those that it may hold, read, write and close without ever waiting for somebody.
 * Asking may take for ever; here that holds up nobody but who sent it.
 */
#pragma once

#include <stdbool.h>

#include "err.h"

struct mounts {
	int ours, first;		/* mountinfo of ourselves and of process 1, or -1: a service may have its own */
};

int prove(int fd, const struct mounts *m, struct err *e);

/* Has nothing been sent on this socket that has to be closed with it? Nothing more can be sent then. */
bool prove_clean(int socket);
