/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command as oshctl wrote it into a memfd (struct osh_msg_init_spec). The memfd must be sealed,
 * so that what was checked is what is run; the strings point into its mapping, which is never
 * unmapped. Read by osh-init, which trusts none of it.
 */
#pragma once

#include "err.h"
#include "osh/msg.h"

struct spec {
	char **argv, **envp;		/* NULL terminated */
	const char *cwd;		/* absolute */
};

/* How many descriptors the message must carry, the memfd included; -EINVAL for flags that clash. */
int spec_fds(const struct osh_msg_init_spec *m, struct err *e);

/* Fills *s from the memfd; 0 or -errno. */
int spec_map(int fd, const struct osh_msg_init_spec *m, struct spec *s, struct err *e);

/* The same from memory that outlives *s. */
int spec_read(char *p, size_t n, const struct osh_msg_init_spec *m, struct spec *s, struct err *e);
