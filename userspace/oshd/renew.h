/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which osh-launch is the one to talk to, while another build's takes over. PATH is the one that has everything;
 * PATH.new is being told, PATH.old has been replaced. Whoever is killed in between leaves a state of which
 * renew_connect() makes one osh-launch that has everything.
 */
#pragma once

#include <sys/types.h>

#include "err.h"

int renew_connect(const char *path);			/* the connected socket, or -errno: none lives */
int renew_ask(const char *launcher, const char *place, int *ret_fd, struct err *e);	/* a new one that listens at place */
pid_t renew_other(int libexec_fd, int fd);		/* the peer, where it is not the program that we would start; else 0 */
void renew_place(const char *path, char *ret, size_t n);	/* where the next one listens */
int renew_take_over(const char *path, struct err *e);	/* it has been told everything */
void renew_bury(const char *path);			/* ends the former one */
