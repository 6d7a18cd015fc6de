/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories of the host that oshd opened for a sandbox: its home that lasts, and volumes. They come
 * before the LAUNCH of their id (OSH_MSG_MOUNT), wait here, and become entries of the view. Where they
 * appear is the caller's word, checked as text before anything is built.
 */
#pragma once

#include <stddef.h>

#include "err.h"
#include "osh/msg.h"

struct paths;

struct mounts {
	struct mount_given {
		uint32_t id, flags;
		int fd;
		char path[sizeof(((struct osh_msg_mount *)0)->path)];
	} *at;
	size_t n;
};

/* The descriptor becomes ours, also on failure. -E2BIG: no oshd sends that many. */
int mounts_add(struct mounts *all, const struct osh_msg_mount *m, int fd);
int mounts_take(struct mounts *all, uint32_t id, struct mounts *ret);	/* -ENOMEM: they are dropped */
void mounts_done(struct mounts *m);

/* Pure text: how many, normal form, and nothing of the sandbox's own or of an engine covered. */
int mounts_check(const struct mounts *m, struct err *e);

/* In the child: they join what the policy lists, and may neither cover nor lie in any of it. */
int mounts_join(const struct mounts *m, struct paths *p, struct err *e);
