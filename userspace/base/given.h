/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator's upstream-hosts and upstream-ca, read before anything starts: a sandbox's egress reads them again, but at its
 * first connection, when nobody looks any more. By the caller of oshctl, or by a confined child of oshd.
 */
#pragma once

#include "err.h"

/* `path` is for the error, `FILE:LINE: why`; fd -1 = not given. Offsets stay where they are. */
int given_check_hosts(const char *path, int fd, struct err *e);
int given_check_ca(const char *path, int fd, struct err *e);		/* holds a certificate (PEM) */
