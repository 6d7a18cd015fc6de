/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `oshctl sandbox upload` and `download`: no archive and no helper inside. osh-init hands out a directory as
 * the sandbox sees it, and the trees are copied here, with the rights of who asks; root takes the sandbox's
 * own for everything that it does inside.
 */
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "copy.h"
#include "json.h"
#include "own.h"
#include "say.h"
#include "session.h"
#include "usage.h"
#include "verbs.h"

#define TOLD 1000			/* left out ones that --json names; all are counted */
#define TICK_NS 100000000ull

struct job {
	struct sessions s;
	struct copy c;
	bool json, terminal, line;	/* line: the progress stands there */
	struct buf told;		/* pairs of strings */
	unsigned n_told;
	uint64_t next_tick;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = sig;
}

static bool stop(void *data)
{
	(void)data;
	return interrupted;
}

static const char *size_text(uint64_t n)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	static char text[32];
	double x = (double)n;
	size_t u = 0;

	for (; x >= 1024 && u + 1 < ARRAY_SIZE(units); u++)
		x /= 1024;
	snprintf(text, sizeof(text), u ? "%.1f %s" : "%.0f %s", x, units[u]);
	return text;
}

static void clear_line(struct job *j)
{
	if (j->line)
		fputs("\r\033[K", stderr);
	j->line = false;
}

static void tick(void *data)
{
	struct job *j = data;
	struct timespec t;
	uint64_t now;

	if (!j->terminal)
		return;
	clock_gettime(CLOCK_MONOTONIC, &t);
	now = (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
	if (now < j->next_tick)
		return;
	j->next_tick = now + TICK_NS;
	fprintf(stderr, "\r\033[K%llu files, %s", (unsigned long long)j->c.files, size_text(j->c.bytes));
	fflush(stderr);
	j->line = true;
}

/* The sandbox chose the name: it must not look like lines of ours. Other control bytes say_error() escapes. */
static const char *one_line(const char *path, char *to, size_t room)
{
	size_t n = 0;

	for (; *path && n + 1 < room; path++)
		to[n++] = *path == '\n' || *path == '\t' ? '?' : *path;
	to[n] = 0;
	return to;
}

static void skipped(void *data, const char *path, const char *why)
{
	struct job *j = data;
	char line[4096];

	if (!j->json) {
		clear_line(j);
		say_error("left out: %s: %s", one_line(path, line, sizeof(line)), why);
	} else if (j->n_told < TOLD) {
		buf_put(&j->told, path, strlen(path) + 1);
		buf_put(&j->told, why, strlen(why) + 1);
		j->n_told += buf_ok(&j->told);
	}
}

static int ask_file(struct job *j, const char *path, uint32_t flags, int *ret_fd, struct err *e)
{
	struct osh_msg_file m = { .flags = flags, .mode = 0777 & ~j->c.mask };
	int fd, r;

	if (*path != '/' || strlen(path) >= sizeof(m.path))
		return fail(e, EINVAL, "'%.150s': not an absolute path in the sandbox", path);
	strcpy(m.path, path);
	r = session_open(&j->s, 0, &fd, e);
	return r ? r : session_ask(fd, OSH_MSG_INIT_FILE, &m, sizeof(m), ret_fd, e);
}

/* Root has no business of its own inside: what it makes there is the sandbox's, whose home says who that is. */
static int take_identity(struct job *j, struct err *e)
{
	_close_ int home = -1;
	struct stat st;
	int r = geteuid() ? 0 : ask_file(j, "/sandbox", 0, &home, e);

	if (r || home < 0)
		return r;
	if (fstat(home, &st) < 0 || !st.st_uid || !st.st_gid)
		return fail(e, EPERM, "the sandbox's own identity is unknown");
	if (setgroups(0, NULL) < 0)	/* root's own groups reach nothing inside, and outside root needs none */
		return fail(e, errno, "leave root's groups: %s", strerror(errno));
	j->c.as_other = true;
	j->c.uid = st.st_uid;
	j->c.gid = st.st_gid;
	return 0;
}

static bool is_dir(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISDIR(st.st_mode);
}

/* A path outside: what its owner typed is followed, wherever it leads. */
static int outside(const char *path, int flags, struct err *e)
{
	int fd = open(path, flags | O_CLOEXEC);

	return fd < 0 ? fail(e, errno, "'%.200s': %s", path, strerror(errno)) : fd;
}

static int open_path(struct job *j, enum copy_side side, const char *path, int *ret_fd, struct err *e)
{
	int fd;

	if (side == j->c.inside)	/* what is read may be named by a link; what is written is what was named */
		return ask_file(j, path, side == COPY_TO ? OSH_FILE_PLAIN : 0, ret_fd, e);
	fd = outside(path, O_PATH, e);
	if (fd >= 0)
		*ret_fd = fd;
	return fd < 0 ? fd : 0;
}

static int make_path(struct job *j, const char *path, int *ret_fd, struct err *e)
{
	if (j->c.inside == COPY_TO)
		return ask_file(j, path, OSH_FILE_MAKE, ret_fd, e);
	if (mkdir(path, 0777) < 0 && errno != EEXIST)
		return fail(e, errno, "make '%.200s': %s", path, strerror(errno));
	return open_path(j, COPY_TO, path, ret_fd, e);
}

/* The directory that a path lies in, as text: "a" -> ".", "/a" -> "/". */
static int parent(const char *path, char *ret, size_t n)
{
	size_t end = strlen(path);

	if (end >= n)
		return -ENAMETOOLONG;
	strcpy(ret, path);
	while (end > 1 && ret[end - 1] == '/')
		end--;
	while (end && ret[end - 1] != '/')
		end--;
	while (end > 1 && ret[end - 1] == '/')
		end--;
	strcpy(ret + end, end ? "" : ".");
	return 0;
}

/*
 * Where it all goes: a directory that is there, or is made because a directory is meant; or, for one source,
 * a new name in the directory that the path lies in.
 */
static int open_to(struct job *j, const char *path, bool many, int *ret_fd, char *name, size_t n, struct err *e)
{
	size_t len = strlen(path);
	bool meant = many || (len && path[len - 1] == '/');
	char up[PATH_MAX];
	_close_ int fd = -1;
	int r = open_path(j, COPY_TO, path, &fd, e);

	*name = 0;
	if (r == -ENOENT && meant)
		r = make_path(j, path, &fd, e);
	if (!r && is_dir(fd)) {
		*ret_fd = take_fd(&fd);
		return 0;
	}
	if (!r && meant)
		return fail(e, ENOTDIR, "'%.200s' is no directory", path);
	if (r && r != -ENOENT)
		return r;
	if (copy_last(path, name, n) < 0 || !*name || parent(path, up, sizeof(up)) < 0)
		return fail(e, EINVAL, "'%.200s': no name for a copy", path);
	own_close(&fd);
	return open_path(j, COPY_TO, up, ret_fd, e);
}

static int copy_source(struct job *j, const char *path, int to, const char *as, struct err *e)
{
	char name[NAME_MAX + 1];
	_close_ int from = -1;
	struct err why = { 0 };

	j->c.path.n = 0;
	buf_put(&j->c.path, path, strlen(path) + 1);
	if (open_path(j, COPY_FROM, path, &from, &why) < 0)
		return copy_skip(&j->c, why.code, why.text);
	if (!*as && copy_last(path, name, sizeof(name)) < 0)
		return copy_skip(&j->c, EINVAL, "no name for a copy");
	as = *as ? as : name;
	if (*as)
		return copy_node(&j->c, from, to, as, e);
	return is_dir(from) ? copy_tree(&j->c, from, to, e) : copy_skip(&j->c, ENOTDIR, NULL);
}

static int copy_all(struct job *j, char **paths, int n, struct err *e)
{
	char name[NAME_MAX + 1];
	_close_ int to = -1;
	int r = take_identity(j, e);

	if (!r)
		r = open_to(j, paths[n - 1], n > 2, &to, name, sizeof(name), e);
	for (int i = 0; !r && i < n - 1; i++)
		r = copy_source(j, paths[i], to, name, e);
	return r;
}

static void say_json(struct job *j)
{
	struct json out = json_to_file(stdout);
	const char *at = j->told.p;

	json_obj(&out);
	json_kv_u64(&out, "files", j->c.files);
	json_kv_u64(&out, "directories", j->c.dirs);
	json_kv_u64(&out, "links", j->c.symlinks);
	json_kv_u64(&out, "bytes", j->c.bytes);
	json_kv_u64(&out, "left_out", j->c.left_out);
	json_key(&out, "left_out_paths");
	json_arr(&out);
	for (unsigned i = 0; i < j->n_told; i++) {
		json_obj(&out);
		json_kv_str(&out, "path", at);
		at += strlen(at) + 1;
		json_kv_str(&out, "why", at);
		at += strlen(at) + 1;
		json_end(&out);
	}
	json_end(&out);
	json_end(&out);
	(void)json_line(&out);
}

static int report(struct job *j, int r, const struct err *e)
{
	clear_line(j);
	if (j->json) {
		say_json(j);
	} else if (r == 0 || j->c.files || j->c.dirs) {
		fprintf(stderr, "%llu files, %llu directories, %s", (unsigned long long)j->c.files,
			(unsigned long long)j->c.dirs, size_text(j->c.bytes));
		if (j->c.left_out)
			fprintf(stderr, "; %llu left out", (unsigned long long)j->c.left_out);
		fputc('\n', stderr);
	}
	if (r < 0)
		say_error("%s", e->text);
	if (interrupted)
		return 128 + interrupted;
	return r < 0 || j->c.left_out || fflush(stdout) ? EXIT_REFUSED : EXIT_DONE;
}

static int run(struct job *j, const char *socket, char **args, int n)
{
	struct sigaction act = { .sa_handler = on_signal };
	struct err e = { 0 };
	int r;

	j->c.mask = umask(0);
	umask(j->c.mask);
	j->terminal = !j->json && isatty(STDERR_FILENO);
	j->c.skipped = skipped;
	j->c.tick = tick;
	j->c.stop = stop;
	j->c.data = j;
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	r = sessions_init(&j->s, socket, args[0], &e);
	if (!r)
		r = copy_all(j, args + 1, n - 1, &e);
	sessions_done(&j->s);
	r = report(j, r, &e);
	buf_done(&j->c.path);
	buf_done(&j->told);
	return r;
}

static int command(const char *verb, enum copy_side inside, int argc, char **argv)
{
	static const struct option options[] = { { "links", no_argument, NULL, 'l' },
						 { "json", no_argument, NULL, 'j' },
						 { "socket", required_argument, NULL, 's' },
						 { 0 } };
	struct job j = { .c.inside = inside };
	const char *socket = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "l", options, NULL)) != -1) {
		if (c == 'l')
			j.c.links = true;
		else if (c == 'j')
			j.json = true;
		else if (c == 's')
			socket = optarg;
		else
			return help_usage(verb);
	}
	if (!usage_operands(argc, argv, inside == COPY_TO ? "NAME LOCAL... DEST" : "NAME SRC... LOCAL"))
		return help_usage(verb);
	return run(&j, socket, argv + optind, argc - optind);
}

int cmd_sandbox_upload(int argc, char **argv)
{
	return command("sandbox upload", COPY_TO, argc, argv);
}

int cmd_sandbox_download(int argc, char **argv)
{
	return command("sandbox download", COPY_FROM, argc, argv);
}
