/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What furnishing a namespace costs: netns_setup() whole and by step, each round in a fresh namespace,
 * after `unshare` itself. Usage: bench/netns [ROUNDS]
 */
#include "../tests/bpf/dnsrig.h"

#include <sys/wait.h>
#include <time.h>

#include "../userspace/launch/nft.h"

#define ROUNDS 100

static struct rig rig;

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

enum { STEP_UNSHARE, STEP_ALL, STEP_NFT, STEP_MAX };
static const char *const steps[STEP_MAX] = { "unshare(NEWNET)", "netns_setup()", "  of it nft_install() alone" };

/* One round in a child, so that the namespace dies before the next. */
static int round_child(int fd)
{
	struct netns_args a = {
		.dns_prog_fd = bpf_program__fd(rig.k->progs.osh_dns),
		.steer_prog_fd = bpf_program__fd(bpf_object__find_program_by_name(rig.k->obj, "osh_steer")),
		.steer_map_fd = rig_map(&rig, "steer"),
	};
	struct netns_result r;
	struct err e = { 0 };
	double t[STEP_MAX], at = now_us();

	memcpy(a.net6, rig.net6, sizeof(a.net6));
	if (unshare(CLONE_NEWNET))
		return 1;
	t[STEP_UNSHARE] = now_us() - at;
	at = now_us();
	if (netns_setup(&a, &r, &e)) {
		fprintf(stderr, "netns_setup: %s\n", e.text);
		return 1;
	}
	t[STEP_ALL] = now_us() - at;
	if (unshare(CLONE_NEWNET))
		return 1;
	at = now_us();
	if (nft_install(&e))
		return 1;
	t[STEP_NFT] = now_us() - at;
	return write(fd, t, sizeof(t)) != sizeof(t);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS, fd[2], status;
	double(*t)[STEP_MAX] = calloc((size_t)rounds, sizeof(*t)), *one = calloc((size_t)rounds, sizeof(*one));

	if (rounds < 1 || !t || !one || rig_load(&rig) || pipe(fd))
		return 1;
	for (int i = 0; i < rounds; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(round_child(fd[1]));
		waitpid(pid, &status, 0);
		if (status || read(fd[0], t[i], sizeof(t[i])) != sizeof(t[i]))
			return 1;
	}
	for (int s = 0; s < STEP_MAX; s++) {
		for (int i = 0; i < rounds; i++)
			one[i] = t[i][s];
		qsort(one, (size_t)rounds, sizeof(*one), by_value);
		printf("%-28s p50 %7.0f us   p99 %7.0f us\n", steps[s], one[rounds / 2],
		       one[rounds * 99 / 100]);
	}
	rig_done(&rig);
	return 0;
}
