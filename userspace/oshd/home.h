/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where homes and volumes lie: <state>/sandboxes/KEY/home and <state>/volumes/KEY, below directories that
 * are root's alone. Their owner on disk is who created the sandbox; where that was root, OSH_UID_SANDBOX,
 * which osh-launch maps to the sandbox's identity. A key is never used again, so neither is a directory.
 */
#pragma once

#include "daemon.h"

/* Made where it is missing. */
int home_open(struct daemon *d, uint64_t key, uid_t uid, gid_t gid, int *ret_fd, struct err *e);
int home_volume(struct daemon *d, uint64_t key, uid_t uid, gid_t gid, int *ret_fd, struct err *e);

/* After its row was deleted. done() (or NULL) follows from the loop; what then stays is tried at the next start. */
int home_remove(struct daemon *d, uint64_t key, void (*done)(void *data), void *data, struct err *e);
int home_volume_remove(struct daemon *d, uint64_t key, void (*done)(void *data), void *data, struct err *e);

/* At start: what a former oshd had deleted and not yet removed goes. A directory that no row knows stays. */
int home_sweep(struct daemon *d, struct err *e);
