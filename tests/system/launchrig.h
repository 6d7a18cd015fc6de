/* SPDX-License-Identifier: Apache-2.0 */
/*
 * osh-launch with a test in oshd's place: real sandboxes in cgroups of the test's own, a real osh-init
 * behind them.
 */
#pragma once

#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../userspace/oshd/kernel/cgroup.h"
#include "chan.h"
#include "own.h"
#include "policy.h"

#include <cmocka.h>

#define RUN_UID 1900009999u
#define WAIT_MS 120000

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

static inline int program_of(enum bpf_prog_type type, enum bpf_attach_type attach, int ret)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = ret },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, o, .expected_attach_type = attach);

	return bpf_prog_load(type, "osh_test", "GPL", code, ARRAY_SIZE(code), &o);
}

static inline void name_instance(void)
{
	static unsigned n;

	snprintf(instance, sizeof(instance), "test-launch-%d-%u", getpid(), n++);
}

/* A program of our own in a process with descriptor 3 as its peer. */
static inline void rig_start(struct rig *r, bool resident)
{
	struct err e = { 0 };
	int pair[2];

	/*
	 * Its watcher takes the whole instance away at the end, and may outlive the process that we wait for: a new one
	 * for each, by a name of its own.
	 */
	cgroup_close(&cgroups, true);
	name_instance();
	assert_int_equal(cgroup_open(&cgroups, instance, &e), 0);
	*r = (struct rig){ .manager = -1, .control = -1 };
	snprintf(r->socket, sizeof(r->socket), "%s/launch", dir);
	assert_int_equal(chan_pair(pair), 0);
	r->pid = fork();
	if (r->pid == 0) {
		if (dup2(pair[1], 3) < 0)
			_exit(1);
		fcntl(3, F_SETFD, 0);
		prctl(PR_SET_PDEATHSIG, SIGTERM);	/* a test that fails is not followed by a wait for it */
		if (resident)
			execl(program, "osh-launch", "--listen", r->socket, NULL);
		else
			execl(program, "osh-launch", "--embedded", NULL);
		_exit(127);
	}
	close(pair[1]);
	r->peer = pair[0];
}

static inline int rig_end(struct rig *r)
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

static inline bool readable(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, WAIT_MS) == 1;
}

static inline int bundle_fd(const char *policy)
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
static inline uint32_t launch(struct rig *r, const char *policy, void (*spoil)(struct osh_msg_launch *))
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

static inline void next(struct rig *r, struct chan_in *in)
{
	do {				/* that the one before was executed comes at its own time */
		assert_true(readable(r->peer));
		assert_int_equal(chan_recv(r->peer, in), 1);
	} while (chan_is(in, OSH_MSG_WENT, sizeof(struct osh_msg_id), 0));
}

/* The reason that osh-launch gives for a request; "" if it prepared it. */
static inline const char *reason(struct rig *r, const char *policy, void (*spoil)(struct osh_msg_launch *))
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

static inline void prepared(struct rig *r, uint32_t id, struct osh_msg_prepared *p, struct chan_in *in)
{
	next(r, in);
	if (in->h.type == OSH_MSG_FAILED)
		print_error("%s\n", ((struct osh_msg_failed *)(void *)in->bytes)->text);
	assert_non_null(chan_is(in, OSH_MSG_PREPARED, sizeof(*p), OSH_PFD_MAX));
	memcpy(p, in->bytes, sizeof(*p));
	assert_int_equal(p->id, id);
}

static inline void go(struct rig *r, uint32_t id)
{
	struct osh_msg_id m = { .id = id };

	assert_int_equal(chan_send(r->peer, OSH_MSG_GO, &m, sizeof(m), NULL, 0), 0);
}

/* The command for osh-init; its stdio is /dev/null of ours. */
static inline void command(struct rig *r, const char *strings, size_t n, uint32_t argc)
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
static inline int exited(struct rig *r)
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

static inline bool cgroup_there(uint32_t id)
{
	char name[16];
	struct stat st;

	snprintf(name, sizeof(name), "%u", id);
	return !fstatat(cgroups.box_fd, name, &st, 0);
}

static inline int fds_of(uint32_t pid, char *ret, size_t n)
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

static inline int setup(void **state)
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
	name_instance();
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

static inline int teardown(void **state)
{
	char cmd[128];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	cgroup_close(&cgroups, true);
	return system(cmd);
}
