/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order matters: copies are taken from what the caller opened, then the new root grows, then the old
 * one goes. Inside a listed tree nothing is created, and a place is used only if it is the very inode
 * that was opened: a writable tree may change under our hands at any moment.
 */
#include "view.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "furnish.h"
#include "idmap.h"
#include "mnt.h"
#include "own.h"
#include "resolve.h"
#include "trust.h"

#define INSIDE (RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

static const char *const root_options[] = { "mode", "0755", "size", "4m", NULL };

/* Names that programs carry in themselves (interpreters), which merged-/usr hosts have as links. */
static const char *const merged[] = { "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32" };

static uint64_t attr_of(const struct entry *en, const struct view_args *a)
{
	uint64_t attr = MNT_BASE | (en->write ? 0 : MOUNT_ATTR_RDONLY);

	/* Strict: a volume may be read-only here and writable elsewhere. */
	return attr | (a->strict && !a->lax && (en->write || en->from) ? MOUNT_ATTR_NOEXEC : 0);
}

static int refuse_idmap(const struct entry *en, int code, struct err *e)
{
	struct statfs fs = { 0 };

	(void)fstatfs(en->fd, &fs);
	if (en->from)
		return fail(e, code, "'%.100s', mounted at '%.60s': its file system (type 0x%lx) refuses an id-mapped "
			    "mount: %s", en->from, en->listed, (unsigned long)fs.f_type, strerror(code));
	return fail(e, code, "'%s': its file system (type 0x%lx) refuses an id-mapped mount: %s; run as the "
		    "owner, not as root", en->listed, (unsigned long)fs.f_type, strerror(code));
}

/*
 * A mount can only be copied inside its own mount namespace, and the caller's descriptor is of his (or
 * of oshd's): the same directory is opened again in ours. The inode decides, not the name.
 */
static int own_fd(struct entry *en, struct err *e)
{
	_close_ int fd = open_at(AT_FDCWD, en->from ? en->from : en->path, O_PATH | (en->plain ? 0 : O_DIRECTORY),
				 RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	struct stat st;

	if (fd < 0)
		return fail(e, -fd, "'%s': not where the caller opened it: %s", en->listed, strerror(-fd));
	if (fstat(fd, &st) < 0 || st.st_dev != en->st.st_dev || st.st_ino != en->st.st_ino)
		return fail(e, ESTALE, "'%s': not what the caller opened", en->listed);
	close(en->fd);
	en->fd = take_fd(&fd);
	return 0;
}

static int copy_tree(struct entry *en, const struct view_args *a, struct err *e)
{
	struct idmap_key k = { en->st.st_uid, a->run_uid, en->st.st_gid, a->run_gid };
	bool mapped = a->idmap && !en->plain && (en->write || en->from) && (k.owner != k.run_uid || k.group != k.run_gid);
	struct statfs fs;
	int map = -1, r;

	if (en->from && !en->plain && !a->idmap && k.owner != k.run_uid)
		return fail(e, EPERM, "what is to be mounted at '%s' belongs to uid %u", en->listed, k.owner);
	r = en->given || en->from ? own_fd(en, e) : 0;
	if (r < 0)
		return r;
	if (fstatfs(en->fd, &fs) < 0)
		return fail(e, errno, "'%s': statfs: %s", en->listed, strerror(errno));
	if (mapped) {
		map = idmap_get(&k, e);
		if (map < 0)
			return map;
	}
	/* Below sysfs lie cgroupfs, bpffs and debugfs: those stay outside. On oshd's own nothing is mounted. */
	r = mnt_copy(en->fd, (long)fs.f_type != SYSFS_MAGIC && !en->from, &en->tree_fd, e);
	if (r < 0)
		return r;
	r = mnt_attr(en->tree_fd, attr_of(en, a), true, map);
	if (r < 0 && mapped)
		return refuse_idmap(en, -r, e);
	return r < 0 ? fail(e, -r, "'%s': mount attributes: %s", en->listed, strerror(-r)) : 0;
}

static bool own_place(const char *path)
{
	return paths_within(path, "/tmp") || paths_within(path, "/sandbox") || paths_within(path, "/dev");
}

/*
 * What is made in a home that lasts is the sandbox's, as if it had made it itself; root's would stay there
 * and be in its way. Leaving fsuid 0 lowers the capabilities that reach files, coming back raises them.
 */
static void as_owner(const struct paths *p, const char *path, uid_t uid, gid_t gid)
{
	if (!p->home || !paths_within(path, p->home->path))
		return;
	setfsgid(gid);
	setfsuid(uid);
}

/* A new file or directory on our own file systems, for a tree to lie on. */
static int place_made(struct view *v, const struct entry *en, int *ret_fd, struct err *e)
{
	char parent[PATH_MAX];
	_close_ int dir = -1;
	char *name;
	int r;

	if (S_ISDIR(en->st.st_mode))
		return furnish_dir(v->root_fd, en->path, 0755, ret_fd, e);
	snprintf(parent, sizeof(parent), "%s", en->path);
	name = strrchr(parent, '/');
	*name++ = 0;
	dir = *parent ? -1 : fcntl(v->root_fd, F_DUPFD_CLOEXEC, 3);
	r = *parent ? furnish_dir(v->root_fd, parent, 0755, &dir, e) : 0;
	if (r < 0)
		return r;
	if (mknodat(dir, name, S_IFREG | 0444, 0) < 0 && errno != EEXIST)
		return fail(e, errno, "make '%s' inside: %s", en->path, strerror(errno));
	*ret_fd = open_at(dir, name, O_PATH | O_NOFOLLOW, INSIDE);
	return *ret_fd < 0 ? fail(e, -*ret_fd, "open '%s' inside: %s", en->path, strerror(-*ret_fd)) : 0;
}

/* In a tree that is mounted already: the place must be what the caller opened under this name. */
static int place_found(struct view *v, const struct entry *en, int *ret_fd, struct err *e)
{
	_close_ int fd = open_at(v->root_fd, en->path, O_PATH | O_NOFOLLOW, INSIDE);
	struct stat st;

	if (fd < 0)
		return fail(e, -fd, "'%s' is not inside its listed parent any more: %s", en->listed,
			    strerror(-fd));
	if (fstat(fd, &st) < 0 || st.st_dev != en->st.st_dev || st.st_ino != en->st.st_ino)
		return fail(e, ESTALE, "'%s' was replaced while the sandbox was being built", en->listed);
	*ret_fd = take_fd(&fd);
	return 0;
}

/*
 * Every directory between a writable tree's root and `path` gets a mount of itself: a mount point can
 * be neither renamed nor removed, so nobody moves the read-only part away and puts another there.
 */
static int pin_ancestors(struct view *v, const char *tree, const char *path, struct err *e)
{
	char part[PATH_MAX];
	size_t n = strlen(tree);

	for (;;) {
		_close_ int fd = -1, copy = -1;
		int r;

		n += 1 + strcspn(path + n + 1, "/");
		if (!path[n])
			return 0;
		snprintf(part, sizeof(part), "%.*s", (int)n, path);
		fd = open_at(v->root_fd, part, O_PATH | O_DIRECTORY, INSIDE);
		if (fd < 0)
			return fail(e, -fd, "pin '%s': %s", part, strerror(-fd));
		r = mnt_copy(fd, true, &copy, e);
		if (!r && (r = mnt_move(copy, fd)) < 0)
			r = fail(e, -r, "pin '%s': %s", part, strerror(-r));
		if (r < 0)
			return r;
	}
}

/* The listed tree that `en` lies in; en itself does not count. */
static const struct entry *parent_tree(const struct paths *p, const struct entry *en)
{
	const struct entry *best = NULL;

	for (const struct entry *x = p->entries; x < en; x++)
		if (paths_within(en->path, x->path))
			best = x;
	return best;
}

static enum landlock_kind kind_of(const struct entry *en, const struct view_args *a)
{
	if (en->socket)
		return LANDLOCK_SOCKET;
	if (!en->write)
		return a->bundle->n_exec || (en->from && a->strict) ? LANDLOCK_READ : LANDLOCK_RUN;
	if (en->from)
		return a->strict ? LANDLOCK_SHARED : LANDLOCK_SHARED_RUN;
	return a->strict ? LANDLOCK_WRITE : LANDLOCK_ALL;
}

static int add_rule(struct view *v, int fd, enum landlock_kind kind, struct err *e)
{
	if (v->n_rules == VIEW_RULES)
		return fail(e, E2BIG, "too many paths");
	v->rules[v->n_rules++] = (struct landlock_rule){ fd, kind };
	return 0;
}

static int place(struct view *v, struct paths *p, struct entry *en, const struct view_args *a,
		 struct err *e)
{
	const struct entry *in = parent_tree(p, en);
	_close_ int target = -1;
	int r;

	if (in && in->write && !en->write) {
		r = pin_ancestors(v, in->path, en->path, e);
		if (r < 0)
			return r;
	}
	if (in) {
		r = place_found(v, en, &target, e);
	} else {
		as_owner(p, en->path, a->run_uid, a->run_gid);
		r = place_made(v, en, &target, e);
		as_owner(p, en->path, 0, 0);
	}
	if (r < 0)
		return r;
	r = mnt_move(en->tree_fd, target);
	if (r < 0)
		return fail(e, -r, "mount '%s' inside: %s", en->path, strerror(-r));
	return add_rule(v, en->tree_fd, kind_of(en, a), e);
}

static int make_link(struct view *v, const char *at, const char *target, struct err *e)
{
	char parent[PATH_MAX];
	_close_ int dir = -1;
	char *name;
	int r;

	snprintf(parent, sizeof(parent), "%s", at);
	name = strrchr(parent, '/');
	*name++ = 0;
	if (!*parent)
		dir = fcntl(v->root_fd, F_DUPFD_CLOEXEC, 3);
	else if ((r = furnish_dir(v->root_fd, parent, 0755, &dir, e)) < 0)
		return r;
	if (symlinkat(target, dir, name) < 0 && errno != EEXIST)
		return fail(e, errno, "make the link '%s' inside: %s", at, strerror(errno));
	return 0;
}

/* Links on the way to listed paths, where they are not part of a listed tree themselves. */
static int links(struct view *v, const struct paths *p, struct err *e)
{
	int r = 0;

	for (size_t i = 0; !r && i < p->n_links; i++)
		if (!paths_tree_of(p, p->links[i].at) &&
		    !(p->home && paths_within(p->links[i].at, p->home->path)) && strcmp(p->links[i].at, "/sandbox") &&
		    strcmp(p->links[i].at, "/tmp") && !paths_within(p->links[i].at, "/dev") &&
		    !paths_within(p->links[i].at, "/proc"))
			r = make_link(v, p->links[i].at, p->links[i].target, e);
	for (size_t i = 0; !r && i < ARRAY_SIZE(merged); i++) {
		char target[64] = "", path[80];
		ssize_t n = readlink(merged[i], target, sizeof(target) - 1);

		if (n <= 0)
			continue;
		snprintf(path, sizeof(path), "%s%s", *target == '/' ? "" : "/", target);
		if (!strstr(path, "..") && paths_tree_of(p, path) && !paths_tree_of(p, merged[i]))
			r = make_link(v, merged[i], target, e);
	}
	return r;
}

/* Kept without an LSM: the directory itself, read-only, and no way to rename anything above it. */
static int deny(struct view *v, const struct paths *p, const struct deny *d, struct err *e)
{
	const struct entry *in = paths_tree_of(p, d->path);
	const char *tree = in ? in->path : NULL;
	_close_ int fd = -1, copy = -1;
	int r;

	if (!in && p->home && paths_within(d->path, p->home->path))
		tree = p->home->path;
	fd = open_at(v->root_fd, d->path, O_PATH | O_DIRECTORY, INSIDE);
	if (fd == -ELOOP)			/* it would be looked for where it is not */
		return fail(e, ELOOP, "deny '%s': its path leads through a symbolic link: list what that leads to",
			    d->listed);
	own_close(&fd);
	if (!in ? !own_place(d->path) : !in->write)
		return 0;			/* not visible, or not writable anyway */
	fd = open_at(v->root_fd, d->path, O_PATH | O_DIRECTORY, INSIDE);
	if (fd < 0)
		return fail(e, EOPNOTSUPP, "deny '%s': only an existing directory can be denied without "
			    "the BPF LSM layer, which does not live on this kernel", d->listed);
	if (tree && strcmp(tree, d->path))
		r = pin_ancestors(v, tree, d->path, e);
	else
		r = 0;
	own_close(&fd);
	fd = open_at(v->root_fd, d->path, O_PATH | O_DIRECTORY, INSIDE);
	if (!r && fd < 0)
		r = fail(e, -fd, "deny '%s': %s", d->listed, strerror(-fd));
	if (!r)
		r = mnt_copy(fd, true, &copy, e);
	if (!r && (r = mnt_attr(copy, MNT_BASE | MOUNT_ATTR_RDONLY, true, -1)) < 0)
		r = fail(e, -r, "deny '%s': %s", d->listed, strerror(-r));
	if (!r && (r = mnt_move(copy, fd)) < 0)
		r = fail(e, -r, "deny '%s': %s", d->listed, strerror(-r));
	return r;
}

/* What the kernel itself opens to start a dynamic program. */
static const char *const loaders[] = {
	"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux.so.2", "/lib/ld-musl-x86_64.so.1",
};

/*
 * process.exec.allow as Landlock can say it: files, and whole trees. A pattern that stops at one level
 * would have to be widened, and that is not what the policy says.
 */
static int allow_exec(struct view *v, struct paths *p, const char *listed, bool hard, struct err *e)
{
	char path[PATH_MAX];
	size_t n = (size_t)snprintf(path, sizeof(path), "%s", listed);
	bool tree = n > 2 && !strcmp(path + n - 3, "/**");
	struct stat st;
	int fd;

	if (n >= sizeof(path))
		return fail(e, ENAMETOOLONG, "exec.allow '%s': too long", listed);
	if (tree)
		path[n - 3] = 0;
	if (strpbrk(path, "*?["))
		return fail(e, EOPNOTSUPP, "exec.allow '%s': only paths and whole trees ('DIR/**') can be kept", listed);
	fd = open_at(v->root_fd, *path ? path : "/", O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	if (fd >= 0 && fstat(fd, &st) < 0)
		own_close(&fd);
	if (fd >= 0 && tree != S_ISDIR(st.st_mode)) {	/* a rule for a directory would hold for all below it */
		own_close(&fd);
		fd = tree ? -ENOTDIR : -EISDIR;
	}
	if (fd >= 0)
		return add_rule(v, fd, LANDLOCK_EXEC, e);
	if (hard)
		return fail(e, -fd, "exec.allow '%s': %s", listed, strerror(-fd));
	paths_warn(p, listed, strerror(-fd));
	return 0;
}

static int allow_execs(struct view *v, struct paths *p, const struct view_args *a, struct err *e)
{
	const struct bundle *b = a->bundle;
	int r = 0;

	for (uint32_t i = 0; !r && i < b->n_exec; i++)
		r = allow_exec(v, p, bundle_str(b, b->exec[i].pattern),
			       b->meta->compat == OSH_COMPAT_HARD, e);
	for (size_t i = 0; !r && b->n_exec && i < ARRAY_SIZE(loaders); i++) {
		int fd = open_at(v->root_fd, loaders[i], O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);

		if (fd >= 0)
			r = add_rule(v, fd, LANDLOCK_EXEC, e);
	}
	return r;
}

/* An initramfs root cannot be pivoted away; there, and only there, the new root is moved over it. */
static int enter(int root, struct err *e)
{
	struct statfs fs;

	if (fchdir(root) < 0)
		return fail(e, errno, "enter the new root: %s", strerror(errno));
	if (!syscall(SYS_pivot_root, ".", ".")) {
		if (umount2(".", MNT_DETACH) < 0)
			return fail(e, errno, "leave the old root: %s", strerror(errno));
	} else {
		int code = errno;

		if (code != EINVAL || statfs("/", &fs) < 0 ||
		    ((long)fs.f_type != RAMFS_MAGIC && (long)fs.f_type != TMPFS_MAGIC))
			return fail(e, code, "pivot_root: %s", strerror(code));
		if (mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0)
			return fail(e, errno, "move the new root over the initramfs: %s",
				    strerror(errno));
	}
	return chdir("/") < 0 ? fail(e, errno, "chdir: %s", strerror(errno)) : 0;
}

static int make_root(struct view *v, struct err *e)
{
	struct mount_attr a = { .propagation = MS_PRIVATE };
	int r;

	if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &a, sizeof(a)) < 0)
		return fail(e, errno, "make the mount namespace private: %s", strerror(errno));
	r = mnt_new("tmpfs", root_options, MNT_BASE, &v->root_fd, e);
	if (r < 0)
		return r;
	if (move_mount(v->root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return fail(e, errno, "mount the new root: %s", strerror(errno));
	return 0;
}

/* Listed for reading below a tree that is listed for reading: it is there already. */
static bool is_there(const struct paths *p, const struct entry *en)
{
	const struct entry *in = parent_tree(p, en);

	return in && !in->write && !en->write && !en->socket && !en->given &&
	       in->st.st_dev == en->st.st_dev;
}

int view_enter(struct view *v, struct paths *p, const struct view_args *a, struct err *e)
{
	int r = p->home ? copy_tree(p->home, a, e) : 0;

	for (size_t i = 0; !r && i < p->n; i++)
		if (!is_there(p, &p->entries[i]))
			r = copy_tree(&p->entries[i], a, e);
	if (!r)
		r = make_root(v, e);
	if (!r)
		r = furnish(v, p, a, e);
	if (!r)
		r = links(v, p, e);
	for (size_t i = 0; !r && i < p->n; i++)
		if (!is_there(p, &p->entries[i]))
			r = place(v, p, &p->entries[i], a, e);
	if (!r)
		r = furnish_etc_over(v, p, e);
	if (!r)
		r = trust_over(v, p, a, e);
	for (size_t i = 0; !r && i < p->n_deny; i++)
		r = deny(v, p, &p->deny[i], e);
	if (!r && (r = mnt_attr(v->root_fd, MNT_BASE | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC, false,
				-1)) < 0)
		r = fail(e, -r, "close the new root: %s", strerror(-r));
	if (!r)
		r = enter(v->root_fd, e);
	if (!r)
		r = allow_execs(v, p, a, e);
	if (!r)
		r = add_rule(v, v->root_fd, LANDLOCK_LIST, e);
	return r;
}

int view_rules_only(struct view *v, const struct paths *p, const struct view_args *a, struct err *e)
{
	static const struct {
		const char *path;
		enum landlock_kind kind;
	} own[] = { { "/tmp", LANDLOCK_ALL }, { "/dev", LANDLOCK_DEVICE }, { "/proc", LANDLOCK_READ } };
	int r = 0;

	v->scratch_fd = open_at(AT_FDCWD, "/tmp", O_PATH | O_DIRECTORY, 0);
	if (v->scratch_fd < 0)
		return fail(e, -v->scratch_fd, "open /tmp: %s", strerror(-v->scratch_fd));
	for (size_t i = 0; !r && i < p->n; i++)
		r = add_rule(v, p->entries[i].fd, kind_of(&p->entries[i], a), e);
	for (size_t i = 0; !r && i < ARRAY_SIZE(own); i++) {
		int fd = open_at(AT_FDCWD, own[i].path, O_PATH | O_DIRECTORY, 0);

		r = fd < 0 ? fail(e, -fd, "open %s: %s", own[i].path, strerror(-fd))
			   : add_rule(v, fd, own[i].kind, e);
	}
	return r;
}
