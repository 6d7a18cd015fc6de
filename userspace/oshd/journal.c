/* SPDX-License-Identifier: Apache-2.0 */
#include "journal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "chain.h"
#include "note.h"
#include "own.h"

#define STATE "/var/lib/osh"
#define NUMBER_MAX 99999999u		/* eight digits */
#define SUFFIX ".jsonl"
#define NAME_BYTES 32
#define LOCK_TRIES 500			/* of 10 ms: an osh-audit whose oshd was killed is killed too, at once */
#define FILES_MAX 4096			/* in one directory; someone else put them there */

static const char *const prefixes[OSH_JOURNAL_KINDS] = { [OSH_JOURNAL_DENIED] = "denied-", [OSH_JOURNAL_ALLOWED] = "allowed-" };

/* Ours: whoever else could write there would choose what root opens. */
static int enter(int at, const char *name, bool make, int *ret_fd, struct err *e)
{
	_close_ int fd = -1;
	struct stat st;

	if (make && mkdirat(at, name, 0700) < 0 && errno != EEXIST)
		return fail(e, errno, "log directory '%s': %s", name, strerror(errno));
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(e, errno, "log directory '%s': %s", name, strerror(errno));
	if (fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 022))
		return fail(e, EPERM, "log directory '%s': must be root's, and nobody else's to write", name);
	*ret_fd = take_fd(&fd);
	return 0;
}

static int log_dir(struct daemon *d, bool make, int *ret_fd, struct err *e)
{
	_close_ int state = -1;
	int r = enter(AT_FDCWD, d->config.state ? d->run : STATE, make, &state, e);

	return r ? r : enter(state, "log", make, ret_fd, e);
}

static int user_dir(struct daemon *d, uid_t uid, bool make, int *ret_fd, struct err *e)
{
	_close_ int log = -1;
	char name[16];
	int r = log_dir(d, make, &log, e);

	snprintf(name, sizeof(name), "%u", uid);
	return r ? r : enter(log, name, make, ret_fd, e);
}

/* 0 = no name of ours. */
static uint32_t number_of(const char *name, uint32_t kind)
{
	size_t n = strlen(prefixes[kind]);

	if (strncmp(name, prefixes[kind], n) || strlen(name) != n + 8 + strlen(SUFFIX) ||
	    strspn(name + n, "0123456789") != 8 || strcmp(name + n + 8, SUFFIX))
		return 0;
	return (uint32_t)strtoul(name + n, NULL, 10);
}

static void name_of(uint32_t kind, uint32_t number, char ret[NAME_BYTES])
{
	snprintf(ret, NAME_BYTES, "%s%08u" SUFFIX, prefixes[kind], number > NUMBER_MAX ? NUMBER_MAX : number);
}

static int by_number(const void *x, const void *y)
{
	const uint32_t *a = x, *b = y;

	return *a < *b ? -1 : *a > *b;
}

/* Numbers of the files of a kind in a directory, oldest first. The caller frees. */
static int numbers(int dir, uint32_t kind, uint32_t **ret, size_t *ret_n, struct err *e)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *s = fd < 0 ? NULL : fdopendir(fd);
	uint32_t *all = s ? malloc(FILES_MAX * sizeof(*all)) : NULL;
	size_t n = 0;

	if (!all) {
		int why = errno;

		if (s)
			closedir(s);
		else
			own_close(&fd);
		return fail(e, why, "list the log: %s", strerror(why));
	}
	for (struct dirent *at; n < FILES_MAX && (at = readdir(s));)
		if (number_of(at->d_name, kind))
			all[n++] = number_of(at->d_name, kind);
	closedir(s);
	qsort(all, n, sizeof(*all), by_number);
	*ret = all;
	*ret_n = n;
	return 0;
}

/*
 * An osh-audit that was killed, or a power cut, may have left a part of a line at the end. It is nobody's: the event is
 * told again by whom it came from. So the file is cut back to its last whole line.
 */
static int mend(int fd, struct journal_file *f, struct err *e)
{
	_free_ char *end = malloc(OSH_LOG_LINE);
	size_t n = f->size < OSH_LOG_LINE ? (size_t)f->size : OSH_LOG_LINE;
	const char *nl;

	if (!end || pread(fd, end, n, (off_t)(f->size - n)) != (ssize_t)n)
		return fail(e, EIO, "read the end of the log");
	nl = memrchr(end, '\n', n);
	if (!nl && f->size > n)
		return fail(e, EBADMSG, "the log does not end in a line");
	n -= nl ? (size_t)(nl + 1 - end) : 0;
	if (n && ftruncate(fd, (off_t)(f->size - n)) < 0)
		return fail(e, errno, "cut back the log: %s", strerror(errno));
	f->size -= n;
	if (!f->size)
		return 0;
	if (nl + 1 - end < CHAIN_TAIL || !chain_tail(nl + 1 - CHAIN_TAIL, f->chain))
		return fail(e, EBADMSG, "the log does not end in a link of its chain");
	return 0;
}

/* The end of a file: its size, and what its chain stands at; not where osh-audit is writing there. */
static int look(int dir, uint32_t kind, uint32_t number, bool busy, struct journal_file *ret, struct err *e)
{
	_close_ int fd = -1;
	struct stat st;
	char name[NAME_BYTES];

	name_of(kind, number, name);
	*ret = (struct journal_file){ .kind = kind, .number = number, .fd = -1 };
	fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(e, errno, "log file '%s': %s", name, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
		return fail(e, EPERM, "log file '%s': must be root's, with mode 0600", name);
	ret->size = (uint64_t)st.st_size;
	return busy ? 0 : mend(fd, ret, e);
}

static int open_append(int dir, struct journal_file *f, int more, struct err *e)
{
	char name[NAME_BYTES];

	name_of(f->kind, f->number, name);
	f->fd = openat(dir, name, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC | more, 0600);
	if (f->fd < 0)
		return fail(e, errno, "log file '%s': %s", name, strerror(errno));
	return 0;
}

static void remove_oldest(int dir, uint32_t kind, const uint32_t *all, size_t n)
{
	char name[NAME_BYTES];

	for (size_t i = 0; i + OSH_LOG_FILES <= n; i++) {
		name_of(kind, all[i], name);
		if (unlinkat(dir, name, 0) < 0)
			fprintf(stderr, "oshd: old log file '%s' stays: %s\n", name, strerror(errno));
	}
}

/* The oldest goes first: the room may be what the new one needs. Its name is on disk before a line is in it. */
static int make_next(int dir, const uint32_t *all, size_t n, struct journal_file *f, struct err *e)
{
	if (f->number >= NUMBER_MAX)
		return fail(e, EOVERFLOW, "no number is left for a log file");
	remove_oldest(dir, f->kind, all, n);
	f->number++;
	f->size = 0;
	if (open_append(dir, f, O_CREAT | O_EXCL, e) < 0)
		return -e->code;
	if (fsync(dir) < 0)
		fprintf(stderr, "oshd: log directory: %s\n", strerror(errno));
	return 0;
}

static int go_on(struct daemon *d, uid_t uid, uint32_t kind, uint32_t full, struct journal_file *ret, struct err *e)
{
	_close_ int dir = -1;
	_free_ uint32_t *all = NULL;
	struct journal_file last = { .kind = kind, .fd = -1 }, before;
	struct err why = { 0 };
	size_t n = 0;
	int r = user_dir(d, uid, true, &dir, e);

	if (!r)
		r = numbers(dir, kind, &all, &n, e);
	if (r)
		return r;
	/* A file that cannot be continued is left as it is: the chain breaks there, which is what happened to it. */
	if (n && look(dir, kind, all[n - 1], all[n - 1] == full, &last, &why) < 0) {
		note(NULL, uid, "the log of uid %u goes on in another file: %s", uid, why.text);
		memset(last.chain, 0, sizeof(last.chain));
		last.size = OSH_LOG_BYTES;
	}
	if (n > 1 && !last.size && look(dir, kind, all[n - 2], all[n - 2] == full, &before, &why) == 0)
		memcpy(last.chain, before.chain, sizeof(last.chain));
	if (n && last.size < OSH_LOG_BYTES)
		r = open_append(dir, &last, 0, e);
	else
		r = make_next(dir, all, n, &last, e);
	if (!r)
		*ret = last;
	return r;
}

int journal_open(struct daemon *d, uid_t uid, uint32_t kind, struct journal_file *ret, struct err *e)
{
	return go_on(d, uid, kind, 0, ret, e);
}

int journal_next(struct daemon *d, uid_t uid, uint32_t kind, uint32_t full, struct journal_file *ret, struct err *e)
{
	return go_on(d, uid, kind, full, ret, e);
}

static int list_kind(int dir, uint32_t kind, struct journal_file *ret, size_t *n, struct err *e)
{
	_free_ uint32_t *all = NULL;
	char name[NAME_BYTES];
	size_t n_all = 0;
	int r = numbers(dir, kind, &all, &n_all, e);

	for (size_t i = n_all > OSH_LOG_FILES ? n_all - OSH_LOG_FILES : 0; !r && i < n_all; i++) {
		name_of(kind, all[i], name);
		ret[*n] = (struct journal_file){ .kind = kind, .number = all[i],
						 .fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) };
		if (ret[*n].fd >= 0)
			++*n;
		else if (errno != ENOENT)
			r = fail(e, errno, "log file '%s': %s", name, strerror(errno));
	}
	return r;
}

int journal_list(struct daemon *d, uid_t uid, struct journal_file *ret, size_t *ret_n, struct err *e)
{
	_close_ int dir = -1;
	int r = user_dir(d, uid, false, &dir, e);

	*ret_n = 0;
	if (r == -ENOENT)
		return 0;
	for (uint32_t kind = 0; !r && kind < OSH_JOURNAL_KINDS; kind++)
		r = list_kind(dir, kind, ret, ret_n, e);
	while (r && *ret_n)
		own_close(&ret[--*ret_n].fd);
	return r;
}

int journal_each(struct daemon *d, int (*fn)(void *data, uid_t uid), void *data, struct err *e)
{
	int fd = -1, r = log_dir(d, false, &fd, e);
	DIR *s = r ? NULL : fdopendir(fd);

	if (r == -ENOENT)
		return 0;
	if (!s) {
		own_close(&fd);
		return r ? r : fail(e, ENOMEM, "out of memory");
	}
	for (struct dirent *at; !r && (at = readdir(s));)
		if (at->d_name[0] && strspn(at->d_name, "0123456789") == strlen(at->d_name) && strlen(at->d_name) < 11)
			r = fn(data, (uid_t)strtoul(at->d_name, NULL, 10));
	closedir(s);
	return r;
}

int journal_lock(struct daemon *d, int *ret_fd, struct err *e)
{
	const struct timespec moment = { .tv_nsec = 10000000 };
	_close_ int dir = -1;
	_close_ int fd = -1;
	int r = log_dir(d, true, &dir, e);

	if (r)
		return r;
	fd = openat(dir, "lock", O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(e, errno, "log/lock: %s", strerror(errno));
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK || i == LOCK_TRIES)
			return fail(e, EBUSY, "another osh-audit still writes the logs");
		nanosleep(&moment, NULL);
	}
	*ret_fd = take_fd(&fd);
	return 0;
}
