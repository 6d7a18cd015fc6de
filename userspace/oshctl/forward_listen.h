/* SPDX-License-Identifier: Apache-2.0 */
/* Where a forwarded port listens: on this machine's loopback, or a unix socket of the caller's alone. */
#pragma once

#include "forward.h"

/* "[ADDR:]PORT:INSIDE", ADDR 127.0.0.1, localhost or [::1]; port 0 = any. The descriptor is the caller's. */
int forward_listen(const char *text, struct forward_port *ret, struct err *e);

/* "PATH:INSIDE", mode 0600, in a directory where nobody else can put another in its place. *ret_path: to unlink. */
int forward_listen_unix(const char *text, struct forward_port *ret, char **ret_path, struct err *e);
