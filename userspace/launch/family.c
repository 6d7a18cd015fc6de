/* SPDX-License-Identifier: Apache-2.0 */
/* Killing goes through pidfds and cgroup descriptors: a number that was reused is never hit. */
#include "family.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "own.h"

#define SLICE "osh.slice"		/* the topmost cgroup that is osh's */
#define LEVELS 4			/* <id>, box or egress, instance, osh.slice */
#define TRIES 200			/* 5 ms apart: a killed process leaves its cgroup a bit later */

struct kin *kin_new(struct family *f, enum kin_kind kind, uint32_t id)
{
	struct kin *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->kind = kind;
	k->id = id;
	k->pidfd = k->channel = k->cgroup_fd = -1;
	k->on_exit = (struct source){ SOURCE_PIDFD, k };
	k->on_channel = (struct source){ SOURCE_CHANNEL, k };
	k->next = f->first;
	f->first = k;
	f->n++;
	f->n_starting++;
	return k;
}

struct kin *kin_find(const struct family *f, enum kin_kind kind, uint32_t id)
{
	for (struct kin *k = f->first; k; k = k->next)
		if (k->kind == kind && k->id == id)
			return k;
	return NULL;
}

void kin_running(struct family *f, struct kin *k)
{
	if (k->state == KIN_RUNNING)
		return;
	k->state = KIN_RUNNING;
	f->n_starting--;
}

void kin_kill(const struct kin *k)
{
	_close_ int kill_fd = k->cgroup_fd < 0 ? -1 : openat(k->cgroup_fd, "cgroup.kill",
							     O_WRONLY | O_CLOEXEC);

	if (kill_fd >= 0)
		(void)!write(kill_fd, "1", 1);	/* the pidfd below does for pid 1, which takes the rest */
	if (k->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, k->pidfd, SIGKILL, NULL, 0);
}

bool kin_gone(const struct kin *k, int ms)
{
	struct pollfd p = { .fd = k->pidfd, .events = POLLIN };

	return k->pidfd < 0 || poll(&p, 1, ms) > 0;
}

void kin_reap(const struct kin *k)
{
	siginfo_t si;

	if (k->pidfd < 0)
		return;
	while (waitid((idtype_t)P_PIDFD, (id_t)k->pidfd, &si, WEXITED) < 0 && errno == EINTR)
		;
}

void kin_free(struct family *f, struct kin *k)
{
	for (struct kin **at = &f->first; *at; at = &(*at)->next)
		if (*at == k) {
			*at = k->next;
			f->n--;
			if (k->state != KIN_RUNNING)
				f->n_starting--;
			break;
		}
	own_close(&k->pidfd);
	own_close(&k->channel);
	own_close(&k->cgroup_fd);
	free(k);
}

static int name_of(int dir, char *ret, size_t n)
{
	char link[40], path[1024], *slash;
	ssize_t k;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
	k = readlink(link, path, sizeof(path) - 1);
	if (k <= 0)
		return -errno;
	path[k] = 0;
	slash = strrchr(path, '/');
	if (!slash || !slash[1] || (size_t)snprintf(ret, n, "%s", slash + 1) >= n)
		return -ENAMETOOLONG;
	return 0;
}

static int remove_dir(int parent, const char *name)
{
	int r;

	for (int i = 0; i < TRIES; i++) {
		r = unlinkat(parent, name, AT_REMOVEDIR) < 0 ? -errno : 0;
		if (r != -EBUSY)
			return r;
		usleep(5000);
	}
	return r;
}

/* Depth first; what oshd made for the sandbox beside `box` included. */
static void remove_below(int dir, int depth)
{
	DIR *d = depth < LEVELS ? fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) : NULL;

	for (struct dirent *x; d && (x = readdir(d));) {
		_close_ int fd = -1;

		if (x->d_type != DT_DIR || x->d_name[0] == '.')
			continue;
		fd = openat(dir, x->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0)
			remove_below(fd, depth + 1);
		(void)remove_dir(dir, x->d_name);
	}
	if (d)
		closedir(d);
}

/* osh.slice/<instance>/box/<id>: the instance of an embedded run has no other user. */
static bool remove_instance(int cgroup_fd)
{
	_close_ int instance = openat(cgroup_fd, "../..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_close_ int slice = openat(cgroup_fd, "../../..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_close_ int top = openat(cgroup_fd, "../../../..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char name[128];

	if (instance < 0 || slice < 0 || top < 0 || name_of(slice, name, sizeof(name)) < 0 ||
	    strcmp(name, SLICE) || name_of(instance, name, sizeof(name)) < 0)
		return false;
	remove_below(instance, 1);
	(void)remove_dir(slice, name);
	(void)unlinkat(top, SLICE, AT_REMOVEDIR);	/* busy means that another run uses it */
	return true;
}

/* The sandbox's cgroup, then its parents as far as they are osh's and nobody else lives there. */
static void remove_cgroup(int cgroup_fd)
{
	_close_ int at = fcntl(cgroup_fd, F_DUPFD_CLOEXEC, 3);

	for (int level = 0; level < LEVELS && at >= 0; level++) {
		_close_ int up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		char name[128];

		if (up < 0 || name_of(at, name, sizeof(name)) < 0)
			return;
		/* Parents are tried once: busy means that another run uses them. */
		if (level ? unlinkat(up, name, AT_REMOVEDIR) < 0 : remove_dir(up, name) < 0)
			return;
		if (!strcmp(name, SLICE))
			return;
		close(at);
		at = take_fd(&up);
	}
}

void family_end(struct family *f)
{
	for (struct kin *k = f->first; k; k = k->next)
		kin_kill(k);
	while (f->first) {
		struct kin *k = f->first;

		kin_reap(k);
		if (k->cgroup_fd >= 0 && !remove_instance(k->cgroup_fd))
			remove_cgroup(k->cgroup_fd);
		kin_free(f, k);
	}
}
