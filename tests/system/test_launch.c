/* SPDX-License-Identifier: Apache-2.0 */
/*
 * osh-launch as oshd sees it: the whole protocol with a real osh-init behind it, what a finished
 * sandbox holds, failures with their reasons, and what is left when either side goes.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../userspace/oshd/kernel/cgroup.h"
#include "chan.h"
#include "own.h"
#include "policy.h"

#include <cmocka.h>

#define RUN_UID 1900009999u
#define WAIT_MS 20000

struct rig {
	pid_t pid;			/* osh-launch */
	int peer;
	int manager, control;		/* our ends of the last sandbox' sockets: its manager's and its session's */
	char socket[128];		/* where a resident one listens */
};

static struct cgroup_base cgroups;
static char dir[64], program[512], instance[64];
static int dns_fd, steer_fd, map_fd;
static uint32_t next_id = 1;

static int program_of(enum bpf_prog_type type, enum bpf_attach_type attach, int ret)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = ret },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, o, .expected_attach_type = attach);

	return bpf_prog_load(type, "osh_test", "GPL", code, ARRAY_SIZE(code), &o);
}

/* A program of our own in a process with descriptor 3 as its peer. */
static void rig_start(struct rig *r, bool resident)
{
	struct err e = { 0 };
	int pair[2];

	/* Its watcher takes the whole instance away at the end: a new one for each. */
	cgroup_close(&cgroups, true);
	assert_int_equal(cgroup_open(&cgroups, instance, &e), 0);
	*r = (struct rig){ .manager = -1, .control = -1 };
	snprintf(r->socket, sizeof(r->socket), "%s/launch", dir);
	assert_int_equal(chan_pair(pair), 0);
	r->pid = fork();
	if (r->pid == 0) {
		if (dup2(pair[1], 3) < 0)
			_exit(1);
		fcntl(3, F_SETFD, 0);
		if (resident)
			execl(program, "osh-launch", "--listen", r->socket, NULL);
		else
			execl(program, "osh-launch", "--embedded", NULL);
		_exit(127);
	}
	close(pair[1]);
	r->peer = pair[0];
}

static int rig_end(struct rig *r)
{
	int st = -1;

	own_close(&r->peer);
	for (int i = 0; i < WAIT_MS / 10; i++) {
		if (waitpid(r->pid, &st, WNOHANG) == r->pid)
			break;
		usleep(10000);
	}
	own_close(&r->control);
	own_close(&r->manager);
	return st;
}

static bool readable(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, WAIT_MS) == 1;
}

static int bundle_fd(const char *policy)
{
	int fd = memfd_create("bundle", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct diags d = { 0 };
	struct buf b = { 0 };

	assert_int_equal(policy_compile(slice_of(policy), &d, &b), 0);
	assert_int_equal(write(fd, b.p, b.n), (ssize_t)b.n);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL), 0);
	buf_done(&b);
	diags_done(&d);
	return fd;
}

static const char usual[] = "version: 1\nfilesystem_policy:\n  include_workdir: true\n"
			    "  read_only: [/usr, /etc]\n";

/* Sends a request; the sandbox's cgroup is its own. */
static uint32_t launch(struct rig *r, const char *policy, void (*spoil)(struct osh_msg_launch *))
{
	struct osh_msg_launch m = { .id = next_id++, .run_uid = RUN_UID, .run_gid = RUN_UID,
				    .flags = OSH_LAUNCH_IDMAP, .net6 = { 0xfd } };
	int fds[OSH_LFD_MAX] = { [OSH_LFD_DNS] = dns_fd, [OSH_LFD_STEER] = steer_fd,
				 [OSH_LFD_STEER_MAP] = map_fd };
	struct osh_msg_open run = { .flags = OSH_OPEN_ENDS | OSH_OPEN_TIED };
	struct err e = { 0 };
	uint64_t cgroup;
	int pair[2], manager[2];

	snprintf(m.name, sizeof(m.name), "test-%u", m.id);
	snprintf(m.workdir, sizeof(m.workdir), "%s/work", dir);
	assert_int_equal(chan_pair(pair), 0);
	assert_int_equal(chan_pair(manager), 0);
	assert_int_equal(chan_send(manager[0], OSH_MSG_INIT_OPEN, &run, sizeof(run), &pair[1], 1), 0);
	close(pair[1]);
	fds[OSH_LFD_BUNDLE] = bundle_fd(policy);
	fds[OSH_LFD_ROOT] = fds[OSH_LFD_ANCHORS] = fds[OSH_LFD_BUNDLE];	/* no trust in the flags */
	fds[OSH_LFD_MANAGER] = manager[1];
	fds[OSH_LFD_WORKDIR] = open(m.workdir, O_PATH | O_CLOEXEC);
	assert_int_equal(cgroup_make(cgroups.box_fd, m.id, &fds[OSH_LFD_CGROUP], &cgroup, &e), 0);
	if (spoil)
		spoil(&m);
	assert_int_equal(chan_send(r->peer, OSH_MSG_LAUNCH, &m, sizeof(m), fds, OSH_LFD_MAX), 0);
	for (int i = 0; i <= OSH_LFD_CGROUP; i++)
		close(fds[i]);
	own_close(&r->control);
	own_close(&r->manager);
	r->control = pair[0];
	r->manager = manager[0];
	return next_id - 1;
}

static void next(struct rig *r, struct chan_in *in)
{
	assert_true(readable(r->peer));
	assert_int_equal(chan_recv(r->peer, in), 1);
}

/* The reason that osh-launch gives for a request; "" if it prepared it. */
static const char *reason(struct rig *r, const char *policy, void (*spoil)(struct osh_msg_launch *))
{
	static char text[240];
	struct osh_msg_failed f;
	struct chan_in in;
	uint32_t id = launch(r, policy, spoil);

	next(r, &in);
	*text = 0;
	if (in.h.type == OSH_MSG_FAILED) {
		memcpy(&f, in.bytes, sizeof(f));
		assert_true(f.id == id || spoil);
		assert_true(f.code > 0);
		memcpy(text, f.text, sizeof(text));
	}
	chan_in_done(&in);
	return text;
}

static void prepared(struct rig *r, uint32_t id, struct osh_msg_prepared *p, struct chan_in *in)
{
	next(r, in);
	if (in->h.type == OSH_MSG_FAILED)
		print_error("%s\n", ((struct osh_msg_failed *)(void *)in->bytes)->text);
	assert_non_null(chan_is(in, OSH_MSG_PREPARED, sizeof(*p), OSH_PFD_MAX));
	memcpy(p, in->bytes, sizeof(*p));
	assert_int_equal(p->id, id);
}

static void go(struct rig *r, uint32_t id)
{
	struct osh_msg_id m = { .id = id };

	assert_int_equal(chan_send(r->peer, OSH_MSG_GO, &m, sizeof(m), NULL, 0), 0);
}

/* The command for osh-init; its stdio is /dev/null of ours. */
static void command(struct rig *r, const char *strings, size_t n, uint32_t argc)
{
	struct osh_msg_init_spec s = { .argc = argc, .bytes = (uint32_t)n, .flags = OSH_SPEC_FDS,
				       .umask = 022 };
	int fds[4] = { memfd_create("spec", MFD_CLOEXEC | MFD_ALLOW_SEALING) };

	assert_int_equal(write(fds[0], strings, n), (ssize_t)n);
	assert_int_equal(fcntl(fds[0], F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL), 0);
	for (int i = 1; i < 4; i++)
		fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_int_equal(chan_send(r->control, OSH_MSG_INIT_SPEC, &s, sizeof(s), fds, 4), 0);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
}

/* Wait status of the command. */
static int exited(struct rig *r)
{
	for (int i = 0; i < 10; i++) {
		struct osh_msg_status s = { 0 };
		struct chan_in in;

		assert_true(readable(r->control));
		assert_int_equal(chan_recv(r->control, &in), 1);
		memcpy(&s, in.bytes, sizeof(s));
		chan_in_done(&in);
		if (in.h.type == OSH_MSG_INIT_EXITED)
			return s.value;
		assert_int_equal(in.h.type, OSH_MSG_INIT_STARTED);
	}
	return -1;
}

static bool cgroup_there(uint32_t id)
{
	char name[16];
	struct stat st;

	snprintf(name, sizeof(name), "%u", id);
	return !fstatat(cgroups.box_fd, name, &st, 0);
}

static int fds_of(uint32_t pid, char *ret, size_t n)
{
	char path[64];
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%u/fd", pid);
	d = opendir(path);
	*ret = 0;
	for (struct dirent *x; d && (x = readdir(d));)
		if (x->d_name[0] != '.' && strlen(ret) + strlen(x->d_name) + 2 < n)
			strcat(strcat(ret, x->d_name), " ");
	return d ? closedir(d) : -1;
}

static void test_run(void **state)
{
	static const char sh[] = "/bin/sh\0-c\0test $$ = 2 && test -r /etc/hosts && exit 7\0/sandbox";
	struct osh_msg_prepared p;
	struct chan_in in;
	char text[256], path[64];
	struct stat st;
	struct rig r;
	ssize_t got = -1;
	uint32_t id;
	int fd;

	(void)state;
	rig_start(&r, false);
	id = launch(&r, usual, NULL);
	prepared(&r, id, &p, &in);
	assert_int_not_equal(p.netns_cookie, 0);
	assert_int_equal(p.warnings, 0);
	go(&r, id);
	command(&r, sh, sizeof(sh), 3);
	assert_int_equal(exited(&r), 7 << 8);
	assert_true(readable(in.fds[OSH_PFD_PIDFD]));
	chan_in_done(&in);

	/* A second one, looked at while osh-init waits for its command. */
	id = launch(&r, usual, NULL);
	prepared(&r, id, &p, &in);
	go(&r, id);
	snprintf(path, sizeof(path), "/proc/%u/environ", p.pid);
	for (int i = 0; i < 200; i++) {	/* until it has executed: without an environment */
		fd = open(path, O_RDONLY | O_CLOEXEC);
		got = read(fd, text, sizeof(text));
		close(fd);
		fds_of(p.pid, text, sizeof(text));
		if (!got && !strcmp(text, "0 1 2 3 4 5 "))
			break;
		usleep(10000);
	}
	assert_int_equal(got, 0);
	assert_string_equal(text, "0 1 2 3 4 5 ");	/* stdio, its manager, children's signals, the session */
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_uid, 0);		/* the kernel's sign that it is not dumpable */
	close(fd);
	assert_true(cgroup_there(id));
	assert_int_equal(rig_end(&r), 0);	/* embedded: everything goes with us */
	assert_true(readable(in.fds[OSH_PFD_PIDFD]));
	assert_false(cgroup_there(id));
	chan_in_done(&in);
	cgroup_remove(cgroups.box_fd, id - 1);
}

static void as_root(struct osh_msg_launch *m)
{
	m->run_uid = 0;
}

static void as_another(struct osh_msg_launch *m)
{
	m->uid = 60001;
}

static void bad_name(struct osh_msg_launch *m)
{
	strcpy(m->name, "a b\nnameserver 1.2.3.4");
}

static void long_name(struct osh_msg_launch *m)
{
	memset(m->name, 'a', sizeof(m->name));
}

static void elsewhere(struct osh_msg_launch *m)
{
	strcpy(m->workdir, "/usr");
}

static void layers_off(struct osh_msg_launch *m)
{
	m->off = OSH_OFF_SECCOMP;
}

static void test_refusals(void **state)
{
	static const struct {
		void (*spoil)(struct osh_msg_launch *);
		const char *text;
	} cases[] = {
		{ as_root, "never runs as root" }, { as_another, "may only run a sandbox as itself" },
		{ bad_name, "a sandbox's name" },  { long_name, "a sandbox's name" },
		{ elsewhere, "is now another one" }, { layers_off, "test builds only" },
	};
	struct rig r;

	(void)state;
	rig_start(&r, false);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *got = reason(&r, usual, cases[i].spoil);

		if (!strstr(got, cases[i].text))
			print_error("wanted '%s', got '%s'\n", cases[i].text, got);
		assert_non_null(strstr(got, cases[i].text));
		cgroup_remove(cgroups.box_fd, next_id - 1);
	}
	assert_non_null(strstr(reason(&r, "version: 1\nfilesystem_policy:\n  read_only: [/run]\n", NULL),
			       "never shown"));
	cgroup_remove(cgroups.box_fd, next_id - 1);
	/* after all that it still works */
	assert_string_equal(reason(&r, usual, NULL), "");
	assert_int_equal(rig_end(&r), 0);
	assert_false(cgroup_there(next_id - 1));
}

/* Many at once, none told to go: all are prepared side by side, and all go with the peer. */
static void test_many(void **state)
{
	enum { N = 12 };
	struct chan_in in;
	struct rig r;
	uint32_t first = next_id;
	int pidfds[N];

	(void)state;
	rig_start(&r, false);
	for (int i = 0; i < N; i++)
		launch(&r, usual, NULL);
	for (int i = 0; i < N; i++) {
		next(&r, &in);
		assert_non_null(chan_is(&in, OSH_MSG_PREPARED, sizeof(struct osh_msg_prepared), OSH_PFD_MAX));
		pidfds[i] = chan_take(&in, OSH_PFD_PIDFD);
		chan_in_done(&in);
	}
	assert_int_equal(rig_end(&r), 0);
	for (int i = 0; i < N; i++) {
		assert_true(readable(pidfds[i]));
		close(pidfds[i]);
		assert_false(cgroup_there(first + (uint32_t)i));
	}
}

static void test_nonsense(void **state)
{
	struct osh_msg_id m = { .id = 1 };
	struct chan_in in;
	struct rig r;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	rig_start(&r, false);
	assert_int_equal(chan_send(r.peer, OSH_MSG_GO, &m, sizeof(m), &null, 1), 0);
	assert_true(readable(r.peer));
	assert_true(chan_recv(r.peer, &in) <= 0);	/* the sender is dropped, not the message */
	assert_int_equal(rig_end(&r), 0);
	close(null);
}

static void offer(struct rig *r, uint32_t id, const char *path)
{
	struct osh_msg_mount m = { .id = id };
	int fd = open(dir, O_PATH | O_CLOEXEC);

	snprintf(m.path, sizeof(m.path), "%s", path);
	assert_int_equal(chan_send(r->peer, OSH_MSG_MOUNT, &m, sizeof(m), &fd, 1), 0);
	close(fd);
}

/* Exit status of a shell command in a sandbox that is then gone. */
static int run_in(struct rig *r, const char *sh, void (*spoil)(struct osh_msg_launch *))
{
	struct osh_msg_prepared p;
	char strings[256];
	struct chan_in in;
	uint32_t id = launch(r, usual, spoil);
	int n, st;

	prepared(r, id, &p, &in);
	go(r, id);
	n = snprintf(strings, sizeof(strings), "/bin/sh%c-c%c%s%c/", 0, 0, sh, 0) + 1;
	command(r, strings, (size_t)n, 3);
	st = exited(r);
	assert_true(readable(in.fds[OSH_PFD_PIDFD]));
	chan_in_done(&in);
	return st;
}

/* Mounts are for the next LAUNCH of their id alone, and go with what goes. */
static void test_mounts(void **state)
{
	struct osh_msg_id f = { 0 };
	struct rig r;
	char sh[192];

	(void)state;
	rig_start(&r, false);
	offer(&r, next_id, "/data");
	offer(&r, next_id + 1, "/other");
	snprintf(sh, sizeof(sh), "test -d /data/work && test ! -e /other && test ! -e /data/launch");
	assert_int_equal(run_in(&r, sh, NULL), 0);
	offer(&r, next_id, "/proc/x");
	assert_non_null(strstr(reason(&r, usual, NULL), "choose another"));
	next_id--;				/* the same id again: /other, /proc/x were taken by the one before */
	assert_int_equal(run_in(&r, "test ! -e /other", NULL), 0);
	offer(&r, next_id, "/data");
	f.id = next_id;
	assert_int_equal(chan_send(r.peer, OSH_MSG_FORGET, &f, sizeof(f), NULL, 0), 0);
	assert_int_equal(run_in(&r, "test ! -e /data", NULL), 0);
	assert_int_equal(rig_end(&r), 0);
}

static void reopen(struct osh_msg_launch *m)
{
	m->flags |= OSH_LAUNCH_REOPEN;
}

static void reopen_link(struct osh_msg_launch *m)
{
	reopen(m);
	snprintf(m->workdir, sizeof(m->workdir), "%s/link", dir);
}

static void reopen_as_user(struct osh_msg_launch *m)
{
	reopen(m);
	m->flags &= ~OSH_LAUNCH_IDMAP;
	m->uid = m->gid = m->run_uid = m->run_gid = 61234;
	snprintf(m->workdir, sizeof(m->workdir), "%s/secret", dir);
}

static void user_link(struct osh_msg_launch *m)
{
	reopen_as_user(m);
	snprintf(m->workdir, sizeof(m->workdir), "%s/link", dir);
}

/* By its name, with the caller's rights: a user gets where he gets himself, root follows no link. */
static void test_reopen(void **state)
{
	char path[128], sh[192];
	struct rig r;

	(void)state;
	snprintf(path, sizeof(path), "%s/link", dir);
	assert_int_equal(symlink("work", path), 0);
	snprintf(path, sizeof(path), "%s/secret", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	rig_start(&r, false);
	snprintf(sh, sizeof(sh), "touch %s/work/made && test ! -e %s/secret", dir, dir);
	assert_int_equal(run_in(&r, sh, reopen), 0);
	assert_non_null(strstr(reason(&r, usual, reopen_link), "symbolic link"));
	assert_non_null(strstr(reason(&r, usual, reopen_as_user), "may not open it"));
	snprintf(sh, sizeof(sh), "test -e %s/link/made", dir);
	assert_int_equal(run_in(&r, sh, user_link), 0);
	assert_int_equal(rig_end(&r), 0);
}

static int dial(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_true(strlen(path) < sizeof(a.sun_path));
	strcpy(a.sun_path, path);
	if (connect(fd, (void *)&a, sizeof(a)) < 0) {
		close(fd);
		return -errno;
	}
	return fd;
}

/* The daemon dies; the sandbox lives, the next daemon gets back what the first one stored. */
static void test_resident(void **state)
{
	static const char sleeper[] = "/bin/sleep\0" "1000\0/sandbox";
	struct osh_msg_stored st = { .generation = 5, .name = "test" };
	struct osh_msg_prepared p;
	struct osh_msg_id f = { 0 };
	int fds[OSH_SFD_MAX], pidfd;
	struct chan_in in;
	struct rig r;
	uint32_t id;

	(void)state;
	rig_start(&r, true);
	id = launch(&r, usual, NULL);
	prepared(&r, id, &p, &in);
	pidfd = chan_take(&in, OSH_PFD_PIDFD);
	chan_in_done(&in);
	st.id = id;
	for (int i = 0; i < OSH_SFD_MAX; i++)
		fds[i] = i == OSH_SFD_MANAGER ? r.manager : pidfd;
	assert_int_equal(chan_send(r.peer, OSH_MSG_STORE, &st, sizeof(st), fds, OSH_SFD_MAX), 0);
	own_close(&r.manager);		/* osh-launch has one: it lives on */
	go(&r, id);
	command(&r, sleeper, sizeof(sleeper), 2);
	assert_true(readable(r.control));

	own_close(&r.peer);
	for (int i = 0; i < 200 && (r.peer = dial(r.socket)) < 0; i++)
		usleep(10000);
	assert_true(r.peer >= 0);
	next(&r, &in);
	assert_non_null(chan_is(&in, OSH_MSG_STORED, sizeof(st), OSH_SFD_MAX));
	assert_memory_equal(in.bytes + sizeof(st.h), (char *)&st + sizeof(st.h), sizeof(st) - sizeof(st.h));
	assert_int_equal(syscall(SYS_pidfd_send_signal, in.fds[OSH_SFD_PIDFD], 0, NULL, 0), 0);
	chan_in_done(&in);
	next(&r, &in);
	assert_non_null(chan_is(&in, OSH_MSG_STORED_ALL, sizeof(f), 0));

	f.id = id;
	assert_int_equal(chan_send(r.peer, OSH_MSG_FORGET, &f, sizeof(f), NULL, 0), 0);
	assert_true(readable(pidfd));	/* nobody manages it any more */
	close(pidfd);
	assert_int_equal(rig_end(&r), 0);	/* nothing to keep: it leaves */
	assert_int_not_equal(access(r.socket, F_OK), 0);
	for (int i = 0; i < 200 && cgroup_remove(cgroups.box_fd, id) == -EBUSY; i++)
		usleep(10000);
	assert_false(cgroup_there(id));
}

/* A file server that says hello and then nothing more, mounted at `at`. Its descriptor, or -1. */
static int dead_server(const char *at)
{
	char bytes[FUSE_MIN_READ_BUFFER], options[64];
	const struct fuse_in_header *q = (void *)bytes;
	struct {
		struct fuse_out_header h;
		struct fuse_init_out init;
	} hello = { { sizeof(hello), 0, 0 }, { .major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION,
					      .max_write = 4096 } };
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	if (fd < 0 || (mkdir(at, 0755) < 0 && errno != EEXIST) || mount("osh", at, "fuse", 0, options) < 0 ||
	    read(fd, bytes, sizeof(bytes)) < (ssize_t)sizeof(*q)) {
		own_close(&fd);
		return -1;
	}
	hello.h.unique = q->unique;
	return write(fd, &hello, sizeof(hello)) == sizeof(hello) ? fd : -1;
}

/*
 * A caller's path lies with a server that took the question and never answers: who asked cannot even be
 * killed. It is one child, others start meanwhile, and oshd is told when its time is over.
 */
static void test_dead_file_server(void **state)
{
	char at[128], policy[256], bytes[FUSE_MIN_READ_BUFFER];
	const struct fuse_in_header *q = (void *)bytes;
	struct osh_msg_prepared p;
	struct osh_msg_failed f;
	struct chan_in in;
	struct rig r;
	bool hung_told = false;
	uint32_t hung, id;
	time_t start;
	int fd, told = 0;

	(void)state;
	snprintf(at, sizeof(at), "%s/dead", dir);
	snprintf(policy, sizeof(policy), "version: 1\nfilesystem_policy:\n  include_workdir: true\n"
					 "  read_only: [/usr, '%s/x']\n", at);
	/* A mount that nobody else sees, and that goes with us. */
	fd = unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ? -1 : dead_server(at);
	if (fd < 0) {
		print_message("no FUSE here: %s\n", strerror(errno));
		skip();
	}
	rig_start(&r, false);
	hung = launch(&r, policy, NULL);
	assert_true(readable(fd));
	assert_true(read(fd, bytes, sizeof(bytes)) >= (ssize_t)sizeof(*q));
	assert_int_not_equal(q->pid, r.pid);	/* never the one that serves everybody */
	start = time(NULL);
	for (int i = 0; i < 3; i++) {
		id = launch(&r, usual, NULL);
		prepared(&r, id, &p, &in);
		chan_in_done(&in);
	}
	assert_in_range(time(NULL) - start, 0, 10);

	/* Its time is over, and that of the others, which were never told to go. */
	while (told < 4) {
		for (int i = 0; i < 3 && !readable(r.peer); i++)
			;
		next(&r, &in);
		assert_non_null(chan_is(&in, OSH_MSG_FAILED, sizeof(f), 0));
		memcpy(&f, in.bytes, sizeof(f));
		chan_in_done(&in);
		hung_told |= f.id == hung;
		assert_int_equal(f.code, ETIMEDOUT);
		told++;
	}
	assert_true(hung_told);
	assert_string_equal(reason(&r, usual, NULL), "");	/* still killed, still there, and nobody waits */
	close(fd);				/* the server dies: now it goes */
	assert_int_equal(umount2(at, MNT_DETACH), 0);
	assert_int_equal(rig_end(&r), 0);
	assert_false(cgroup_there(hung));
	rmdir(at);
}

static int setup(void **state)
{
	char name[64], *slash;
	struct err e = { 0 };
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	(void)state;
	if (getuid()) {
		print_message("1..0 # SKIP needs root\n");
		exit(77);
	}
	program[n] = 0;
	for (int i = 0; i < 3 && (slash = strrchr(program, '/')); i++)
		*slash = 0;		/* build/tests/system/test_launch -> build */
	strcat(program, "/osh-launch");
	snprintf(instance, sizeof(instance), "test-launch-%d", getpid());
	strcpy(dir, "/var/tmp/osh-launch-XXXXXX");
	if (!mkdtemp(dir) || chmod(dir, 0755) || cgroup_open(&cgroups, instance, &e)) {
		print_message("# %s\n", e.text);
		return -1;
	}
	snprintf(name, sizeof(name), "%s/work", dir);
	dns_fd = program_of(BPF_PROG_TYPE_SCHED_CLS, 0, 0);
	steer_fd = program_of(BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP, 1);
	map_fd = bpf_map_create(BPF_MAP_TYPE_SOCKMAP, "steer", 4, 8, 1, NULL);
	return mkdir(name, 0755) || dns_fd < 0 || steer_fd < 0 || map_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	char cmd[128];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	cgroup_close(&cgroups, true);
	return system(cmd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run),	 cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_many),	 cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_resident), cmocka_unit_test(test_dead_file_server),
		cmocka_unit_test(test_mounts),	 cmocka_unit_test(test_reopen),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
