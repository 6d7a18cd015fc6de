/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Row `dns`: an answer of the in-kernel resolver, its event included, against dnsmasq on the same lo.
 * The client is one connected UDP socket each; a sample is the median of BLOCK queries. Ours looks in
 * a table of NAMES, dnsmasq has one name alone. Usage: bench/dns [ROUNDS]
 */
#include "../tests/bpf/dnsrig.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#define ROUNDS 60
#define BLOCK 200
#define NAMES 1000
#define PEER_PORT 5300
#define CANNOT 77

static const unsigned char question[] =
	"\x12\x34\x01\0\0\1\0\0\0\0\0\0\3api\7example\3com\0\0\1\0\1";

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

static int client(unsigned port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return connect(fd, (void *)&to, sizeof(to)) ? -1 : fd;
}

/* Microseconds of one query, or -1 where no right answer came. */
static double ask(int fd, int wait_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	unsigned char in[512];
	double at;
	ssize_t n;

	at = now_us();
	if (send(fd, question, sizeof(question) - 1, 0) != sizeof(question) - 1)
		return -1;
	if (wait_ms && poll(&p, 1, wait_ms) != 1)
		return -1;
	n = recv(fd, in, sizeof(in), 0);
	at = now_us() - at;
	return n > 45 && in[7] == 1 && (in[3] & 15) == 0 ? at : -1;
}

static bool block(int fd, double *ret_median)
{
	double t[BLOCK];

	for (int i = 0; i < BLOCK; i++) {
		t[i] = ask(fd, 0);
		if (t[i] < 0)
			return false;
	}
	qsort(t, BLOCK, sizeof(*t), by_value);
	*ret_median = t[BLOCK / 2];
	return true;
}

static pid_t peer_start(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execlp("dnsmasq", "dnsmasq", "-k", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--no-daemon",
	       "--pid-file=", "--user=root", "--listen-address=127.0.0.1", "--bind-interfaces", "--port=5300",
	       "--log-facility=/dev/null", "--host-record=api.example.com,198.18.0.1", (char *)NULL);
	_exit(CANNOT);
}

static int on_event(void *arg, void *data, size_t n)
{
	(void)data;
	(void)n;
	++*(unsigned long *)arg;
	return 0;
}

static int rounds_run(struct rig *g, int rounds)
{
	unsigned long events = 0;
	struct ring_buffer *rb = ring_buffer__new(rig_map(g, "ring_allow"), on_event, &events, NULL);
	int ours = client(53), theirs = client(PEER_PORT), tries = 0;
	double a, b;

	while (ask(theirs, 100) < 0)	/* refused until it listens */
		if (usleep(20000), ++tries > 100)
			return CANNOT;
	for (int i = -3; i < rounds; i++) {
		if (!block(ours, &a) || !block(theirs, &b))
			return 1;
		ring_buffer__consume(rb);
		if (i >= 0)
			printf("A %.3f\nB %.3f\n", a, b);
	}
	printf("note %lu events for %d answers\n", events, (rounds + 3) * BLOCK);
	ring_buffer__free(rb);
	return events == (unsigned long)(rounds + 3) * BLOCK ? 0 : 1;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS, ret;
	struct bpf_prog_info info = { 0 };
	uint32_t n = sizeof(info);
	struct rig g;
	struct err e = { 0 };
	char name[64];
	double at = now_us();
	pid_t pid;

	if (rig_load(&g) || rig_netns(&g, &e) || rig_publish(&g, 1, 8)) {
		puts(e.text[0] ? e.text : "cannot load the BPF object");
		return CANNOT;
	}
	at = now_us() - at;
	rig_name(&g, "api.example.com", 1, 1);
	for (uint32_t i = 1; i < NAMES; i++) {
		snprintf(name, sizeof(name), "host%u.fill.example.org", i);
		rig_name(&g, name, 1 + i, 1);
	}
	bpf_obj_get_info_by_fd(bpf_program__fd(g.k->progs.osh_dns), &info, &n);
	printf("a in-kernel answer, event included\nb dnsmasq\nmax 0.5\nunit us\n"
	       "note verified %u instructions, %u bytes of machine code, loaded with its maps in %.0f ms\n",
	       info.verified_insns, info.jited_prog_len, at / 1e3);
	fflush(stdout);
	pid = peer_start();
	ret = rounds_run(&g, rounds);
	if (ret == CANNOT)
		puts("dnsmasq does not start");
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	rig_done(&g);
	return ret;
}
