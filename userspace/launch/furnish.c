/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of what there is; each row is one or two system calls, for a start in milliseconds. */
#include "furnish.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mnt.h"
#include "nodes.h"
#include "own.h"
#include "resolve.h"
#include "trust.h"

#define INSIDE (RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)
#define STEP (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

static const char *const pts_options[] = { "newinstance", "", "ptmxmode", "0666", "mode", "0620",
					    "max", OSH_STRING_OF(OSH_PTYS), NULL };
static const char *const proc_options[] = { NULL };

static const struct {
	const char *name;
	unsigned major, minor;
} nodes[] = {
#define NODE(name, major, minor) { #name, major, minor },
#include "osh/devices.def"
#undef NODE
};

static const struct {
	const char *name, *target;
} dev_links[] = {
	{ "fd", "/proc/self/fd" },	 { "stdin", "/proc/self/fd/0" },
	{ "stdout", "/proc/self/fd/1" }, { "stderr", "/proc/self/fd/2" },
	{ "ptmx", "pts/ptmx" },
};

/* Parts of /proc that speak for the whole machine. Landlock and the missing capabilities come first. */
static const char *const proc_ro[] = { "sys" };
static const char *const proc_masked[] = {
	"kcore", "keys", "key-users", "kmsg", "kallsyms", "latency_stats", "sched_debug",
	"slabinfo", "sysrq-trigger", "timer_list", "timer_stats", "vmallocinfo", "acpi", "scsi",
};

struct etc {
	char text[1024];
};

static void etc_resolv(struct etc *f, const struct view_args *a)
{
	(void)a;
	/* The kernel answers on lo, at once or never; a search list would only multiply questions. */
	snprintf(f->text, sizeof(f->text), "nameserver 127.0.0.1\nsearch .\n"
		 "options timeout:1 attempts:2\n");
}

static void etc_hosts(struct etc *f, const struct view_args *a)
{
	snprintf(f->text, sizeof(f->text), "127.0.0.1 localhost %s\n"
		 "::1 localhost ip6-localhost ip6-loopback\n", a->name);
}

static void etc_passwd(struct etc *f, const struct view_args *a)
{
	snprintf(f->text, sizeof(f->text), "root:x:0:0:root:/:/usr/sbin/nologin\n"
		 "sandbox:x:%u:%u:sandbox:/sandbox:/bin/sh\n"
		 "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n", a->run_uid, a->run_gid);
}

static void etc_group(struct etc *f, const struct view_args *a)
{
	snprintf(f->text, sizeof(f->text), "root:x:0:\nsandbox:x:%u:\nnogroup:x:65534:\n", a->run_gid);
}

static void etc_nsswitch(struct etc *f, const struct view_args *a)
{
	(void)a;
	snprintf(f->text, sizeof(f->text), "passwd: files\ngroup: files\nshadow: files\n"
		 "hosts: files dns\nnetworks: files\nprotocols: files\nservices: files\n");
}

static const struct {
	const char *name;
	void (*write)(struct etc *f, const struct view_args *a);
} etc_files[] = {
	{ "resolv.conf", etc_resolv }, { "hosts", etc_hosts }, { "passwd", etc_passwd },
	{ "group", etc_group }, { "nsswitch.conf", etc_nsswitch },
};
static int etc_trees[ARRAY_SIZE(etc_files)];	/* detached copies, one child one sandbox */

/*
 * Every step is taken from the directory before it and follows nothing: links from the host lie in the
 * root too, and through one of them mkdir would reach the host itself, as root.
 */
int furnish_dir(int root, const char *path, mode_t mode, int *ret_fd, struct err *e)
{
	_close_ int at = fcntl(root, F_DUPFD_CLOEXEC, 3);
	char part[NAME_MAX + 1];

	for (;;) {
		size_t n;
		int fd;

		path += strspn(path, "/");
		n = strcspn(path, "/");
		if (!n)
			break;
		if (n >= sizeof(part))
			return fail(e, ENAMETOOLONG, "'%.60s': too long", path);
		memcpy(part, path, n);
		part[n] = 0;
		path += n;
		if (mkdirat(at, part, *path ? 0755 : mode) < 0 && errno != EEXIST)
			return fail(e, errno, "make '%s' inside: %s", part, strerror(errno));
		fd = open_at(at, part, O_PATH | O_DIRECTORY | O_NOFOLLOW, STEP);
		if (fd < 0)
			return fail(e, -fd, "open '%s' inside: %s", part, strerror(-fd));
		close(at);
		at = fd;
	}
	*ret_fd = take_fd(&at);
	return 0;
}

static int add_rule(struct view *v, int fd, enum landlock_kind kind, struct err *e)
{
	if (v->n_rules == VIEW_RULES)
		return fail(e, E2BIG, "too many paths");
	v->rules[v->n_rules++] = (struct landlock_rule){ fd, kind };
	return 0;
}

/* The one that lasts, which view_enter() copied. */
static int home_on(struct view *v, const struct entry *home, const struct view_args *a, struct err *e)
{
	_close_ int target = -1;
	int r = furnish_dir(v->root_fd, home->path, 0755, &target, e);

	if (!r && (r = mnt_move(home->tree_fd, target)) < 0)
		r = fail(e, -r, "mount the home at %s: %s", home->path, strerror(-r));
	return r ? r : add_rule(v, home->tree_fd, !home->write ? LANDLOCK_READ : a->strict ? LANDLOCK_WRITE
											   : LANDLOCK_ALL, e);
}

/* A directory of the scratch file system, mounted on `path` of the root. */
static int scratch_on(struct view *v, int scratch, const char *name, const char *path, uint64_t attr,
		      enum landlock_kind kind, struct err *e)
{
	_close_ int dir = open_at(scratch, name, O_PATH | O_DIRECTORY, INSIDE), target = -1, tree = -1;
	int r = dir < 0 ? fail(e, -dir, "open own %s: %s", path, strerror(-dir)) : 0;

	if (!r)
		r = furnish_dir(v->root_fd, path, 0755, &target, e);
	if (!r)
		r = mnt_copy(dir, false, &tree, e);
	if (r < 0)
		return r;
	r = mnt_attr(tree, attr | (kind == LANDLOCK_READ ? MOUNT_ATTR_RDONLY : 0), false, -1);
	if (!r)
		r = mnt_move(tree, target);
	if (r < 0)
		return fail(e, -r, "mount own %s: %s", path, strerror(-r));
	r = add_rule(v, tree, kind, e);
	if (!r)
		tree = -1;		/* the rule's now */
	return r;
}

/*
 * One file system for everything that the sandbox may fill, so that one limit holds for all. It lies on
 * /tmp, and its own part "tmp" covers it at last: Linux before 6.15 copies no mount that lies nowhere.
 */
static int scratch(struct view *v, const struct paths *p, const struct view_args *a, struct err *e)
{
	uint64_t attr = MNT_BASE | (a->strict && !a->lax ? MOUNT_ATTR_NOEXEC : 0);
	const enum landlock_kind kind = a->strict ? LANDLOCK_WRITE : LANDLOCK_ALL;
	char size[24] = "50%";		/* pages are charged to its cgroup as well; this holds where that has no limit */
	const char *const options[] = { "mode", "0755", "size", size, NULL };
	_close_ int fd = -1, on = -1;
	int r;

	if (a->disk)
		snprintf(size, sizeof(size), "%" PRIu64, a->disk);
	r = mnt_new("tmpfs", options, MNT_BASE, &fd, e);
	if (r < 0)
		return r;
	if (mkdirat(fd, "tmp", 01777) < 0 || mkdirat(fd, "home", 0700) < 0 ||
	    mkdirat(fd, "shm", 01777) < 0 || fchownat(fd, "home", a->run_uid, a->run_gid, 0) < 0)
		return fail(e, errno, "make own directories: %s", strerror(errno));
	r = furnish_dir(v->root_fd, "/tmp", 0755, &on, e);
	if (!r && (r = mnt_move(fd, on)) < 0)
		r = fail(e, -r, "mount own file system: %s", strerror(-r));
	if (!r)
		r = p->home ? home_on(v, p->home, a, e)
			    : scratch_on(v, fd, "home", "/sandbox", attr, p->home_ro ? LANDLOCK_READ : kind, e);
	if (!r)
		r = scratch_on(v, fd, "shm", "/dev/shm", attr | MOUNT_ATTR_NOEXEC, LANDLOCK_WRITE, e);
	if (!r)
		r = scratch_on(v, fd, "tmp", "/tmp", attr, p->tmp_ro ? LANDLOCK_READ : kind, e);
	if (!r)
		v->scratch_fd = take_fd(&fd);
	return r;
}

/* Where mknod is refused (a container), the host's node of the same number is bound instead. */
static int node_bind(int dev, const char *name, unsigned major, unsigned minor, struct err *e)
{
	_close_ int target = -1, fd = -1;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(major, minor))
		return fail(e, ENODEV, "the host has no proper %s", path);
	close(openat(dev, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666));
	target = open_at(dev, name, O_PATH, INSIDE);
	if (target < 0)
		return fail(e, -target, "make %s inside: %s", path, strerror(-target));
	return mnt_bind(fd, target, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY, e);
}

static int dev_fill(int dev, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		dev_t d = makedev(nodes[i].major, nodes[i].minor);
		int r;

		if (!mknodat(dev, nodes[i].name, S_IFCHR | 0666, d))
			continue;
		if (errno != EPERM)
			return fail(e, errno, "make /dev/%s: %s", nodes[i].name, strerror(errno));
		r = node_bind(dev, nodes[i].name, nodes[i].major, nodes[i].minor, e);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(dev_links); i++)
		if (symlinkat(dev_links[i].target, dev, dev_links[i].name) < 0)
			return fail(e, errno, "make /dev/%s: %s", dev_links[i].name, strerror(errno));
	if (mkdirat(dev, "pts", 0755) < 0 || mkdirat(dev, "shm", 0755) < 0)
		return fail(e, errno, "make /dev/pts: %s", strerror(errno));
	return 0;
}

/* /dev is the only mount of the sandbox on which device nodes work, and nobody can make one there. */
static int dev(struct view *v, const struct view_args *a, struct err *e)
{
	_close_ int dir = -1, tree = -1, pts = -1, on = -1;
	int r = furnish_dir(v->root_fd, "/dev", 0755, &dir, e);

	if (!r)
		r = mnt_copy(dir, false, &tree, e);
	if (!r && (r = mnt_attr_clear(tree, MOUNT_ATTR_NODEV)) < 0)
		r = fail(e, -r, "allow device nodes in /dev: %s", strerror(-r));
	if (!r && (r = mnt_move(tree, dir)) < 0)
		r = fail(e, -r, "mount /dev: %s", strerror(-r));
	if (!r)
		r = dev_fill(tree, e);
	if (!r)
		r = nodes_put(a->given, tree, e);
	if (!r)
		r = trust_write(tree, a, e);
	if (!r)
		r = mnt_new("devpts", pts_options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, &pts, e);
	if (!r)
		r = furnish_dir(v->root_fd, "/dev/pts", 0755, &on, e);
	if (!r && (r = mnt_move(pts, on)) < 0)
		r = fail(e, -r, "mount /dev/pts: %s", strerror(-r));
	if (!r && (r = mnt_attr(tree, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, false,
				-1)) < 0)
		r = fail(e, -r, "close /dev: %s", strerror(-r));
	if (!r)
		r = add_rule(v, tree, LANDLOCK_DEVICE, e);
	if (!r)
		tree = -1;
	return r;
}

static int proc_ro_part(int proc, const char *name, struct err *e)
{
	_close_ int fd = open_at(proc, name, O_PATH, INSIDE);

	if (fd < 0)
		return 0;		/* this kernel has no such part */
	return mnt_bind(fd, fd, MNT_BASE | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC, e);
}

/*
 * Masked by an empty directory or an empty file that nobody may read. What is root's alone needs no
 * mount: there is no root inside, and no capability that would make up for it.
 */
static int proc_mask(int proc, const char *name, int empty_dir, int empty_file, struct err *e)
{
	_close_ int fd = -1;
	struct stat st;

	if (fstatat(proc, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail(e, errno, "stat /proc/%s: %s", name, strerror(errno));
	if (!st.st_uid && !st.st_gid && !(st.st_mode & 0007))
		return 0;
	fd = open_at(proc, name, O_PATH, INSIDE);
	if (fd < 0)
		return fail(e, -fd, "open /proc/%s: %s", name, strerror(-fd));
	return mnt_bind(S_ISDIR(st.st_mode) ? empty_dir : empty_file, fd,
			MNT_BASE | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC, e);
}

static int put(int proc, const char *name, const char *text)
{
	_close_ int fd = openat(proc, name, O_WRONLY | O_CLOEXEC);
	size_t n = strlen(text);

	return fd < 0 || write(fd, text, n) != (ssize_t)n ? -errno : 0;
}

static int proc(struct view *v, const struct view_args *a, struct err *e)
{
	_close_ int fd = -1, on = -1, none = -1, empty = -1;
	int r = mnt_new("proc", proc_options, MNT_BASE | MOUNT_ATTR_NOEXEC, &fd, e);

	if (!r)
		r = furnish_dir(v->root_fd, "/proc", 0555, &on, e);
	if (!r && (r = mnt_move(fd, on)) < 0)
		r = fail(e, -r, "mount /proc: %s", strerror(-r));
	if (!r && a->strict && !a->lax && (r = put(fd, "sys/vm/memfd_noexec", "2")) < 0)
		r = fail(e, -r, "vm.memfd_noexec=2 (exec mode strict): %s", strerror(-r));
	if (r < 0)
		return r;
	(void)put(fd, "self/oom_score_adj", "0");	/* raising it again is always allowed */
	if (mkdirat(v->root_fd, ".empty", 0) < 0 || mknodat(v->root_fd, ".none", S_IFREG, 0) < 0)
		return fail(e, errno, "make masks: %s", strerror(errno));
	empty = open_at(v->root_fd, ".empty", O_PATH, INSIDE);
	none = open_at(v->root_fd, ".none", O_PATH, INSIDE);
	for (size_t i = 0; !r && i < ARRAY_SIZE(proc_masked); i++)
		r = proc_mask(fd, proc_masked[i], empty, none, e);
	for (size_t i = 0; !r && i < ARRAY_SIZE(proc_ro); i++)
		r = proc_ro_part(fd, proc_ro[i], e);
	unlinkat(v->root_fd, ".empty", AT_REMOVEDIR);
	unlinkat(v->root_fd, ".none", 0);
	/*
	 * No writing, twice over: /proc/PID/mem of another program of the agent's uid is that program's
	 * identity, and Landlock may be missing.
	 */
	if (!r && !a->nested && (r = mnt_attr(fd, MNT_BASE | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY, false, -1)) < 0)
		r = fail(e, -r, "close /proc for writing: %s", strerror(-r));
	if (!r)
		r = add_rule(v, fd, a->nested ? LANDLOCK_WRITE : LANDLOCK_READ, e);
	if (!r)
		fd = -1;
	return r;
}

/* The files are made before a listed /etc covers them; then copies of them go on top again. */
static int etc(struct view *v, const struct paths *p, const struct view_args *a, struct err *e)
{
	bool covered = paths_tree_of(p, "/etc/hosts");
	_close_ int dir = -1;
	int r = furnish_dir(v->root_fd, "/etc", 0755, &dir, e);

	if (!r && !covered)
		r = add_rule(v, fcntl(dir, F_DUPFD_CLOEXEC, 3), LANDLOCK_READ, e);

	for (size_t i = 0; !r && i < ARRAY_SIZE(etc_files); i++) {
		_close_ int fd = openat(dir, etc_files[i].name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC,
					0644);
		struct etc f;
		size_t n;

		etc_files[i].write(&f, a);
		n = strlen(f.text);
		if (fd < 0 || write(fd, f.text, n) != (ssize_t)n)
			return fail(e, errno, "write own /etc/%s: %s", etc_files[i].name,
				    strerror(errno));
		if (!covered)
			continue;
		r = mnt_copy(fd, false, &etc_trees[i], e);
		if (!r)
			r = mnt_attr(etc_trees[i], MNT_BASE | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC,
				     false, -1);
		if (!r)
			r = add_rule(v, etc_trees[i], LANDLOCK_READ, e);
	}
	return r;
}

int furnish_etc_over(struct view *v, const struct paths *p, struct err *e)
{
	if (!paths_tree_of(p, "/etc/hosts"))
		return 0;		/* ours are visible as they are */
	for (size_t i = 0; i < ARRAY_SIZE(etc_files); i++) {
		char path[32];
		_close_ int fd = -1;
		int r;

		snprintf(path, sizeof(path), "/etc/%s", etc_files[i].name);
		/* The last component may be a link (resolv.conf often is): the mount lies on the link. */
		fd = open_at(v->root_fd, path, O_PATH | O_NOFOLLOW, INSIDE);
		if (fd == -ENOENT)
			continue;	/* a listed /etc without it: the libraries' defaults are ours */
		if (fd < 0)
			return fail(e, -fd, "open %s inside: %s", path, strerror(-fd));
		r = mnt_move(etc_trees[i], fd);
		if (r < 0)
			return fail(e, -r, "mount own %s: %s", path, strerror(-r));
	}
	return 0;
}

int furnish(struct view *v, const struct paths *p, const struct view_args *a, struct err *e)
{
	int r = dev(v, a, e);

	if (!r)
		r = scratch(v, p, a, e);
	if (!r)
		r = proc(v, a, e);
	if (!r)
		r = etc(v, p, a, e);
	return r;
}
