/* SPDX-License-Identifier: Apache-2.0 */
#include "tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "own.h"
#include "spawn.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452		/* Linux 6.6; newer than Debian 12's header */
#endif
#define DEPTH 32			/* deeper directories are moved up first, so that none is too deep */
#define AT_ONCE 32			/* children; the others wait */
#define EACH 4				/* for directories of one user: whoever has many waits for himself */

struct removal {
	struct removal *next;
	struct daemon *d;
	sd_event_source *source;
	pid_t pid;			/* 0 = waits for its turn */
	uid_t uid;			/* whose it is */
	bool as_root;			/* the second try */
	int parent_fd;
	char name[64];
	void (*done)(void *data, int result);
	void *data;
};

/* No link is followed, nothing that is mounted there is entered. */
static int open_dir(int parent, const char *name, int how_open)
{
	struct open_how how = { .flags = (uint64_t)(how_open | O_DIRECTORY | O_CLOEXEC),
				.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV | RESOLVE_BENEATH };
	int fd = (int)syscall(SYS_openat2, parent, name, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

int tree_make(int parent_fd, const char *name, uid_t uid, gid_t gid, int *ret_fd, struct err *e)
{
	bool is_new = mkdirat(parent_fd, name, 0700) == 0;
	_close_ int fd = -1;
	struct stat st;

	/* The operator may have mounted a file system there. */
	if (is_new || errno == EEXIST)
		fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return fail(e, errno, "make directory '%s': %s", name, strerror(errno));
	if (fstat(fd, &st) < 0)
		return fail(e, errno, "directory '%s': %s", name, strerror(errno));
	/* Killed between the two calls: it is root's still, and empty. */
	if (st.st_uid == geteuid() && st.st_uid != uid && fchown(fd, uid, gid) < 0)
		return fail(e, errno, "give directory '%s' to uid %u: %s", name, uid, strerror(errno));
	if (st.st_uid != uid && st.st_uid != geteuid())
		return fail(e, EPERM, "directory '%s' belongs to uid %u, not to %u", name, st.st_uid, uid);
	if (is_new && fsync(parent_fd) < 0)
		return fail(e, errno, "sync the directory of '%s': %s", name, strerror(errno));
	*ret_fd = take_fd(&fd);
	return 0;
}

/* Its owner may have left it without any right to it. */
static int open_own(int parent, const char *name)
{
	_close_ int path = open_dir(parent, name, O_PATH);
	struct stat st;
	int fd;

	if (path < 0)
		return path;
	if (fstat(path, &st) < 0)
		return -errno;
	if ((st.st_mode & 0700) != 0700 && syscall(SYS_fchmodat2, path, "", 0700, AT_EMPTY_PATH) < 0)
		return -errno;
	fd = openat(path, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

struct walk {
	int top;
	unsigned moved;			/* directories that were moved up */
	int why;			/* the first reason why something stays */
	bool progress;
};

static void empty(struct walk *w, int fd, unsigned depth);

static bool went(struct walk *w, int r)
{
	if (r == -ENOENT)
		r = 0;
	if (r < 0 && !w->why)
		w->why = r;
	w->progress |= r == 0;
	return r == 0;
}

/* A directory that changes its parent must be writable itself: its ".." is an entry, too. */
static int move_up(struct walk *w, int dir, const char *name)
{
	_close_ int own = open_own(dir, name);
	char up[24];

	if (own < 0)
		return own;
	do				/* the sandbox may have made this name too */
		snprintf(up, sizeof(up), ".osh-%u", w->moved++);
	while (renameat2(dir, name, w->top, up, RENAME_NOREPLACE) < 0 && errno == EEXIST);
	return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : -errno;
}

static void remove_dir(struct walk *w, int dir, const char *name, unsigned depth)
{
	_close_ int fd = -1;

	if (!unlinkat(dir, name, AT_REMOVEDIR)) {
		w->progress = true;
		return;
	}
	if (errno != ENOTEMPTY && errno != EEXIST) {
		went(w, -errno);
		return;
	}
	if (depth >= DEPTH) {
		went(w, move_up(w, dir, name));
		return;
	}
	fd = open_own(dir, name);
	if (fd < 0) {
		went(w, fd);
		return;
	}
	empty(w, fd, depth + 1);
	went(w, unlinkat(dir, name, AT_REMOVEDIR) < 0 ? -errno : 0);
}

/* One round. Names go while they are being read: some may be left out, and are met in the next. */
static void empty(struct walk *w, int fd, unsigned depth)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	DIR *d = own < 0 ? NULL : fdopendir(own);

	if (!d) {
		went(w, -errno);
		own_close(&own);
		return;
	}
	rewinddir(d);
	for (struct dirent *x; (x = readdir(d));) {
		if (!strcmp(x->d_name, ".") || !strcmp(x->d_name, ".."))
			continue;
		if (!unlinkat(fd, x->d_name, 0))
			w->progress = true;
		else if (errno == EISDIR)
			remove_dir(w, fd, x->d_name, depth);
		else
			went(w, -errno);
	}
	closedir(d);
}

int tree_empty(int fd)
{
	struct walk w = { .top = fd };

	if (fchmod(fd, 0700) < 0)
		return -errno;
	do {				/* a reason that has gone by the next round was none */
		w.why = 0;
		w.progress = false;
		empty(&w, fd, 0);
	} while (w.progress);
	return w.why;
}

/* It owns what it removes and nothing else: neither a name nor a link in there reaches further. */
static int become(uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	return 0;
}

_Noreturn static void child(int parent, const char *name, bool as_root)
{
	int top = open_dir(parent, name, O_RDONLY), r;
	struct stat st;
	sigset_t none;

	if (top == -ENOENT)
		_exit(0);
	if (top < 0 || fstat(top, &st) < 0)
		_exit(top < 0 ? -top : errno);
	if (dup2(top, 3) < 0 || close_range(4, ~0u, 0) < 0)
		_exit(errno);
	(void)setpriority(PRIO_PROCESS, 0, 10);
	r = as_root ? 0 : become(st.st_uid, st.st_gid);
	if (r < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		_exit(r < 0 ? -r : errno);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	_exit(-tree_empty(3));
}

static void finish(struct removal *x, int result);
static int start(struct removal *x);

static void next(struct daemon *d)
{
	uid_t running[AT_ONCE];
	size_t n = 0;

	for (const struct removal *x = d->removals; x; x = x->next)
		if (x->pid)
			running[n++] = x->uid;
	for (struct removal *x = d->removals, *after; x && n < AT_ONCE; x = after) {
		unsigned own = 0;
		int r;

		after = x->next;
		for (size_t i = 0; i < n; i++)
			own += running[i] == x->uid;
		if (x->pid || own >= EACH)
			continue;
		r = start(x);
		if (r < 0)
			finish(x, r);
		else
			running[n++] = x->uid;
	}
}

static void drop(struct removal *x)
{
	struct removal **at = &x->d->removals;

	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
	sd_event_source_disable_unref(x->source);
	own_close(&x->parent_fd);
	free(x);
}

static void finish(struct removal *x, int result)
{
	void (*done)(void *data, int result) = x->done;
	void *data = x->data;

	if (!result && unlinkat(x->parent_fd, x->name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		result = -errno;
	if (result < 0)
		fprintf(stderr, "oshd: directory '%s' stays, until oshd starts again: %s\n", x->name, strerror(-result));
	drop(x);
	done(data, result);
}

static int on_exited(sd_event_source *src, int fd, uint32_t events, void *data)
{
	struct removal *x = data;
	struct daemon *d = x->d;
	int status = 0;

	(void)src;
	(void)fd;
	(void)events;
	x->source = sd_event_source_disable_unref(x->source);
	waitpid(x->pid, &status, 0);
	status = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	x->pid = 0;
	if (status && !x->as_root)
		x->as_root = true;	/* something in there is not its owner's */
	else
		finish(x, -status);
	next(d);
	return 0;
}

static int start(struct removal *x)
{
	int pidfd = -1, r;

	x->pid = spawn_fork(&pidfd);
	if (x->pid == 0)
		child(x->parent_fd, x->name, x->as_root);
	if (x->pid < 0) {
		x->pid = 0;
		return -errno;
	}
	r = sd_event_add_io(x->d->event, &x->source, pidfd, EPOLLIN, on_exited, x);
	if (r >= 0) {
		sd_event_source_set_io_fd_own(x->source, 1);
		return 0;
	}
	kill(x->pid, SIGKILL);
	waitpid(x->pid, NULL, 0);
	x->pid = 0;
	close(pidfd);
	return r;
}

static int on_turn(sd_event_source *src, void *data)
{
	sd_event_source_unref(src);
	next(data);
	return 0;
}

int tree_remove(struct daemon *d, int parent_fd, const char *name, void (*done)(void *data, int result), void *data,
		struct err *e)
{
	struct removal *x = calloc(1, sizeof(*x)), **at = &d->removals;
	sd_event_source *turn;
	struct stat st;
	int r;

	if (!x || strlen(name) >= sizeof(x->name)) {
		free(x);
		return fail(e, ENOMEM, "out of memory");
	}
	*x = (struct removal){ .d = d, .done = done, .data = data, .parent_fd = fcntl(parent_fd, F_DUPFD_CLOEXEC, 3) };
	strcpy(x->name, name);
	x->uid = fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : st.st_uid;
	/* From the loop: done() is never called before this has returned. */
	r = x->parent_fd < 0 ? -errno : sd_event_add_defer(d->event, &turn, on_turn, d);
	if (r < 0) {
		own_close(&x->parent_fd);
		free(x);
		return fail(e, -r, "remove directory '%s': %s", name, strerror(-r));
	}
	while (*at)
		at = &(*at)->next;
	*at = x;
	return 0;
}

void tree_close(struct daemon *d)
{
	while (d->removals) {
		struct removal *x = d->removals;

		if (x->pid > 0) {
			kill(x->pid, SIGKILL);
			waitpid(x->pid, NULL, 0);
		}
		drop(x);
	}
}
