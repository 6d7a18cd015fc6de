/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User namespaces that only serve as the map of an id-mapped mount: files of `owner` appear as, and
 * are made by, the sandbox's own identity. Cached: making one costs a process.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "err.h"

struct idmap_key {
	uid_t owner, run_uid;
	gid_t group, run_gid;
};

/* A descriptor that stays the cache's; -errno with the reason. */
int idmap_get(const struct idmap_key *k, struct err *e);

/*
 * When there is time: the map that the next sandbox of the same owner will ask for. oshd gives its
 * users in turn, so that is the last key with the next number. idmap_wanted: is there one to make?
 */
bool idmap_wanted(void);
void idmap_ahead(void);
