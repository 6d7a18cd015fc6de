/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections of this user to ports on a sandbox's own loopback. Each is asked for by a session of osh-init
 * (OSH_MSG_INIT_DIAL) and relayed here, byte for byte, until both sides have ended.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "session.h"

struct forward_port {
	int fd;				/* listens, does not block */
	bool local;			/* a unix socket */
	uint16_t inside;
	char name[128];			/* where it listens, for messages */
};

/* Until *stop is not 0; signals come while it waits, by the mask `open`. -errno where nothing more can come of it. */
int forward_run(struct sessions *s, const char *socket, struct forward_port *ports, unsigned n,
		const volatile int *stop, const sigset_t *open, struct err *e);
