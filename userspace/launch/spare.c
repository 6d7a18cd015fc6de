/* SPDX-License-Identifier: Apache-2.0 */
/* osh-launch has one thread, so it can walk into a new namespace, take hold of it and walk back. */
#include "spare.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "netns.h"

static const char self[] = "/proc/self/ns/net";

int spares_take(struct spares *s)
{
	return s->n ? s->fds[--s->n] : -1;
}

bool spares_wanted(const struct spares *s)
{
	return !s->off && s->n < SPARES;
}

void spares_add(struct spares *s)
{
	struct err e = { 0 };
	int fd = -1;

	if (!s->home)
		s->home = open(self, O_RDONLY | O_CLOEXEC);
	if (s->home < 0 || unshare(CLONE_NEWNET) < 0) {
		s->off = true;
		return;
	}
	(void)netns_prepare(0, &fd, &e);	/* what fails here fails in a child, and is said there */
	if (setns(s->home, CLONE_NEWNET) < 0)
		abort();		/* an egress started from here would have no network */
	if (fd < 0)
		s->off = true;
	else
		s->fds[s->n++] = fd;
}
