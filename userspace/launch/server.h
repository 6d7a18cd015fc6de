/* SPDX-License-Identifier: Apache-2.0 */
/*
 * osh-launch's loop: oshd's requests, the children's reports, their ends. One peer at a time, and it
 * is root; whoever sends what the protocol does not know loses the connection.
 */
#pragma once

#include <stdbool.h>
#include <sys/resource.h>

#include "err.h"
#include "family.h"
#include "seccomp.h"
#include "keep.h"
#include "machine.h"
#include "mounts.h"
#include "spare.h"
#include "windows.h"

struct server {
	bool embedded;			/* ends everything when the peer goes */
	const char *listen_path;	/* resident: where the next oshd finds us; NULL = nowhere */
	int peer;			/* -1 = none at the moment */
	int listener, epoll;
	int init_fd;			/* osh-init, in a sealed memfd */
	struct rlimit nofile;		/* as inherited; children get it back */
	struct seccomp_set filters;
	struct machine machine;
	struct windows windows;
	struct spare spare;
	struct family family;
	struct keep keep;
	struct mounts mounts;		/* of sandboxes whose LAUNCH has not come yet */
	struct source on_peer, on_listen;
};

/* peer: connected SOCK_SEQPACKET, becomes the server's, as does *machine. */
int server_init(struct server *s, int peer, bool embedded, const char *listen_path, const struct machine *machine,
		struct err *e);
int server_run(struct server *s);	/* exit status */
