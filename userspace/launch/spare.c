/* SPDX-License-Identifier: Apache-2.0 */
/* osh-launch has one thread, so it can walk into a new namespace, take hold of it and walk back. */
#include "spare.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "netns.h"

static const char self[] = "/proc/self/ns/net";

static bool same(const uint32_t a[4], const uint32_t b[4])
{
	return !memcmp(a, b, 4 * sizeof(*a));
}

static void forget(struct spare *s)
{
	if (s->made[0])
		close(s->fd);
	s->made[0] = 0;
}

void spare_hint(struct spare *s, const uint32_t next_net6[4], int dns_prog_fd)
{
	int fd = next_net6[0] ? fcntl(dns_prog_fd, F_DUPFD_CLOEXEC, 3) : -1;

	if (fd < 0)
		return;
	if (s->dns_prog_fd)
		close(s->dns_prog_fd);
	s->dns_prog_fd = fd;
	memcpy(s->next, next_net6, sizeof(s->next));
}

int spare_take(struct spare *s, const uint32_t net6[4])
{
	if (!s->made[0] || !same(s->made, net6))
		return -1;
	s->made[0] = 0;
	return s->fd;
}

bool spare_wanted(const struct spare *s)
{
	return !s->off && s->dns_prog_fd && !same(s->made, s->next);
}

void spare_make(struct spare *s)
{
	struct netns_args a = { .dns_prog_fd = s->dns_prog_fd };
	struct err e = { 0 };
	int r;

	forget(s);
	memcpy(a.net6, s->next, sizeof(a.net6));
	if (!s->home)
		s->home = open(self, O_RDONLY | O_CLOEXEC);
	if (s->home < 0 || machine_enter_mounts(s->machine, &e) < 0) {
		s->off = true;
		return;
	}
	r = unshare(CLONE_NEWNET) < 0 ? -errno : netns_prepare(&a, &s->fd, &e);	/* what fails here fails in a child, and is said there */
	if (setns(s->home, CLONE_NEWNET) < 0 || machine_leave_mounts(s->machine) < 0)
		abort();		/* an egress started from here would have no network, and we what is not ours */
	if (r < 0)
		s->off = true;
	else
		memcpy(s->made, s->next, sizeof(s->made));
}
