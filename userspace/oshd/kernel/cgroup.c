/* SPDX-License-Identifier: Apache-2.0 */
/* Reads only kernel-made text (/proc), never a caller's. Run by oshd as root. */
#include "cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "own.h"
#include "proc.h"

#define SLICE_DIR "osh.slice"
#define SWEEP_TRIES 100			/* 10 ms apart: a killed process needs a moment to leave */

/* A v2 line of mountinfo: "... <root> <mount point> <options> - cgroup2 ...". */
static int find_v2(char *ret_path, size_t n, struct err *e)
{
	_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	_free_ char *line = NULL;
	size_t cap = 0;

	if (!f)
		return fail(e, errno, "read /proc/self/mountinfo: %s", strerror(errno));
	while (getline(&line, &cap, f) > 0) {
		char root[256], at[256];

		if (!strstr(line, " - cgroup2 "))
			continue;
		if (sscanf(line, "%*s %*s %*s %255s %255s", root, at) == 2 && !strcmp(root, "/") &&
		    strlen(at) < n) {
			strcpy(ret_path, at);
			return 0;
		}
	}
	return fail(e, ENOENT, "no cgroup v2 hierarchy is mounted; mount one: "
		    "mount -t cgroup2 none /sys/fs/cgroup");
}

static int open_dir(int at, const char *name, bool make, int *ret, struct err *e)
{
	int fd;

	if (make && mkdirat(at, name, 0755) < 0 && errno != EEXIST)
		return fail(e, errno, "make cgroup '%s': %s", name, strerror(errno));
	fd = openat(at, name, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return fail(e, errno, "open cgroup '%s': %s", name, strerror(errno));
	*ret = fd;
	return 0;
}

/* Depth first; a directory goes only when its processes have gone. */
static void remove_tree(int at, const char *name, int depth)
{
	_close_ int fd = openat(at, name, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d;

	if (fd < 0 || depth > 4)
		return;
	cgroup_kill(fd);
	d = fdopendir(dup(fd));
	for (struct dirent *x; d && (x = readdir(d));)
		if (x->d_type == DT_DIR && x->d_name[0] != '.')
			remove_tree(fd, x->d_name, depth + 1);
	if (d)
		closedir(d);
	for (int i = 0; i < SWEEP_TRIES && unlinkat(at, name, AT_REMOVEDIR) < 0 && errno == EBUSY; i++)
		usleep(10000);
}

/* Its last user may remove osh.slice between any two steps here; osh-launch does so without asking. */
static int open_instance(int root, struct cgroup_base *c, struct err *e)
{
	int r = -ENOENT;

	for (int i = 0; r == -ENOENT && i < SWEEP_TRIES; i++) {
		own_close(&c->slice_fd);
		r = open_dir(root, SLICE_DIR, true, &c->slice_fd, e);
		if (!r)
			r = open_dir(c->slice_fd, c->name, true, &c->instance_fd, e);
	}
	return r;
}

int cgroup_open(struct cgroup_base *c, const char *name, struct err *e)
{
	_close_ int root = -1;
	int r;

	*c = (struct cgroup_base){ -1, -1, -1, -1, "", "" };
	snprintf(c->name, sizeof(c->name), "%s", name);
	r = find_v2(c->root, sizeof(c->root), e);
	if (r < 0)
		return r;
	root = open(c->root, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (root < 0)
		return fail(e, errno, "open cgroup v2 at '%s': %s", c->root, strerror(errno));
	r = open_instance(root, c, e);
	if (!r && flock(c->instance_fd, LOCK_SH | LOCK_NB) < 0)	/* see is_stale() */
		r = fail(e, EBUSY, "cgroup '%s' is being removed", name);
	if (!r)
		r = open_dir(c->instance_fd, "box", true, &c->box_fd, e);
	if (!r)
		r = open_dir(c->instance_fd, "egress", true, &c->egress_fd, e);
	if (r < 0)
		cgroup_close(c, false);
	return r;
}

void cgroup_close(struct cgroup_base *c, bool all)
{
	if (c->instance_fd >= 0 && all)
		remove_tree(c->slice_fd, c->name, 0);	/* with what a sandbox that ended late left */
	if (c->slice_fd >= 0)
		unlinkat(c->slice_fd, "../" SLICE_DIR, AT_REMOVEDIR);	/* fails while others live in it */
	own_close(&c->box_fd);
	own_close(&c->egress_fd);
	own_close(&c->instance_fd);
	own_close(&c->slice_fd);
}

static int fd_cgroup_id(int fd, uint64_t *ret)
{
	struct {
		struct file_handle h;
		uint64_t id;
	} x = { .h.handle_bytes = sizeof(x.id) };
	int mount;

	/* The handle of a kernfs directory is its 64-bit id: the number BPF sees. */
	if (name_to_handle_at(fd, "", &x.h, &mount, AT_EMPTY_PATH) < 0)
		return -errno;
	memcpy(ret, x.h.f_handle, sizeof(*ret));
	return 0;
}

static int cgroup_get(int parent, uint32_t id, bool make, int *ret_fd, uint64_t *ret_id,
		      struct err *e)
{
	_close_ int fd = -1;
	char name[16];
	int r;

	snprintf(name, sizeof(name), "%" PRIu32, id);
	r = open_dir(parent, name, make, &fd, e);
	if (r < 0)
		return r;
	r = fd_cgroup_id(fd, ret_id);
	if (r < 0)
		return fail(e, -r, "id of cgroup '%s': %s", name, strerror(-r));
	*ret_fd = take_fd(&fd);
	return 0;
}

int cgroup_make(int parent, uint32_t id, int *ret_fd, uint64_t *ret_id, struct err *e)
{
	return cgroup_get(parent, id, true, ret_fd, ret_id, e);
}

int cgroup_find(int parent, uint32_t id, int *ret_fd, uint64_t *ret_id, struct err *e)
{
	return cgroup_get(parent, id, false, ret_fd, ret_id, e);
}

void cgroup_kill(int fd)
{
	_close_ int k = openat(fd, "cgroup.kill", O_WRONLY | O_CLOEXEC);

	if (k >= 0)
		(void)!write(k, "1", 1);	/* an empty cgroup is fine */
}

bool cgroup_busy(int fd)
{
	_close_ int events = openat(fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	char text[128];
	ssize_t n = events < 0 ? 0 : pread(events, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	return n <= 0 || strstr(text, "populated 1");
}

static bool lists(int procs, pid_t pid)
{
	char text[4096], *at = text;
	ssize_t n = pread(procs, text, sizeof(text) - 1, 0);

	for (text[n > 0 ? n : 0] = 0; *at; at += strcspn(at, "\n"), at += *at == '\n')
		if (strtol(at, NULL, 10) == pid)
			return true;
	return false;
}

void cgroup_kill_members(int fd)
{
	_close_ int procs = openat(fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	char text[4096], *at = text;
	ssize_t n = procs < 0 ? 0 : pread(procs, text, sizeof(text) - 1, 0);

	for (text[n > 0 ? n : 0] = 0; *at; at += strcspn(at, "\n"), at += *at == '\n') {
		pid_t pid = (pid_t)strtol(at, NULL, 10);
		_close_ int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

		if (pidfd >= 0 && lists(procs, pid))	/* or the number is another's by now */
			(void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	}
}

int cgroup_remove(int parent, uint32_t id)
{
	char name[16];

	snprintf(name, sizeof(name), "%" PRIu32, id);
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

/*
 * "run-<pid>-<start>" belongs to an embedded run; it is stale when that process is gone, and when nobody has
 * the directory locked: the process may be numbered in another pid namespace.
 */
static bool is_stale(int at, const char *name)
{
	_close_ int fd = -1;
	unsigned long long start, now;
	int pid;

	if (sscanf(name, "run-%d-%llu", &pid, &start) != 2)
		return false;
	if (proc_start(pid, &now) >= 0 && now == start)
		return false;
	fd = openat(at, name, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

int cgroup_sweep(const struct cgroup_base *c)
{
	DIR *d = fdopendir(openat(c->slice_fd, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC));
	int n = 0;

	if (!d)
		return 0;
	for (struct dirent *x; (x = readdir(d));) {
		if (x->d_type != DT_DIR || !is_stale(c->slice_fd, x->d_name))
			continue;
		remove_tree(c->slice_fd, x->d_name, 0);
		n++;
	}
	closedir(d);
	return n;
}

static void sweep_unknown(int parent, bool (*alive)(void *, uint32_t), void *data)
{
	DIR *d = fdopendir(openat(parent, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC));

	for (struct dirent *x; d && (x = readdir(d));)
		if (x->d_type == DT_DIR && x->d_name[0] != '.' &&
		    !alive(data, (uint32_t)strtoul(x->d_name, NULL, 10)))
			remove_tree(parent, x->d_name, 0);
	if (d)
		closedir(d);
}

void cgroup_sweep_own(const struct cgroup_base *c, bool (*alive)(void *, uint32_t), void *data)
{
	sweep_unknown(c->box_fd, alive, data);
	sweep_unknown(c->egress_fd, alive, data);
}

int cgroup_reset(struct cgroup_base *c, const char *instance, struct err *e)
{
	remove_tree(c->slice_fd, instance, 0);
	cgroup_close(c, false);
	return cgroup_open(c, instance, e);
}

void cgroup_path_of(const struct cgroup_base *c, const char *name, char *ret, size_t n)
{
	snprintf(ret, n, "%.150s/" SLICE_DIR "/%.80s", c->root, name);
}

int cgroup_living(const struct cgroup_base *c, const char *name, unsigned *ret)
{
	_close_ int fd = openat(c->slice_fd, name, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_close_ int box = fd < 0 ? -1 : openat(fd, "box", O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d = box < 0 ? NULL : fdopendir(dup(box));

	*ret = 0;
	for (struct dirent *x; d && (x = readdir(d));) {
		_close_ int one = x->d_type != DT_DIR || x->d_name[0] == '.' ? -1 :
				  openat(box, x->d_name, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

		*ret += one >= 0 && cgroup_busy(one);
	}
	if (d)
		closedir(d);
	return fd < 0 ? -errno : 0;
}

void cgroup_remove_other(const struct cgroup_base *c, const char *name)
{
	remove_tree(c->slice_fd, name, 0);
}

int cgroup_is_ours(int pid)
{
	char path[64], line[512];
	_fclose_ FILE *f = NULL;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "0::", 3))
			return !strncmp(line + 3, "/" SLICE_DIR "/", sizeof("/" SLICE_DIR "/") - 1);
	return -ENOENT;
}
