/* SPDX-License-Identifier: Apache-2.0 */
/* Opened once, at the start: a process that takes the number of the one that was named changes nothing later. */
#include "machine.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "own.h"

static void forget(struct machine *m)
{
	int *all[] = { &m->proc, &m->mounts, &m->network, &m->own_mounts };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		own_close(all[i]);
}

static int open_mounts(struct machine *m, const char *dir, struct err *e)
{
	m->proc = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (m->proc < 0)
		return fail(e, errno, "--mounts '%s': %s", dir, strerror(errno));
	m->mounts = openat(m->proc, "ns/mnt", O_RDONLY | O_CLOEXEC);
	if (m->mounts < 0)
		return fail(e, errno, "--mounts '%s/ns/mnt': %s", dir, strerror(errno));
	m->own_mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	return m->own_mounts < 0 ? fail(e, errno, "own mount namespace: %s", strerror(errno)) : 0;
}

int machine_open(struct machine *m, const char *mounts, const char *network, struct err *e)
{
	int r = 0;

	*m = (struct machine)MACHINE_NONE;
	if (mounts)
		r = open_mounts(m, mounts, e);
	if (!r && network) {
		m->network = open(network, O_RDONLY | O_CLOEXEC);
		if (m->network < 0)
			r = fail(e, errno, "--network '%s': %s", network, strerror(errno));
	}
	if (r < 0)
		forget(m);
	return r;
}

int machine_enter_mounts(const struct machine *m, struct err *e)
{
	if (!m || m->mounts < 0 || !setns(m->mounts, CLONE_NEWNS))
		return 0;
	return fail(e, errno, "enter the machine's mount namespace: %s", strerror(errno));
}

int machine_enter_network(const struct machine *m, struct err *e)
{
	if (!m || m->network < 0 || !setns(m->network, CLONE_NEWNET))
		return 0;
	return fail(e, errno, "enter the machine's network namespace: %s", strerror(errno));
}

int machine_leave_mounts(const struct machine *m)
{
	return m && m->mounts >= 0 && setns(m->own_mounts, CLONE_NEWNS) < 0 ? -errno : 0;
}

int machine_table(const struct machine *m)
{
	int fd = m && m->proc >= 0 ? openat(m->proc, "mountinfo", O_RDONLY | O_CLOEXEC)
				   : open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}
