/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asks: by what the kernel recorded at connect(), or the bus daemon's word for it. Nothing in a
 * message says who sent it.
 */
#pragma once

#include "daemon.h"

#define CALLER_ADMINS                                                                              \
	"osh-admin" /* group in /etc/group whose members see and steer every sandbox */

struct caller {
	struct daemon *d;
	uid_t uid;
	gid_t gid;
	gid_t groups[OSH_GROUPS_CALLER];
	uint32_t n_groups;
	bool admin; /* caller_is_admin(), looked up once a call */
};

/* A connected peer; one of another pid namespace or inside a sandbox is refused. */
int caller_of_socket(struct caller *c, int fd, struct err *e);

/* The number is the caller's as long as the caller lives, which its pidfd says after all was read by number. */
int caller_check(pid_t pid, int pidfd, struct err *e);

/* A process that may call at all: not inside a sandbox, not of another pid namespace. */
int caller_process(pid_t pid, struct err *e);

/* Root, or a member of osh-admin as /etc/group has it now; without that group root alone. */
bool caller_is_admin(const struct caller *c);

/* May this caller see and steer what `owner` has? Where not, it is not even said to exist. */
bool caller_may(const struct caller *c, uid_t owner);
