/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What osh-launch holds for oshd: descriptors of living sandboxes, so that the next oshd can adopt
 * them, and of their registered programs, so that no inode number is reused while it means one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "osh/msg.h"

struct kept;
struct keep {
	struct kept *first;
};

/* The descriptors become ours, also on failure. 0 or -errno; a second time replaces. */
int keep_sandbox(struct keep *s, const struct osh_msg_stored *m, const int fds[OSH_SFD_MAX]);
int keep_programs(struct keep *s, uint32_t id, const int *fds, int n);	/* -E2BIG: OSH_PROGRAMS_OPEN */
bool keep_has(const struct keep *s, uint32_t id);	/* a living sandbox */
void keep_forget(struct keep *s, uint32_t id);

/* Everything of keep_sandbox() to a new oshd, then OSH_MSG_STORED_ALL. -errno of sending. */
int keep_tell(const struct keep *s, int peer);
