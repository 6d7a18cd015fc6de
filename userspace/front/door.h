/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes connections, asks the kernel whose they are, and gives each to a process of its own. Reads nothing that a
 * caller says, and never closes a connection in which something is that has to be closed with it.
 */
#pragma once

#include "prove.h"

struct door {
	int listener, oshd;
	struct mounts mounts;
};

void door_keep(const struct door *d);	/* until oshd has gone */
