/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox's terminal: a pty of its own devpts, controlling terminal of osh-init's session. The
 * master goes to oshctl; nothing in the sandbox ever holds the caller's terminal.
 */
#pragma once

#include "err.h"
#include "osh/msg.h"

/* A session without a controlling terminal, whatever was inherited. */
int pty_session(struct err *e);

/* Both ends, close-on-exec; the slave is made the session's controlling terminal. */
int pty_open(const struct osh_msg_init_spec *m, int *ret_master, int *ret_slave, struct err *e);
