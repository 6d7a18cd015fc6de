// SPDX-License-Identifier: Apache-2.0
/*
 * Programs in trees that a sandbox can write: recognised by the struct inode behind a descriptor and
 * by its times of change. Runs in oshd; the descriptors come from osh-launch. Trusts the kernel's
 * iterator and nothing about names or inode numbers.
 */
#include "kbpf.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "own.h"

#define FDS_MAX 1024			/* in one call */
#define TICK_NS 5000000ll
#define TICKS_MAX 200			/* until the clock that stamps files counts as stuck */

static long long ns_of(const struct timespec *t)
{
	return t->tv_sec * 1000000000ll + t->tv_nsec;
}

/* fstat() also makes a kernel with fine timestamps stamp the next change apart from this one. */
static int last_change(int fd, const char *path, long long *newest, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(e, errno, "program '%s': %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(e, EINVAL, "program '%s' is not a regular file", path);
	if (ns_of(&st.st_ctim) > *newest)
		*newest = ns_of(&st.st_ctim);
	return 0;
}

/*
 * Other kernels stamp by the tick: a file changed in the tick that still lasts could change again
 * unseen. So wait until that clock has gone on; it may lag, so a time alone would not do. A time that
 * lies ahead needs no waiting: the next change gets another one.
 */
static int pass_tick(long long newest, struct err *e)
{
	const struct timespec tick = { .tv_nsec = TICK_NS };
	struct timespec now;

	for (int i = 0; i < TICKS_MAX; i++) {
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
		if (ns_of(&now) > newest || ns_of(&now) + TICKS_MAX * TICK_NS < newest)
			return 0;
		nanosleep(&tick, NULL);
	}
	return fail(e, EAGAIN, "the clock that stamps files does not go on");
}

/* One run of the iterator over this thread's descriptors. */
static int visit(const struct kbpf *k, struct err *e)
{
	union bpf_iter_link_info info = { .task.tid = (__u32)syscall(SYS_gettid) };
	LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = &info, .iter_info_len = sizeof(info));
	_close_ int link = -1, iter = -1;
	char none[64];
	ssize_t n;

	link = bpf_link_create(kbpf_prog_fd(k, OSH_HOOK_INODES), 0, BPF_TRACE_ITER, &opts);
	if (link < 0)
		return fail(e, errno, "descriptor iterator: %s", strerror(errno));
	iter = bpf_iter_create(link);
	if (iter < 0)
		return fail(e, errno, "descriptor iterator: %s", strerror(errno));
	do {
		n = read(iter, none, sizeof(none));
	} while (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)));
	return n < 0 ? fail(e, errno, "descriptor iterator: %s", strerror(errno)) : 0;
}

static int enter(struct kbpf *k, const struct kbpf_sandbox *s, const struct bundle *b, const char *path,
		 const struct osh_fd_inode *f, struct err *e)
{
	struct osh_inode_key key = { .inode = f->inode, .id = s->id, .generation = s->generation };
	struct osh_inode v, was;

	if (!f->inode)
		return fail(e, ENOENT, "program '%s': its descriptor was not visited", path);
	if (f->writers)
		return fail(e, ETXTBSY, "program '%s' is open for writing", path);
	v = (struct osh_inode){
		.mtime_s = f->mtime_s, .mtime_ns = f->mtime_ns,
		.ctime_s = f->ctime_s, .ctime_ns = f->ctime_ns,
	};
	if (strlen(path) >= sizeof(v.path))
		return fail(e, ENAMETOOLONG, "program '%.64s…': path too long", path);
	strcpy(v.path, path);
	kbpf_row_groups(b, path, v.groups);
	if (!bpf_map_lookup_elem(k->map[KMAP_INODES], &key, &was)) {
		for (int i = 0; i < OSH_GROUP_WORDS; i++)
			v.groups[i] |= was.groups[i];	/* one file under several rows */
		v.ident = was.ident;
	}
	return kbpf_put(k, s, KMAP_INODES, &key, &v, 1, e);
}

static void forget(int map, const int *fds, int n)
{
	for (int i = 0; i < n; i++)
		(void)bpf_map_delete_elem(map, &fds[i]);
}

int kbpf_register_inodes(struct kbpf *k, const struct kbpf_sandbox *s, const struct bundle *b,
			 const int *fds, const uint32_t *binary, int n, struct err *e)
{
	int map = kbpf_map_fd(k, "fd_inodes"), r = 0;
	long long newest = 0;

	if (n < 0 || n > FDS_MAX)
		return fail(e, E2BIG, "%d programs to register at once, at most %d", n, FDS_MAX);
	for (int i = 0; i < n && !r; i++)
		r = binary[i] < b->n_binaries ?
			    last_change(fds[i], bundle_str(b, b->binaries[binary[i]].path), &newest, e) :
			    fail(e, EINVAL, "program %u is not in the policy", binary[i]);
	if (!r && n)
		r = pass_tick(newest, e);	/* once for all: a caller may list hundreds */
	if (r < 0)
		return r;
	for (int i = 0; i < n; i++) {
		struct osh_fd_inode zero = { 0 };

		if (!bpf_map_update_elem(map, &fds[i], &zero, BPF_ANY))
			continue;
		forget(map, fds, i);
		return fail(e, errno, "map 'fd_inodes': %s", strerror(errno));
	}
	r = n ? visit(k, e) : 0;
	for (int i = 0; i < n && !r; i++) {
		struct osh_fd_inode f = { 0 };

		(void)bpf_map_lookup_elem(map, &fds[i], &f);	/* absent = not visited */
		r = enter(k, s, b, bundle_str(b, b->binaries[binary[i]].path), &f, e);
	}
	forget(map, fds, n);
	return r;
}

static int look(struct kbpf *k, int fd, struct osh_fd_inode *ret, struct err *e)
{
	int map = kbpf_map_fd(k, "fd_inodes"), r;

	*ret = (struct osh_fd_inode){ 0 };
	if (bpf_map_update_elem(map, &fd, ret, BPF_ANY))
		return fail(e, errno, "map 'fd_inodes': %s", strerror(errno));
	r = visit(k, e);
	(void)bpf_map_lookup_elem(map, &fd, ret);	/* absent = not visited */
	forget(map, &fd, 1);
	return r;
}

int kbpf_inode_of(struct kbpf *k, int fd, const char *what, struct osh_fd_inode *ret, struct err *e)
{
	int r = look(k, fd, ret, e);

	return !r && !ret->inode ? fail(e, ENOENT, "'%s': its descriptor was not visited", what) : r;
}

int kbpf_fd_check(struct kbpf *k, int fd, const char *what, struct err *e)
{
	struct osh_fd_inode f;
	int r;

	if (fd < 0 || fcntl(fd, F_GETPIPE_SZ) > 0)
		return 0;
	r = look(k, fd, &f, e);
	if (!r && (!f.inode || (f.flags & OSH_FD_USERS)))
		r = fail(e, EPERM, "%s lies on a file system that a user runs (FUSE): whoever writes there "
			 "may have to wait for ever", what);
	return r;
}
