/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Row `connect`: run time of the connect4 hook on an allowed connection of a listed program, its event
 * included, against an empty program of the same type on the same connects. Row `connection`: the same
 * with the sock_create hook added, since that one does a part of the work. A sample is a block's mean
 * by the kernel's own count (bpf_enable_stats). Real sockets, real listener. Usage: [ROUNDS [sum]]
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

/* Programs whose times are added up: the connect hook, and in row `connection` the sock_create hook. */
struct lane {
	int cgroup, progs[2], n;
};

static int empty_program(enum bpf_prog_type type, enum bpf_attach_type at)
{
	struct bpf_insn insns[] = {
		{ BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = at);

	return bpf_prog_load(type, "empty", "GPL", insns, 2, &opts);
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

static int sample(struct rig *g, const struct lane *l, char name)
{
	struct osh_task task = { .slot = RIG_SLOT, .id = RIG_ID, .generation = 1, .ident = 7,
				 .groups = { 1 << 1 } };
	struct meter before[2], after;
	double mean = 0;
	int fd;

	for (int i = 0; i < l->n; i++)
		if (read_meter(l->progs[i], &before[i]) < 0)
			return -1;
	if (rig_in(g, l->cgroup, &task, connect_block, NULL))
		return -1;
	for (int i = 0; i < l->n; i++) {
		if (read_meter(l->progs[i], &after) < 0 || after.count - before[i].count != BLOCK)
			return -1;
		mean += (double)(after.ns - before[i].ns) / BLOCK;
	}
	while ((fd = accept(g->listener, NULL, NULL)) >= 0)
		close(fd);
	rig_forget_events(g);
	if (name)
		printf("%c %.2f\n", name, mean);
	return 0;
}

static int run(struct rig *g, int rounds, int n)
{
	struct lane ours = { g->box, { kbpf_prog_fd(g->k, OSH_HOOK_CONNECT4), kbpf_prog_fd(g->k, OSH_HOOK_SOCK) }, n };
	struct lane bare = { -1, { empty_program(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT),
				   empty_program(BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_CREATE) }, n };
	uint64_t id;
	int r;

	if (bare.progs[0] < 0 || bare.progs[1] < 0 || bpf_enable_stats(BPF_STATS_RUN_TIME) < 0)
		return CANNOT;
	if (cgroup_make(g->cgroups.instance_fd, RIG_ID + 1, &bare.cgroup, &id, &g->e) < 0 ||
	    bpf_prog_attach(bare.progs[0], bare.cgroup, BPF_CGROUP_INET4_CONNECT, BPF_F_ALLOW_MULTI) < 0 ||
	    bpf_prog_attach(bare.progs[1], bare.cgroup, BPF_CGROUP_INET_SOCK_CREATE, BPF_F_ALLOW_MULTI) < 0)
		return CANNOT;
	puts(n == 1 ? "a connect4 hook, allowed, listed program, event on\nb empty cgroup/connect4 program\n"
		      "unit ns\nmax 4" :
		      "a sock_create and connect4 hooks, the same\nb empty programs of both types\nunit ns");
	r = sample(g, &ours, 0) || sample(g, &bare, 0);	/* to warm up */
	for (int i = 0; !r && i < rounds; i++)
		r = sample(g, &ours, 'A') || sample(g, &bare, 'B');
	close(bare.cgroup);
	cgroup_remove(g->cgroups.instance_fd, RIG_ID + 1);
	close(bare.progs[0]);
	close(bare.progs[1]);
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
		r = run(&g, rounds, argc > 2 && !strcmp(argv[2], "sum") ? 2 : 1);
	rig_stop(&g);
	return r;
}
