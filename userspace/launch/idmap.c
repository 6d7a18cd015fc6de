/* SPDX-License-Identifier: Apache-2.0 */
/*
 * osh-launch fills the cache for working directories before it forks; a child that needs another one
 * makes it for itself. A helper process lives in the new user namespace just long enough for its maps
 * to be written. Runs as root; the numbers come from fstat and from oshd.
 */
#include "idmap.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "own.h"

#define CACHED 64			/* oldest goes first */

static struct {
	struct idmap_key k;
	int fd;				/* 0 = empty slot */
} cache[CACHED];
static unsigned next_slot;
static struct idmap_key ahead;		/* run_uid 0 = nothing to guess from */

/* The pid as this process' /proc shows it: the helper may live in a nested pid namespace. */
static int pid_in_proc(int pidfd)
{
	char path[64], text[512], *at;
	_close_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return -ESRCH;
	text[n] = 0;
	at = strstr(text, "\nPid:");
	return at ? atoi(at + 5) : -ESRCH;
}

static int write_map(int proc, const char *name, uint32_t from, uint32_t to, struct err *e)
{
	_close_ int fd = openat(proc, name, O_WRONLY | O_CLOEXEC);
	char line[64];
	int n = snprintf(line, sizeof(line), "%u %u 1\n", from, to);

	if (fd < 0 || write(fd, line, (size_t)n) != n)
		return fail(e, errno, "write %s of an id map: %s", name, strerror(errno));
	return 0;
}

static int fill(int pidfd, const struct idmap_key *k, int *ret_fd, struct err *e)
{
	int pid = pid_in_proc(pidfd), r;
	_close_ int proc = -1;
	char path[32];

	if (pid <= 0)
		return fail(e, ESRCH, "id map: /proc does not show the helper process");
	snprintf(path, sizeof(path), "/proc/%d", pid);
	proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return fail(e, errno, "open %s: %s", path, strerror(errno));
	r = write_map(proc, "uid_map", k->owner, k->run_uid, e);
	if (!r)
		r = write_map(proc, "gid_map", k->group, k->run_gid, e);
	if (r < 0)
		return r;
	*ret_fd = openat(proc, "ns/user", O_RDONLY | O_CLOEXEC);
	if (*ret_fd < 0)
		return fail(e, errno, "open the id map's namespace: %s", strerror(errno));
	return 0;
}

static int make(const struct idmap_key *k, int *ret_fd, struct err *e)
{
	int pidfd = -1, r;
	struct clone_args a = { .flags = CLONE_NEWUSER | CLONE_PIDFD, .pidfd = (uintptr_t)&pidfd,
				.exit_signal = SIGCHLD };
	pid_t pid = (pid_t)syscall(SYS_clone3, &a, sizeof(a));

	if (pid < 0)
		return fail(e, errno, "make an id map: %s", strerror(errno));
	if (pid == 0)
		for (;;)
			pause();
	r = fill(pidfd, k, ret_fd, e);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(pidfd);
	return r;
}

static int find(const struct idmap_key *k)
{
	for (unsigned i = 0; i < CACHED; i++)
		if (cache[i].fd && !memcmp(&cache[i].k, k, sizeof(*k)))
			return cache[i].fd;
	return -1;
}

static int add(const struct idmap_key *k, struct err *e)
{
	int fd = -1, r = make(k, &fd, e);

	if (r < 0)
		return r;
	if (cache[next_slot].fd)
		close(cache[next_slot].fd);
	cache[next_slot].k = *k;
	cache[next_slot].fd = fd;
	next_slot = (next_slot + 1) % CACHED;
	return fd;
}

int idmap_get(const struct idmap_key *k, struct err *e)
{
	int fd = find(k);

	ahead = *k;
	ahead.run_uid++;
	ahead.run_gid++;
	return fd >= 0 ? fd : add(k, e);
}

bool idmap_wanted(void)
{
	return ahead.run_uid && find(&ahead) < 0;
}

void idmap_ahead(void)
{
	if (add(&ahead, NULL) < 0)
		ahead.run_uid = 0;
}
