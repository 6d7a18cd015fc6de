/* SPDX-License-Identifier: Apache-2.0 */
/*
 * osh-launch as oshd sees it: the whole protocol with a real osh-init behind it, what a finished
 * sandbox holds, failures with their reasons, and what is left when either side goes.
 */
#include <linux/fuse.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <signal.h>
#include <time.h>

#include "launchrig.h"

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
	for (int i = 0; i < 6000; i++) {	/* until it has executed: without an environment */
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
	int fds[OSH_SFD_MAX], pidfd, session;
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
	fds[OSH_SFD_MANAGER] = dup(r.manager);
	own_close(&r.manager);		/* osh-launch has one: it lives on */
	go(&r, id);
	command(&r, sleeper, sizeof(sleeper), 2);
	assert_true(readable(r.control));
	session = dup(r.control);	/* the sandbox is tied to it, and the next launch() closes the rig's */

	/* Its last words count, though the answer to another request of its finds it dead. */
	kill(r.pid, SIGSTOP);
	(void)launch(&r, usual, elsewhere);
	st.generation = 6;
	assert_int_equal(chan_send(r.peer, OSH_MSG_STORE, &st, sizeof(st), fds, OSH_SFD_MAX), 0);
	close(fds[OSH_SFD_MANAGER]);
	own_close(&r.peer);
	kill(r.pid, SIGCONT);
	for (int i = 0; i < 6000 && (r.peer = dial(r.socket)) < 0; i++)
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
	close(session);
	assert_int_equal(rig_end(&r), 0);	/* nothing to keep: it leaves */
	assert_int_not_equal(access(r.socket, F_OK), 0);
	for (int i = 0; i < 6000 && cgroup_remove(cgroups.box_fd, id) == -EBUSY; i++)
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
