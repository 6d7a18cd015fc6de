/* SPDX-License-Identifier: Apache-2.0 */
/* A terminal of the sandbox's own devpts; nothing in the sandbox ever holds the caller's. */
#pragma once

#include "err.h"
#include "osh/msg.h"

/* A session without a controlling terminal, whatever was inherited. */
int pty_session(struct err *e);

/* Both ends, close-on-exec. */
int pty_open(const struct osh_msg_init_spec *m, int *ret_master, int *ret_slave, struct err *e);
