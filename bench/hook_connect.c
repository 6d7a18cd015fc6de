/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Row `connect`: run time of the connect4 hook on an allowed connection of a listed program, its event
 * included, against an empty program of the same type on the same connects. A sample is a block's mean
 * by the kernel's own count (bpf_enable_stats). Real sockets, real listener. Usage: [ROUNDS]
 */
#include "../tests/bpf/netrig.h"

#define BLOCK 400
#define CANNOT 77

struct meter {
	int prog;
	uint64_t ns, count;
};

static int read_meter(int prog, struct meter *m)
{
	struct bpf_prog_info info = { 0 };
	__u32 n = sizeof(info);

	if (bpf_obj_get_info_by_fd(prog, &info, &n) < 0)
		return -1;
	*m = (struct meter){ prog, info.run_time_ns, info.run_cnt };
	return 0;
}

static int empty_program(void)
{
	struct bpf_insn insns[] = {
		{ BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_CGROUP_INET4_CONNECT);

	return bpf_prog_load(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, "empty", "GPL", insns, 2, &opts);
}

/* Connections are reset at once; their SYN and the listener's answer are as in real life. */
static int connect_block(struct rig *g, void *arg)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(443),
				  .sin_addr.s_addr = htonl(OSH_NET4 + 2) };
	struct linger now = { 1, 0 };

	(void)g;
	(void)arg;
	for (int i = 0; i < BLOCK; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

		if (connect(fd, (void *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)
			return 1;
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(fd);
	}
	return 0;
}

static int sample(struct rig *g, int cgroup, int prog, char lane)
{
	struct osh_task task = { .slot = RIG_SLOT, .id = RIG_ID, .generation = 1, .ident = 7,
				 .groups = { 1 << 1 } };
	struct meter before, after;
	int fd;

	if (read_meter(prog, &before) < 0 || rig_in(g, cgroup, &task, connect_block, NULL) ||
	    read_meter(prog, &after) < 0 || after.count - before.count != BLOCK)
		return -1;
	while ((fd = accept(g->listener, NULL, NULL)) >= 0)
		close(fd);
	rig_forget_events(g);
	if (lane)
		printf("%c %.2f\n", lane, (double)(after.ns - before.ns) / BLOCK);
	return 0;
}

static int run(struct rig *g, int rounds)
{
	int bare, empty = empty_program(), ours = kbpf_prog_fd(g->k, OSH_HOOK_CONNECT4), r = 0;
	uint64_t id;

	if (empty < 0 || bpf_enable_stats(BPF_STATS_RUN_TIME) < 0)
		return CANNOT;
	if (cgroup_make(g->cgroups.instance_fd, RIG_ID + 1, &bare, &id, &g->e) < 0 ||
	    bpf_prog_attach(empty, bare, BPF_CGROUP_INET4_CONNECT, BPF_F_ALLOW_MULTI) < 0)
		return CANNOT;
	puts("a connect4 hook, allowed, listed program, event on\nb empty cgroup/connect4 program\n"
	     "unit ns\nmax 4");
	r = sample(g, g->box, ours, 0) || sample(g, bare, empty, 0);	/* to warm up */
	for (int i = 0; !r && i < rounds; i++)
		r = sample(g, g->box, ours, 'A') || sample(g, bare, empty, 'B');
	close(bare);
	cgroup_remove(g->cgroups.instance_fd, RIG_ID + 1);
	close(empty);
	return r;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 60, r;
	struct rig_policy policy;
	struct rig g;

	rig_policy(&policy);
	if (geteuid() || rig_start(&g) < 0)
		return CANNOT;
	r = kbpf_fill(g.k, &g.s, &policy.b, &g.e) || kbpf_flip(g.k, &g.s, &policy.b, &g.e) || rig_listen(&g);
	if (!r)
		r = run(&g, rounds);
	rig_stop(&g);
	return r;
}
