/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses that an operator trusts (hosts file, resolvers), as kernel table entries. */
#pragma once

#include "err.h"

struct daemon;
struct sandbox;

/*
 * Reads the two texts in a child that has neither privileges nor system calls beyond read and write,
 * and enters what it found into the egress cage of the sandbox.
 */
int upstream_trust(struct sandbox *s, int resolv_fd, int hosts_fd, struct err *e);

/* What oshd was started with, read by such a child: is a sandbox going to be able to use it? */
int upstream_check(const struct daemon *d, struct err *e);
