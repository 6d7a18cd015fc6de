/* SPDX-License-Identifier: Apache-2.0 */
/* oshd's end of osh-launch: the process that forks sandboxes and egresses. */
#pragma once

#include "daemon.h"
#include "osh/msg.h"

/* Starts osh-launch, or finds the resident one that outlived a former oshd. */
int launcher_start(struct daemon *d, struct err *e);
void launcher_stop(struct daemon *d, bool all);	/* !all: it outlives us, with what it keeps */

/* Another build's takes the place of the resident one, and has all that it kept. At the start alone. */
void launcher_renew(struct daemon *d);

int launcher_launch(struct daemon *d, struct osh_msg_launch *m, const int fds[OSH_LFD_MAX],
		    struct err *e);
/* Before the launch of that id: a directory to be mounted in it; see osh/msg.h. */
int launcher_mount(struct daemon *d, struct osh_msg_mount *m, int dir_fd, struct err *e);
int launcher_go(struct daemon *d, uint32_t id, struct err *e);
int launcher_egress(struct daemon *d, struct osh_msg_egress *m, const int fds[OSH_EFD_MAX],
		    struct err *e);

/*
 * The routes of a living sandbox become those of its policy in force and of `next`; see osh/msg.h. Answered by
 * `done`, once, unless the sandbox goes before: code 0, or why not. One at a time for a sandbox: -EBUSY until then,
 * whether anybody still waits for it or not.
 */
typedef void launcher_routed(struct sandbox *s, int code, const char *why);
int launcher_routes(struct sandbox *s, int next_fd, uint32_t flags, launcher_routed *done, struct err *e);
void launcher_unheard(struct sandbox *s);	/* osh-launch is gone, and with it that answer */

int launcher_store(struct daemon *d, struct osh_msg_stored *m, const int fds[OSH_SFD_MAX],
		   struct err *e);
int launcher_programs(struct daemon *d, uint32_t id, const int *fds, uint32_t n, struct err *e);
int launcher_forget(struct daemon *d, uint32_t id, struct err *e);

/* Starts an `oshd --probe`, which writes to out_fd (osh/probe.h) and ends. */
int launcher_probe(struct daemon *d, int out_fd, struct err *e);
