/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A living sandbox's namespaces follow a policy (OSH_MSG_ROUTES): a child walks into them, makes its routes,
 * opens the programs that it lists anew, reports and ends. Nothing of what runs there is touched.
 */
#pragma once

#include <sys/types.h>

#include "err.h"
#include "osh/msg.h"

/* The descriptors given back are the caller's. The child answers with PROGRAMS, as needed, then ROUTED. */
int follow_start(const struct osh_msg_routes *m, const int fds[OSH_RFD_MAX], pid_t *ret_pid, int *ret_pidfd,
		 int *ret_channel, struct err *e);
