/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command as oshctl wrote it into a memfd (struct osh_msg_init_spec). The memfd must be sealed,
 * so that what was checked is what is run; the strings point into its mapping. Read by osh-init,
 * which trusts none of it.
 */
#pragma once

#include <stdbool.h>

#include "err.h"
#include "osh/msg.h"

struct spec {
	char **argv, **envp;		/* NULL terminated */
	const char *cwd;		/* absolute; "" only with OSH_SPEC_INHERIT, until it is inherited */
	uint32_t envc;
	void *map;			/* what the strings lie in, or NULL: somebody else's */
	size_t map_len;
};

/* Environment and directory that later commands may ask for; zero = there is none yet. */
struct spec_base {
	char **envp;
	const char *cwd;
	uint32_t envc;
	void *map;
	size_t map_len;
};

/* How many descriptors the message must carry, the memfd included; -EINVAL for flags that clash. */
int spec_fds(const struct osh_msg_init_spec *m, struct err *e);

/* Fills *s from the memfd; 0 or -errno. */
int spec_map(int fd, const struct osh_msg_init_spec *m, struct spec *s, struct err *e);

/* The same from memory that outlives *s. */
int spec_read(char *p, size_t n, const struct osh_msg_init_spec *m, struct spec *s, struct err *e);

/* Puts *s on top of the base. */
int spec_inherit(struct spec *s, const struct spec_base *b, struct err *e);

/* What the sandbox was given with a device: in every command's environment, whatever the client says. */
int spec_given(struct spec *s, char *const *given, struct err *e);

/* *s becomes the base, in place of another; its strings stay as long as that. */
int spec_keep(struct spec *s, struct spec_base *b, struct err *e);
void spec_done(struct spec *s);
