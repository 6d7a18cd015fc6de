/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is at the other end of a TCP connection that was accepted on loopback? The kernel knows the owner of
 * every socket of this machine; nothing that the peer sends counts.
 */
#pragma once

#include <sys/types.h>

#include "err.h"

/*
 * 0 and the uid of who made the peer's socket; -ENOENT where it has none any more: of a socket that nobody
 * holds the owner is forgotten, and its port may be another's next.
 */
int peer_uid(int fd, uid_t *ret, struct err *e);
