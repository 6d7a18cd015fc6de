/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy's list to entries. Decides which paths mean the sandbox's own directories, which are
 * never shown, and what happens with a missing one. Reads names only, as the caller.
 */
#include "paths.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "own.h"
#include "resolve.h"
#include "windows.h"

enum place {
	HOST,				/* shown as it is */
	OVER,				/* below an own directory: mounted over it where it exists */
	OWN,				/* the sandbox's own; nothing of the host's is shown */
	NEVER,				/* refused as a tree */
};

static const struct {
	const char *path;
	bool below;			/* the row also holds for everything below */
	enum place place;
} places[] = {				/* first match counts */
	/* clang-format off */
	{ "/",                   false, NEVER }, { "/run",             false, NEVER },
	{ "/var/run",            false, NEVER }, { "/run/user",        false, NEVER },
	{ "/run/systemd",        true,  NEVER }, { "/run/dbus",        true,  NEVER },
	{ "/run/osh",            true,  NEVER }, { "/run/containerd",  true,  NEVER },
	{ "/run/docker",         true,  NEVER }, { "/run/podman",      true,  NEVER },
	{ "/run/libvirt",        true,  NEVER }, { "/sys/fs",          true,  NEVER },
	{ "/sys/kernel/debug",   true,  NEVER }, { "/sys/kernel/tracing", true, NEVER },
	{ "/sys/kernel/security", true, NEVER }, { "/dev/shm",         false, OWN },
	{ "/dev/pts",            true,  OWN },   { "/dev/null",        false, OWN },
	{ "/dev/zero",           false, OWN },   { "/dev/full",        false, OWN },
	{ "/dev/random",         false, OWN },   { "/dev/urandom",     false, OWN },
	{ "/dev/tty",            false, OWN },   { "/dev/ptmx",        false, OWN },
	{ "/dev/fd",             true,  OWN },   { "/dev/stdin",       false, OWN },
	{ "/dev/stdout",         false, OWN },   { "/dev/stderr",      false, OWN },
	{ "/tmp",                false, OWN },   { "/dev",             false, OWN },
	{ "/sandbox",            false, OWN },   { "/proc",            true,  OWN },
	{ "/etc/resolv.conf",    false, OWN },   { "/etc/hosts",       false, OWN },
	{ "/etc/passwd",         false, OWN },   { "/etc/group",       false, OWN },
	{ "/etc/nsswitch.conf",  false, OWN },   { "/tmp",             true,  OVER },
	{ "/sandbox",            true,  OVER },  { "/dev",             true,  OVER },
	/* clang-format on */
};

static const char *const engines[] = {
#define ENGINE(name) name,
#include "sockets.def"
#undef ENGINE
};

/* Trees of programs and settings, where nobody puts sockets: not searched, for speed. */
static const char *const plain[] = { "/usr", "/etc", "/opt", "/bin", "/lib", "/lib64", "/sbin" };

int paths_clean(const char *path, char *ret, size_t n)
{
	size_t k = 0;

	if (*path != '/')
		return -EINVAL;
	while (*path) {
		size_t len;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (!len || (len == 1 && *path == '.')) {
			path += len;
			continue;
		}
		if (len == 2 && !strncmp(path, "..", 2))
			return -EINVAL;
		if (k + len + 2 > n)
			return -ENAMETOOLONG;
		ret[k++] = '/';
		memcpy(ret + k, path, len);
		k += len;
		path += len;
	}
	if (!k)
		ret[k++] = '/';
	ret[k] = 0;
	return 0;
}

bool paths_within(const char *path, const char *tree)
{
	size_t n = strlen(tree);

	if (n == 1)
		return true;
	return !strncmp(path, tree, n) && (path[n] == 0 || path[n] == '/');
}

struct entry *paths_tree_of(const struct paths *p, const char *path)
{
	struct entry *best = NULL;

	for (size_t i = 0; i < p->n; i++)	/* sorted: a later match is a closer one */
		if (paths_within(path, p->entries[i].path))
			best = &p->entries[i];
	return best;
}

static enum place place_of(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (!strcmp(path, places[i].path) ||
		    (places[i].below && paths_within(path, places[i].path)))
			return places[i].place;
	return HOST;
}

const char *paths_taken(const char *path)
{
	if (place_of(path) == NEVER)
		return "it is never part of a sandbox";
	if (place_of(path) == OWN || paths_within(path, "/dev"))
		return "it is the sandbox's own";
	if (paths_within(path, "/sys"))
		return "it is the kernel's";
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (places[i].place == OWN && paths_within(places[i].path, path))
			return "it would hide what is the sandbox's own";
	return NULL;
}

bool paths_writable(const struct paths *p, const char *path)
{
	const struct entry *in = paths_tree_of(p, path);

	return in ? in->write : p->home && p->home->write && paths_within(path, p->home->path);
}

void paths_warn(struct paths *p, const char *path, const char *why)
{
	size_t n = strlen(p->warning);

	p->warnings++;
	snprintf(p->warning + n, sizeof(p->warning) - n, "%s%s: %s", n ? "\n" : "", path, why);
}

/* What the policy says of the sandbox's own directories: reading only is kept, the rest is given. */
static void note_own(struct paths *p, const char *path, bool write)
{
	bool *ro = !strcmp(path, "/tmp") ? &p->tmp_ro : !strcmp(path, "/sandbox") ? &p->home_ro : NULL;

	if (ro)
		*ro = !write && *ro;
}

/* A listed socket that is an engine's, whatever the policy calls it. */
static int check_socket(const struct entry *en, struct err *e)
{
	size_t n = strlen(en->path);

	for (size_t i = 0; i < ARRAY_SIZE(engines); i++) {
		size_t k = strlen(engines[i]);

		if (n > k && en->path[n - k - 1] == '/' && !strcmp(en->path + n - k, engines[i]))
			return fail(e, EPERM, "'%s' is the control socket of a privileged service: "
				    "never part of a sandbox", en->listed);
	}
	return S_ISSOCK(en->st.st_mode) ? 0 : fail(e, ENOTSOCK, "'%s' is no socket", en->listed);
}

/* A socket of an engine directly in a listed tree. */
static int check_engines(const struct entry *en, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		if (paths_within(en->path, plain[i]))
			return 0;
	for (size_t i = 0; i < ARRAY_SIZE(engines); i++) {
		struct stat st;

		if (!fstatat(en->fd, engines[i], &st, AT_SYMLINK_NOFOLLOW) && S_ISSOCK(st.st_mode))
			return fail(e, EPERM, "'%s' holds the control socket '%s': list the "
				    "directories that are needed instead", en->listed, engines[i]);
	}
	return 0;
}

/* Neither the tree nor what is mounted below it may show other processes or the kernel. */
static int check_filesystem(const struct paths *p, const struct entry *en, struct err *e)
{
	const char *what, *below;
	struct statfs fs;

	if (fstatfs(en->fd, &fs) < 0)
		return fail(e, errno, "'%s': statfs: %s", en->listed, strerror(errno));
	what = window_name((long)fs.f_type);
	if ((long)fs.f_type == SYSFS_MAGIC) {	/* copied without the mounts below it */
		if (en->write)
			return fail(e, EPERM, "'%s' lies on sysfs: it can only be listed for reading",
				    en->listed);
		return 0;
	}
	if (what)
		return fail(e, EPERM, "'%s' lies on %s, which shows the host's processes or "
			    "kernel: never part of a sandbox", en->listed, what);
	below = S_ISDIR(en->st.st_mode) ? windows_below(p->windows, en->path) : NULL;
	if (below)
		return fail(e, EPERM, "'%s' holds the mount '%s', which shows the host's processes or "
			    "kernel: list the directories that are needed instead", en->listed, below);
	return 0;
}

/* May the caller use it at all? O_PATH alone asks only for the way there. */
static int check_access(const struct entry *en, struct err *e)
{
	int flags = AT_EMPTY_PATH | AT_EACCESS;

	if (!faccessat(en->fd, "", R_OK, flags) || !faccessat(en->fd, "", X_OK, flags) ||
	    (en->socket && !faccessat(en->fd, "", W_OK, flags)))
		return 0;
	return fail(e, EACCES, "'%s': the caller may not open it", en->listed);
}

/* 1 = take it, 0 = leave it out (a warning is noted), -errno. */
static int check(struct paths *p, const struct entry *en, bool hard, bool trusted, struct err *e)
{
	int r;

	if (place_of(en->path) == NEVER)
		return fail(e, EPERM, "'%s' is never shown to a sandbox: it holds control sockets of "
			    "the host; list what is needed below it", en->listed);
	if (S_ISSOCK(en->st.st_mode) && !en->socket)
		return fail(e, EPERM, "'%s' is a socket: a file system entry cannot grant it",
			    en->listed);
	if (S_ISCHR(en->st.st_mode) || S_ISBLK(en->st.st_mode)) {
		if (hard)
			return fail(e, ENODEV, "'%s': devices are not granted by path", en->listed);
		paths_warn(p, en->listed, "devices are not granted by path; left out");
		return 0;
	}
	r = check_filesystem(p, en, e);
	if (!r && !trusted)
		r = check_access(en, e);
	if (!r && en->socket)
		r = check_socket(en, e);
	if (!r && S_ISDIR(en->st.st_mode))
		r = check_engines(en, e);
	return r < 0 ? r : 1;
}

/* Adds an opened path; the same one twice is one entry with the wider right. Takes r's contents. */
static int add(struct paths *p, struct resolved *r, struct entry en, bool hard, bool trusted,
	       struct err *e)
{
	int x;

	en.path = r->path;
	en.fd = r->fd;
	en.tree_fd = -1;

	if (place_of(en.path) == OWN) {		/* by way of a symbolic link */
		note_own(p, en.path, en.write);
		return 0;
	}
	if (fstat(en.fd, &en.st) < 0)
		return fail(e, errno, "'%s': stat: %s", en.listed, strerror(errno));
	x = check(p, &en, hard, trusted, e);
	if (x <= 0)
		return x;
	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->entries[i].path, en.path)) {
			p->entries[i].write |= en.write;
			p->entries[i].socket |= en.socket;
			return 0;
		}
	p->entries[p->n++] = en;
	r->path = NULL;
	r->fd = -1;
	return 0;
}

static int missing(struct paths *p, const char *path, enum place place, bool hard, int code,
		   struct err *e)
{
	if (place == OVER)			/* then it is the sandbox's own directory that counts */
		return 0;
	if (hard)
		return fail(e, code, "'%s': %s (landlock.compatibility: hard_requirement)", path,
			    strerror(code));
	paths_warn(p, path, strerror(code));
	return 0;
}

static int open_listed(struct paths *p, const char *listed, bool write, bool sock, bool hard,
		       struct err *e)
{
	struct resolved r = { .fd = -1 };
	char path[PATH_MAX];
	enum place place;
	int x = paths_clean(listed, path, sizeof(path));

	if (x < 0)
		return fail(e, -x, "'%s': not an absolute path without '..'", listed);
	place = place_of(path);
	if (place == OWN) {
		note_own(p, path, write);
		return 0;
	}
	x = resolve(p, path, &r);
	if (x == -ENOENT || x == -ENOTDIR)
		return missing(p, listed, place, hard, -x, e);
	if (x == -EACCES)
		return fail(e, EACCES, "'%s': the caller may not open it", listed);
	if (x < 0)
		return fail(e, -x, "'%s': %s", listed, strerror(-x));
	x = add(p, &r, (struct entry){ .listed = listed, .write = write, .socket = sock }, hard,
		false, e);
	resolved_done(&r);
	return x;
}

/* A start without the caller: the name leads where he himself would get by it now. */
static int reopen_workdir(struct paths *p, const struct osh_msg_launch *m, const char *path, struct err *e)
{
	struct resolved r = { .fd = -1 };
	struct stat st;
	int x = resolve(p, path, &r);

	if (x < 0)
		return fail(e, -x, "working directory '%s': %s", m->workdir, strerror(-x));
	if (fstat(r.fd, &st) < 0 || !S_ISDIR(st.st_mode))
		x = fail(e, ENOTDIR, "working directory '%s' is no directory", m->workdir);
	else
		x = add(p, &r, (struct entry){ .listed = m->workdir, .write = true }, true, false, e);
	resolved_done(&r);
	return x;
}

/* The descriptor is the caller's word; the name must lead to the same directory. */
static int open_workdir(struct paths *p, const struct osh_msg_launch *m, int fd, struct err *e)
{
	const struct entry en = { .listed = m->workdir, .write = true, .given = true };
	struct resolved r = { .fd = -1 };
	char path[PATH_MAX], real[PATH_MAX];
	struct stat a, b;
	int x = paths_clean(m->workdir, path, sizeof(path));

	if (x < 0)
		return fail(e, -x, "working directory '%s': not a plain absolute path", m->workdir);
	if (place_of(path) == OWN) {
		note_own(p, path, true);
		paths_warn(p, m->workdir, "the working directory is the sandbox's own, not the host's");
		return 0;
	}
	if (fd < 0)
		return reopen_workdir(p, m, path, e);
	if (fstat(fd, &a) < 0 || !S_ISDIR(a.st_mode))
		return fail(e, ENOTDIR, "working directory '%s' is no directory", m->workdir);
	x = resolve_fd(fd, real, sizeof(real));
	if (x < 0)
		return fail(e, -x, "working directory '%s': %s", m->workdir, strerror(-x));
	if (strcmp(path, real)) {		/* named through a symbolic link */
		x = resolve(p, path, &r);
		if (x < 0)
			return fail(e, -x, "working directory '%s': %s", m->workdir, strerror(-x));
		x = fstat(r.fd, &b);
		if (x < 0 || a.st_dev != b.st_dev || a.st_ino != b.st_ino) {
			resolved_done(&r);
			return fail(e, ESTALE, "working directory '%s' is now another one", m->workdir);
		}
	} else {
		r.path = strdup(real);
		r.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	}
	/* Root opened it and may open anything; without capabilities it just cannot say so here. */
	x = r.path && r.fd >= 0 ? add(p, &r, en, true, !m->uid, e)
				: fail(e, ENOMEM, "out of memory");
	resolved_done(&r);
	return x;
}

/* A link that someone in a writable tree could have planted decides nothing. */
static int check_links(const struct paths *p, struct err *e)
{
	for (size_t i = 0; i < p->n_links; i++)
		for (size_t j = 0; j < p->n; j++) {
			const struct entry *en = &p->entries[j];

			if (en->write && paths_within(p->links[i].at, en->path))
				return fail(e, ELOOP, "'%s' is a symbolic link in the writable tree "
					    "'%s': list its target instead", p->links[i].at, en->path);
		}
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

const char *paths_workdir(const struct paths *p, const struct osh_msg_launch *m)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->entries[i].listed == m->workdir)
			return p->entries[i].path;
	return m->workdir;
}

/* A directory with or without the pattern for all below it; any other pattern needs the LSM. */
static int add_deny(struct paths *p, const char *listed, const char *workdir, struct err *e)
{
	char text[PATH_MAX], path[PATH_MAX];
	size_t n;

	if (*listed == '/')
		n = (size_t)snprintf(text, sizeof(text), "%s", listed);
	else
		n = (size_t)snprintf(text, sizeof(text), "%s/%s", workdir, listed);
	if (n >= sizeof(text))
		return fail(e, ENAMETOOLONG, "deny '%s': too long", listed);
	if (n > 3 && !strcmp(text + n - 3, "/**"))
		text[n - 3] = 0;
	if (strpbrk(text, "*?["))
		return fail(e, EOPNOTSUPP, "deny '%s': a pattern needs the BPF LSM layer, which does not "
			    "live on this kernel", listed);
	if (paths_clean(text, path, sizeof(path)) < 0)
		return fail(e, EINVAL, "deny '%s': not a path without '..'", listed);
	p->deny[p->n_deny].listed = listed;
	p->deny[p->n_deny].path = strdup(path);
	return p->deny[p->n_deny++].path ? 0 : fail(e, ENOMEM, "out of memory");
}

static int open_policy(struct paths *p, const struct osh_msg_launch *m, const struct bundle *b,
		       struct err *e)
{
	bool hard = b->meta->compat == OSH_COMPAT_HARD;
	int r = 0;

	for (uint32_t i = 0; !r && i < b->n_fs; i++) {
		const char *path = bundle_str(b, b->fs[i].path);

		if (b->fs[i].mode == OSH_FS_DENY)
			r = m->flags & OSH_LAUNCH_LSM ? 0 : add_deny(p, path, paths_workdir(p, m), e);
		else if (b->fs[i].group && !(m->flags & OSH_LAUNCH_LSM))
			r = fail(e, EOPNOTSUPP, "'%s' is for some programs only (line %u), which needs the BPF LSM layer, and that "
				 "does not live on this kernel: list it for all or leave it out", path, b->fs[i].line);
		else
			r = open_listed(p, path, b->fs[i].mode == OSH_FS_RW, false, hard, e);
	}
	for (uint32_t i = 0; !r && i < b->n_unix; i++)
		r = open_listed(p, bundle_str(b, b->unix_paths[i].path), false, true, hard, e);
	return r;
}

/* An own directory that the policy lists, and only for reading, is read-only. */
static bool listed_ro(const struct bundle *b, const char *own)
{
	bool ro = false;
	char path[PATH_MAX];

	for (uint32_t i = 0; i < b->n_fs; i++)
		if (!paths_clean(bundle_str(b, b->fs[i].path), path, sizeof(path)) && !strcmp(path, own)) {
			if (b->fs[i].mode == OSH_FS_RW)
				return false;
			ro |= b->fs[i].mode == OSH_FS_RO;
		}
	return ro;
}

int paths_open(struct paths *p, const struct osh_msg_launch *m, const struct bundle *b,
	       int workdir_fd, const struct windows *w, struct err *e)
{
	int r = 0;

	*p = (struct paths){ .windows = w, .tmp_ro = listed_ro(b, "/tmp"), .home_ro = listed_ro(b, "/sandbox") };
	p->entries = calloc((size_t)b->n_fs + b->n_unix + 1, sizeof(*p->entries));
	p->deny = calloc((size_t)b->n_fs + 1, sizeof(*p->deny));
	if (!p->entries || !p->deny)
		return fail(e, ENOMEM, "out of memory");
	if (b->meta->include_workdir)
		r = open_workdir(p, m, workdir_fd, e);
	if (!r)
		r = open_policy(p, m, b, e);
	if (!r)
		r = check_links(p, e);
	if (!r && !p->n)
		r = fail(e, ENOENT, "no usable path: the policy lists nothing that exists here");
	if (!r)
		paths_sort(p);
	return r;
}

void paths_sort(struct paths *p)
{
	qsort(p->entries, p->n, sizeof(*p->entries), by_path);
}

static void entry_done(struct entry *en)
{
	own_close(&en->fd);
	own_close(&en->tree_fd);
	free(en->path);
	free(en->from);
}

void paths_done(struct paths *p)
{
	for (size_t i = 0; i < p->n; i++)
		entry_done(&p->entries[i]);
	if (p->home)
		entry_done(p->home);
	free(p->home);
	for (size_t i = 0; i < p->n_links; i++) {
		free(p->links[i].at);
		free(p->links[i].target);
	}
	for (size_t i = 0; i < p->n_deny; i++)
		free(p->deny[i].path);
	free(p->entries);
	free(p->deny);
	*p = (struct paths){ 0 };
}
