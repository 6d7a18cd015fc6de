/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The credentials that a run is given: records are read here, by the caller; secrets are copied from
 * their files into the set by the kernel and never enter this process. See osh/creds.h.
 */
#pragma once

#include "env.h"
#include "osh/creds.h"

struct provider_set {
	int fd;				/* sealed memfd, -1 = none given */
	uint32_t n;
	struct osh_creds_entry entry[OSH_CREDS];
	char *env[OSH_CREDS * 16 + 1];	/* "NAME=placeholder", NULL terminated */
};

/* `given`: NULL terminated, each [NAME=]FILE. */
/*
 * sandbox: of a created one its name, by which the placeholders go, so that they are the same at its next
 * start: its command and its files hold them. NULL = random ones.
 */
int provider_set_open(struct provider_set *s, const char *const *given, const char *sandbox, struct err *e);
bool provider_set_has(const struct provider_set *s, const char *name);
void provider_set_done(struct provider_set *s);
