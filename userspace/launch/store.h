/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What osh-launch holds for oshd: descriptors of living sandboxes, so that the next oshd can adopt
 * them, and of their registered programs, so that no inode number is reused while it means one.
 */
#pragma once

#include <stdint.h>

#include "osh/msg.h"

struct stored;
struct store {
	struct stored *first;
};

/* The descriptors become the store's, also on failure. 0 or -errno; a second time replaces. */
int store_sandbox(struct store *s, const struct osh_msg_stored *m, const int fds[OSH_SFD_MAX]);
int store_programs(struct store *s, uint32_t id, const int *fds, int n);
void store_forget(struct store *s, uint32_t id);

/* Everything of store_sandbox() to a new oshd, then OSH_MSG_STORED_ALL. -errno of sending. */
int store_tell(const struct store *s, int peer);
