// SPDX-License-Identifier: Apache-2.0
/*
 * The lanes of allowed connections, written by the kernel and read by osh-audit's own reader: nothing
 * is lost that is not counted, a reader goes on where the last one stopped, and one that writes
 * nonsense harms its own log alone.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "netrig.h"
#include "own.h"

#include <cmocka.h>			/* last: it has a macro fail() */

static struct rig rig;
static struct rig_policy policy;

struct burst {
	int n, cpu;			/* cpu -1 = any */
};

/* Connections that the policy allows; gives 1 where one was denied. */
static int connect_burst(struct rig *g, void *arg)
{
	const struct burst *b = arg;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(443),
				  .sin_addr.s_addr = htonl(OSH_NET4 + 1) };
	struct linger now = { 1, 0 };
	cpu_set_t one;

	(void)g;
	CPU_ZERO(&one);
	CPU_SET(b->cpu < 0 ? 0 : b->cpu, &one);
	if (b->cpu >= 0 && sched_setaffinity(0, sizeof(one), &one) < 0)
		return 2;
	for (int i = 0; i < b->n; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

		if (connect(fd, (void *)&to, sizeof(to)) < 0 && errno != EINPROGRESS && errno != ECONNREFUSED)
			return 1;
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(fd);
	}
	return 0;
}

static void accept_all(void)
{
	int fd;

	while ((fd = accept4(rig.listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(fd);
}

static int burst(int n, int cpu)
{
	struct burst b = { n, cpu };
	int r = rig_in(&rig, rig.box, NULL, connect_burst, &b);

	accept_all();
	return r;
}

static uint64_t *drops(void)
{
	return (uint64_t *)&rig.k->sandboxes[RIG_SLOT].allow_drops;
}

static void fresh(void)
{
	rig_forget_events(&rig);
	*drops() = 0;
}

static int read_allows(void)
{
	rig.n_events = 0;
	rig_read_allows(&rig);
	return rig.n_events;
}

static void records_are_whole(void **state)
{
	(void)state;
	fresh();
	assert_int_equal(burst(3, -1), 0);
	assert_int_equal(read_allows(), 3);
	for (int i = 0; i < 3; i++) {
		const struct osh_event *e = &rig.events[i].ev;

		assert_int_equal(e->id, RIG_ID);
		assert_int_equal(e->generation, 1);
		assert_int_equal(e->kind, OSH_EV_CONNECT);
		assert_int_equal(e->verdict, OSH_ALLOW);
		assert_int_equal(e->why, OSH_WHY_ALLOWED);
		assert_int_equal(e->port, 443);
		assert_int_equal(e->family, AF_INET);
		assert_int_equal(e->addr_be[3], htonl(OSH_NET4 + 1));
		assert_int_equal(e->host, 1);
		assert_int_equal(e->name_len, 0);
		assert_string_equal(e->comm, "test_lanes");
		assert_true(e->time_ns > 0 && e->pid > 0 && e->tid == e->pid);
	}
	assert_int_equal(read_allows(), 0);
}

/* Six processes on all CPUs, unread: what the lanes hold and what was counted is all there was. */
static void nothing_is_lost_uncounted(void **state)
{
	enum { CHILDREN = 6, EACH = 3000 };
	pid_t pids[CHILDREN];
	int status, got;

	(void)state;
	fresh();
	for (int i = 0; i < CHILDREN; i++) {
		pids[i] = fork();
		if (!pids[i])
			_exit(burst(EACH, -1));
	}
	for (int i = 0; i < CHILDREN; i++) {
		waitpid(pids[i], &status, 0);
		assert_int_equal(status, 0);
	}
	got = read_allows();
	assert_int_equal(got + *drops(), CHILDREN * EACH);
	assert_true(*drops() > 0);	/* else the lanes were too large for this test */
	for (int i = 0; i < got && i < RIG_EVENTS; i++)
		assert_int_equal(rig.events[i].ev.id, RIG_ID);
	fresh();
	assert_int_equal(burst(10, -1), 0);
	assert_int_equal(read_allows(), 10);
	assert_int_equal(*drops(), 0);
}

static int ringing(void)
{
	struct pollfd p = { .fd = kbpf_map_fd(rig.k, "ring_allow"), .events = POLLIN };

	return poll(&p, 1, 0);
}

static void half_full_rings_the_bell(void **state)
{
	(void)state;
	fresh();
	assert_int_equal(burst((int)rig.lanes.each / 2 - 64, 0), 0);
	assert_int_equal(ringing(), 0);
	assert_int_equal(burst(128, 0), 0);
	assert_int_equal(ringing(), 1);
	assert_int_equal(read_allows(), rig.lanes.each / 2 + 64);
	assert_int_equal(ringing(), 0);	/* the bell itself is no record, and is gone when it was heard */
	assert_int_equal(*drops(), 0);
}

static void reopen(void)
{
	lanes_close(&rig.lanes);
	memset(&rig.lanes, 0, sizeof(rig.lanes));
	assert_int_equal(lanes_open(&rig.lanes, kbpf_map_fd(rig.k, "lane_slots"),
				    kbpf_map_fd(rig.k, "lane_tails"), &rig.e), 0);
}

static void the_next_reader_goes_on(void **state)
{
	(void)state;
	fresh();
	assert_int_equal(burst(20, 0), 0);
	rig.n_events = 0;
	assert_true(lanes_read(&rig.lanes, 7, rig_lane_event, &rig));
	assert_int_equal(rig.n_events, 7);
	rig.n_events = 0;
	reopen();
	assert_int_equal(read_allows(), 13);
	reopen();
	assert_int_equal(read_allows(), 0);
	assert_int_equal(burst(5, 0), 0);
	assert_int_equal(read_allows(), 5);
}

/* A reader that was taken over may write any tail. Connections go on; the records are counted as lost. */
static void a_mad_tail_harms_the_log_alone(void **state)
{
	static const int64_t off[] = { 1, 1000, -100000, INT64_MAX, INT64_MIN, 1ll << 32 };
	volatile uint64_t *tail = (void *)&rig.lanes.tails[0].tail;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(off); i++) {
		fresh();
		assert_int_equal(burst(9, 0), 0);
		assert_int_equal(read_allows(), 9);
		*tail += (uint64_t)off[i];
		assert_int_equal(burst(50, 0), 0);
		assert_int_equal(*drops(), 50);
		reopen();		/* the next osh-audit finds the tail senseless, and mends it */
		fresh();
		assert_int_equal(burst(11, 0), 0);
		assert_int_equal(read_allows(), 11);
		assert_int_equal(*drops(), 0);
	}
}

/* Whoever has the descriptor that osh-audit gets can read the slots, and nothing else. */
static void slots_are_read_only(void **state)
{
	int fd = kbpf_map_fd(rig.k, "lane_slots");
	struct osh_lane_slot slot;
	uint32_t zero = 0;

	(void)state;
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(mprotect((void *)rig.lanes.slots, 4096, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &slot), 0);
	assert_int_not_equal(bpf_map_update_elem(fd, &zero, &slot, BPF_ANY), 0);
}

static int set_up(void **state)
{
	(void)state;
	return rig_up(&rig, &policy, 1);
}

static int tear_down(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_whole),
		cmocka_unit_test(nothing_is_lost_uncounted),
		cmocka_unit_test(half_full_rings_the_bell),
		cmocka_unit_test(the_next_reader_goes_on),
		cmocka_unit_test(a_mad_tail_harms_the_log_alone),
		cmocka_unit_test(slots_are_read_only),
	};

	if (geteuid())
		return puts("1..0 # SKIP needs root"), 0;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
