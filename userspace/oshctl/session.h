/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions of a sandbox's osh-init (osh/msg.h): oshd passes our socket on, and what is said on it is
 * between us and osh-init.
 */
#pragma once

#include <stdint.h>

#include "err.h"
#include "osh/msg.h"

typedef struct sd_bus sd_bus;

struct sessions {
	sd_bus *bus;			/* to a resident oshd; several sessions may be opened over it */
	const char *name;		/* the sandbox's */
};

/* socket: NULL = OSH_SOCKET, then the system's. */
int sessions_init(struct sessions *c, const char *socket, const char *name, struct err *e);
void sessions_done(struct sessions *c);	/* open sessions go on */

/* flags: 0 or OSH_OPEN_TERMINAL. The socket is the caller's; nothing has been said on it. */
int session_open(struct sessions *c, uint32_t flags, int *ret_fd, struct err *e);

/* Asks for something (DIAL, FILE) and waits for the descriptor that comes of it. Ends the session. */
int session_ask(int fd, unsigned type, void *msg, size_t size, int *ret_fd, struct err *e);
