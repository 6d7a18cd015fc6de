/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose rights the child of osh-launch acts with: for a moment the caller's, to open what he lists;
 * at the end the sandbox's, for good.
 */
#pragma once

#include <sys/types.h>

#include "err.h"
#include "osh/msg.h"

/* File system rights of the caller: fsuid, fsgid, groups, and no effective capability. */
int cred_as_caller(const struct osh_msg_launch *m, struct err *e);
int cred_as_root(struct err *e);	/* undoes cred_as_caller() */

/*
 * Groups (those of granted devices, mostly none), gid, uid, securebits, every capability set, the bounding set, no_new_privs, core limit.
 * Does not come back.
 */
int cred_drop(uid_t uid, gid_t gid, const gid_t *groups, size_t n_groups, struct err *e);
