/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A child for what may hang: it holds the session's socket and nothing else, does one thing with the
 * sandbox's identity, inside its view and Landlock domain, and sends the descriptor that came of it.
 */
#pragma once

#include <sys/types.h>

#include "chan.h"
#include "err.h"

#define ERRAND_MS 30000			/* longest that one may take */

/* Runs in the child: 0 and a descriptor, or -errno. */
typedef int errand_fn(const struct chan_in *in, int *ret_fd, struct err *e);
errand_fn errand_dial, errand_file;

int errand_port(int port, int *ret_fd, struct err *e);	/* a connection to it; may take seconds */
int errand_start(errand_fn *fn, int sock, const struct chan_in *in, pid_t *ret_pid, struct err *e);
