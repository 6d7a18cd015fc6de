/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One sandbox for tests of the socket hooks: the object loaded by the product's own loader, cgroups
 * for the box and the egress, a network namespace with the egress' listener, a small policy. Nothing
 * is stubbed but the exec tracker: a test says which program its child is.
 */
#pragma once

#include <arpa/inet.h>
#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../userspace/audit/lanes.h"
#include "../../userspace/oshd/kernel/cgroup.h"
#include "../../userspace/oshd/kernel/kbpf.h"
#include "tasks.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif
#define RIG_SLOT 5
#define RIG_ID 4711
#define RIG_EVENTS 8192

struct rig {
	struct kbpf *k;
	struct cgroup_base cgroups;
	struct kbpf_sandbox s;
	int box, egress;		/* cgroup directories of the sandbox */
	uint64_t egress_cgroup;
	int netns, home_netns;
	int listener, steer_prog, steer_map;
	struct bpf_link *steer;
	struct ring_buffer *allow, *deny;
	struct lanes lanes;
	struct osh_event_named *events;	/* drained since rig_forget_events() */
	int n_events;
	int read_start, read_exec;	/* programs that read the running task */
	struct err e;
};

/* The policy of the tests: hosts 1..4. */
static const char rig_strings[] =
	"\0allowed.test\0prog.test\0*.wild.test\0" "10.9.0.0/16\0/usr/bin/prog\0/usr/bin/other\0"
	"/run/listed.sock\0/tmp/host\0.wild.test\0/opt/**";

static inline uint32_t rig_str(const char *text)
{
	for (size_t i = 1; i < sizeof(rig_strings); i += strlen(rig_strings + i) + 1)
		if (!strcmp(rig_strings + i, text))
			return i;
	abort();
}

struct rig_policy {
	struct bundle b;
	struct osh_b_meta meta;
	struct osh_b_host hosts[4];
	struct osh_b_suffix suffixes[1];
	struct osh_b_cidr cidrs[1];
	struct osh_b_endpoint endpoints[5];
	struct osh_b_alt alts[5];
	struct osh_b_binary binaries[3];
	struct osh_b_upstream upstream[2];
	struct osh_b_fs fs[2];
	struct osh_b_unix unix_paths[1];
};

static inline void rig_policy(struct rig_policy *p)
{
	*p = (struct rig_policy){
		.meta = { .wildcard_names = 8, .n_groups = 3 },
		.hosts = { { rig_str("allowed.test"), OSH_HOST_EXACT }, { rig_str("prog.test"), OSH_HOST_EXACT },
			   { rig_str("*.wild.test"), OSH_HOST_WILD }, { rig_str("10.9.0.0/16"), OSH_HOST_CIDR } },
		.suffixes = { { rig_str(".wild.test"), 3, 0, 2 } },
		.cidrs = { { { [10] = 0xff, 0xff, 10, 9 }, 96 + 16, 4 } },
		.endpoints = { { 1, 443, 0, 1 }, { 2, 443, 1, 1 }, { 2, 8443, 2, 1 }, { 3, 443, 3, 1 },
			       { 4, 80, 4, 1 } },
		.alts = { { 0 }, { 1, 1 }, { 2, 2, OSH_ALT_TAINT_OK }, { 0, 3 }, { 0, 4 } },
		.binaries = { { rig_str("/usr/bin/prog"), 1 }, { rig_str("/usr/bin/other"), 2 },
			      { rig_str("/opt/**"), 2, OSH_BIN_GLOB } },
		.upstream = { { { [10] = 0xff, 0xff, 10, 1, 2, 3 }, 128, 1 },
			      { { [10] = 0xff, 0xff, 127, 0, 0, 9 }, 128, 1 } },
		.fs = { { rig_str("/tmp/host"), OSH_FS_RW }, { rig_str("/opt/**"), OSH_FS_RO } },
		.unix_paths = { { rig_str("/run/listed.sock") } },
	};
	p->b = (struct bundle){
		.strings = rig_strings, .n_strings = sizeof(rig_strings), .meta = &p->meta, .hosts = p->hosts,
		.n_hosts = 4, .suffixes = p->suffixes, .n_suffixes = 1, .cidrs = p->cidrs, .n_cidrs = 1,
		.endpoints = p->endpoints, .n_endpoints = 5, .alts = p->alts, .n_alts = 5,
		.binaries = p->binaries, .n_binaries = 3, .upstream = p->upstream, .n_upstream = 2,
		.fs = p->fs, .n_fs = 1, .unix_paths = p->unix_paths, .n_unix = 1,
	};
}

static int rig_event(void *data, void *p, size_t n)
{
	struct rig *g = data;

	if (g->n_events < RIG_EVENTS) {
		memset(&g->events[g->n_events], 0, sizeof(*g->events));
		memcpy(&g->events[g->n_events], p, n < sizeof(*g->events) ? n : sizeof(*g->events));
	}
	g->n_events++;
	return 0;
}

static inline void rig_lane_event(void *data, const struct osh_event *e)
{
	(void)rig_event(data, (void *)e, sizeof(*e));
}

static inline void rig_read_allows(struct rig *g)
{
	ring_buffer__consume(g->allow);
	lanes_read(&g->lanes, OSH_LANE_SLOTS, rig_lane_event, g);
}

static inline void rig_forget_events(struct rig *g)
{
	rig_read_allows(g);
	ring_buffer__consume(g->deny);
	g->n_events = 0;
}

static inline void rig_sh(const char *cmd)
{
	if (system(cmd))
		fprintf(stderr, "# failed: %s\n", cmd);
}

/* A namespace as the launcher makes it: lo, local routes, marks copied to accepted sockets. */
static inline int rig_netns(struct rig *g)
{
	socklen_t n = sizeof(g->s.netns);
	int one = 1, zero = 0, fd;
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(7010) };

	g->home_netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (g->home_netns < 0 || unshare(CLONE_NEWNET) < 0)
		return -errno;
	g->netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	rig_sh("ip link set lo up && ip route add local 198.18.0.0/15 dev lo src 127.0.0.1 && "
	       "ip route add local 10.9.0.0/16 dev lo src 127.0.0.1 && "
	       "ip -6 route add local fd5a:1234:5678::/48 dev lo && "
	       "echo 1 > /proc/sys/net/ipv4/tcp_fwmark_accept && "
	       "echo 0 2147483647 > /proc/sys/net/ipv4/ping_group_range && "
	       "echo 0x603 > /proc/sys/net/ipv4/tcp_fastopen");
	g->listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(g->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(g->listener, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(g->listener, (void *)&any, sizeof(any)) < 0 || listen(g->listener, 4096) < 0)
		return -errno;
	if (getsockopt(g->listener, SOL_SOCKET, SO_NETNS_COOKIE, &g->s.netns, &n) < 0)
		return -errno;
	if (kbpf_steer_new(g->k, &g->steer_prog, &g->steer_map, &g->e) < 0)
		return -g->e.code;
	fd = bpf_link_create(g->steer_prog, g->netns, BPF_SK_LOOKUP, NULL);
	if (fd < 0)
		return -errno;
	g->steer = NULL;
	g->steer_prog = (close(g->steer_prog), fd);	/* from here on the link */
	return setns(g->home_netns, CLONE_NEWNET);
}

static inline int rig_listen(struct rig *g)
{
	uint32_t zero = 0;
	uint64_t fd = g->listener;

	return bpf_map_update_elem(g->steer_map, &zero, &fd, BPF_ANY);
}

/* Byte offset of a member of struct task_struct in the running kernel. */
static inline int rig_task_offset(const char *member)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int id = btf ? btf__find_by_name_kind(btf, "task_struct", BTF_KIND_STRUCT) : -1, at = -1;
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, id) : NULL;

	for (int i = 0; t && i < btf_vlen(t); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_members(t)[i].name_off), member))
			at = btf_member_bit_offset(t, i) / 8;
	btf__free(btf);
	return at;
}

/* A program that reads eight bytes of the running task, for what /proc tells only in ticks. */
static inline int rig_task_reader(int offset)
{
	struct bpf_insn insns[] = {
		{ BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0 },
		{ BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_current_task },
		{ BPF_ALU64 | BPF_MOV | BPF_X, 3, 0, 0, 0 },
		{ BPF_ALU64 | BPF_ADD | BPF_K, 3, 0, 0, offset },
		{ BPF_ALU64 | BPF_MOV | BPF_X, 1, 10, 0, 0 },
		{ BPF_ALU64 | BPF_ADD | BPF_K, 1, 0, 0, -8 },
		{ BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 8 },
		{ BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_probe_read_kernel },
		{ BPF_LDX | BPF_MEM | BPF_DW, 1, 10, -8, 0 },
		{ BPF_STX | BPF_MEM | BPF_DW, 6, 1, 0, 0 },
		{ BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_SLEEPABLE);

	return offset < 0 ? -1 : bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "task_read", "GPL", insns,
					       sizeof(insns) / sizeof(*insns), &opts);
}

static inline int rig_task_read(int prog, uint64_t *ret)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = ret, .ctx_size_in = sizeof(*ret));

	return bpf_prog_test_run_opts(prog, &opts);
}

/* Says what the exec tracker would have said of this process. */
static inline int rig_pose_as(struct rig *g, struct osh_task task)
{
	uint64_t exec_id = 0, start_ns = 0;

	if (rig_task_read(g->read_start, &start_ns) < 0 || rig_task_read(g->read_exec, &exec_id) < 0)
		return -1;
	task.start_ns = start_ns;
	task.exec_id += exec_id;	/* the caller's number is an offset: 0 = as it should be */
	return tasks_access(g->k, getpid(), &task, 1);
}

static inline int rig_start(struct rig *g)
{
	char name[64];
	int r;

	memset(g, 0, sizeof(*g));
	g->events = calloc(RIG_EVENTS, sizeof(*g->events));
	g->s = (struct kbpf_sandbox){ .slot = RIG_SLOT, .id = RIG_ID, .generation = 1,
				      .net6 = { htonl(0xfd5a1234), htonl(0x56780000) } };
	snprintf(name, sizeof(name), "test-net-%d", getpid());
	r = kbpf_load(&g->k, 1, 0, &g->e);
	if (!r)
		r = cgroup_open(&g->cgroups, name, &g->e);
	if (!r)
		r = kbpf_attach_sandbox(g->k, g->cgroups.box_fd, &g->e);
	if (!r)
		r = kbpf_attach_egress(g->k, g->cgroups.egress_fd, &g->e);
	if (!r)
		r = cgroup_make(g->cgroups.box_fd, RIG_ID, &g->box, &g->s.cgroup, &g->e);
	if (!r)
		r = cgroup_make(g->cgroups.egress_fd, RIG_ID, &g->egress, &g->egress_cgroup, &g->e);
	if (!r)
		r = rig_netns(g);
	g->read_start = rig_task_reader(rig_task_offset("start_boottime"));
	g->read_exec = rig_task_reader(rig_task_offset("self_exec_id"));
	if (!r && (g->read_start < 0 || g->read_exec < 0))
		r = -ENOENT;
	if (!r)
		r = kbpf_egress_cgroup(g->k, &g->s, g->egress_cgroup, &g->e);
	if (r < 0) {
		fprintf(stderr, "# rig: %s (%s)\n", g->e.text, strerror(-r));
		return r;
	}
	g->allow = ring_buffer__new(kbpf_map_fd(g->k, "ring_allow"), rig_event, g, NULL);
	g->deny = ring_buffer__new(kbpf_map_fd(g->k, "ring_deny"), rig_event, g, NULL);
	if (lanes_open(&g->lanes, kbpf_map_fd(g->k, "lane_slots"), kbpf_map_fd(g->k, "lane_tails"), &g->e) < 0)
		return -EINVAL;
	return g->allow && g->deny ? 0 : -ENOMEM;
}

static inline void rig_stop(struct rig *g)
{
	kbpf_clear(g->k, &g->s);
	lanes_close(&g->lanes);
	ring_buffer__free(g->allow);
	ring_buffer__free(g->deny);
	close(g->read_start);
	close(g->read_exec);
	close(g->steer_prog);
	close(g->steer_map);
	close(g->listener);
	close(g->netns);
	close(g->home_netns);
	close(g->box);
	close(g->egress);
	cgroup_remove(g->cgroups.box_fd, RIG_ID);
	cgroup_remove(g->cgroups.egress_fd, RIG_ID);
	cgroup_close(&g->cgroups, true);
	kbpf_free(g->k);
	free(g->events);
}

/* Started, with `p` in force; `listen`: somebody accepts there. Says on stderr what fails. */
static inline int rig_up(struct rig *g, struct rig_policy *p, int listen)
{
	rig_policy(p);
	if (rig_start(g) < 0)
		return -1;
	if (!kbpf_fill(g->k, &g->s, &p->b, &g->e) && !kbpf_flip(g->k, &g->s, &p->b, &g->e) &&
	    (!listen || !rig_listen(g)))
		return 0;
	fprintf(stderr, "# %s\n", g->e.text);
	rig_stop(g);
	return -1;
}

static inline int rig_enter(int cgroup_fd)
{
	int fd = openat(cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	int ok = fd >= 0 && write(fd, "0", 1) == 1;

	close(fd);
	return ok ? 0 : -errno;
}

/* Runs fn in a child inside `cgroup` and the namespace; gives fn's result (0..255), 254 = set-up. */
static inline int rig_in(struct rig *g, int cgroup, const struct osh_task *task,
			 int (*fn)(struct rig *, void *), void *arg)
{
	int status = 0;
	pid_t pid = fork();

	if (pid)
		return pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ? 254 :
		       WEXITSTATUS(status);
	if (rig_enter(cgroup) < 0 || setns(g->netns, CLONE_NEWNET) < 0)
		_exit(254);
	if (task && rig_pose_as(g, *task) < 0)
		_exit(254);
	_exit(fn(g, arg));
}
