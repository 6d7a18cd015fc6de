// SPDX-License-Identifier: Apache-2.0
/*
 * The front table of endpoints: what the connect hook finds there is what `endpoints` says, whether an
 * entry has a place, has none, goes, or is being replaced by another one's while the hook reads it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include "netrig.h"
#include "own.h"

#include <cmocka.h>			/* last: it has a macro fail() */

static struct rig rig;
static struct rig_policy policy;

/* prog.test, the second name: port 443 is for programs of group 1. */
static struct osh_endpoint_key key_of(uint32_t generation)
{
	return (struct osh_endpoint_key){ .id = RIG_ID, .generation = generation, .host = OSH_EP_ADDR | 2,
					  .port = 443 };
}

static struct osh_front *place(const struct osh_endpoint_key *key)
{
	return &rig.k->front[osh_front_at(key)];
}

static int holds(const struct osh_endpoint_key *key)
{
	return !memcmp(&place(key)->key, key, sizeof(*key));
}

/* Another key of the same place. */
static struct osh_endpoint_key rival_of(const struct osh_endpoint_key *key)
{
	struct osh_endpoint_key other = *key;

	do {
		if (++other.port > 65535) {
			other.port = 1;
			other.host++;
		}
	} while (osh_front_at(&other) != osh_front_at(key));
	return other;
}

struct dialler {
	uint64_t groups;
	int ms, tries;			/* for so long, or so often */
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* 0: all were denied, 1: all were allowed, 2: some. */
static int dial(struct rig *g, void *arg)
{
	const struct dialler *d = arg;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(443),
				  .sin_addr.s_addr = htonl(OSH_NET4 + 2) };
	struct linger reset = { 1, 0 };
	uint64_t end = now_ms() + (uint64_t)d->ms;
	int seen[2] = { 0, 0 };

	(void)g;
	for (int i = 0; d->ms ? now_ms() < end : i < d->tries; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		int r = connect(fd, (void *)&to, sizeof(to)) < 0 ? errno : 0;

		if (r && r != EACCES && r != EINPROGRESS && r != ECONNREFUSED)
			return 3;
		seen[r != EACCES]++;
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
	}
	return seen[0] && seen[1] ? 2 : !!seen[1];
}

static int dialled(struct dialler d)
{
	struct osh_task t = { .slot = RIG_SLOT, .id = RIG_ID, .generation = rig.s.generation, .ident = 7,
			      .groups = { d.groups } };
	int r = rig_in(&rig, rig.box, &t, dial, &d), fd;

	while ((fd = accept4(rig.listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(fd);
	rig_forget_events(&rig);
	return r;
}

static void judged_right(void)
{
	assert_int_equal(dialled((struct dialler){ 1 << 1, .tries = 5 }), 1);
	assert_int_equal(dialled((struct dialler){ 1 << 2, .tries = 5 }), 0);
}

static void filled_and_used(void **state)
{
	struct osh_endpoint_key key = key_of(1);
	struct osh_endpoint was = place(&key)->ep;

	(void)state;
	assert_true(holds(&key));
	judged_right();
	place(&key)->ep.groups[0] = 1 << 2;	/* so that the answer says where it comes from */
	assert_int_equal(dialled((struct dialler){ 1 << 1, .tries = 5 }), 0);
	assert_int_equal(dialled((struct dialler){ 1 << 2, .tries = 5 }), 1);
	place(&key)->ep = was;
	judged_right();
}

static void a_place_that_is_taken(void **state)
{
	struct osh_endpoint_key key = key_of(1), rival = rival_of(&key);
	struct osh_endpoint open = { .groups = { 1 }, .host = 9 }, was = place(&key)->ep;

	(void)state;
	kbpf_front_drop(rig.k, &key, 1);
	assert_int_equal(place(&key)->key.id, 0);
	judged_right();
	kbpf_front_put(rig.k, &rival, &open, 1);
	assert_true(holds(&rival));
	judged_right();
	kbpf_front_put(rig.k, &key, &was, 1);	/* the first one stays */
	assert_true(holds(&rival));
	kbpf_front_drop(rig.k, &key, 1);	/* nor does another's going take it away */
	assert_true(holds(&rival));
	judged_right();
	kbpf_front_drop(rig.k, &rival, 1);
	kbpf_front_put(rig.k, &key, &was, 1);
	judged_right();
}

/* As a daemon leaves it that was killed in the middle: not believed, and taken by the next. */
static void an_unfinished_one(void **state)
{
	struct osh_endpoint_key key = key_of(1);
	struct osh_endpoint was = place(&key)->ep;

	(void)state;
	place(&key)->seq |= 1;
	place(&key)->ep.groups[0] = 1;
	judged_right();
	kbpf_front_put(rig.k, &key, &was, 1);
	assert_true(holds(&key) && !(place(&key)->seq & 1));
	judged_right();
}

/* An entry that says "any program" comes and goes where ours was: nobody may ever be judged by it. */
static void replaced_while_it_is_read(void **state)
{
	struct osh_endpoint_key key = key_of(1), rival = rival_of(&key);
	struct osh_endpoint open = { .groups = { 1 }, .host = 9 }, was = place(&key)->ep;
	uint64_t turns = 0;
	int status[2];
	pid_t pids[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		pids[i] = fork();
		if (!pids[i])
			_exit(dialled((struct dialler){ i ? 1 << 1 : 1 << 2, .ms = 1500 }) != i);
	}
	for (uint64_t end = now_ms() + 2000; now_ms() < end; turns++)
		for (int i = 0; i < 500; i++) {
			kbpf_front_drop(rig.k, &key, 1);
			kbpf_front_put(rig.k, &rival, &open, 1);
			kbpf_front_drop(rig.k, &rival, 1);
			kbpf_front_put(rig.k, &key, &was, 1);
		}
	for (int i = 0; i < 2; i++) {
		waitpid(pids[i], &status[i], 0);
		assert_int_equal(status[i], 0);
	}
	assert_true(turns > 10);
	judged_right();
}

static void a_reload_and_the_end(void **state)
{
	struct osh_endpoint_key one = key_of(1), two = key_of(2);

	(void)state;
	rig.s.generation = 2;
	assert_int_equal(kbpf_fill(rig.k, &rig.s, &policy.b, &rig.e), 0);
	assert_true(holds(&one) && holds(&two));
	assert_int_equal(kbpf_flip(rig.k, &rig.s, &policy.b, &rig.e), 0);
	kbpf_clear_old(rig.k, &rig.s);
	assert_true(!holds(&one) && holds(&two));
	judged_right();
	kbpf_clear(rig.k, &rig.s);
	for (size_t i = 0; i < 1 << OSH_FRONT_BITS; i++)
		assert_int_equal(rig.k->front[i].key.id, 0);
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
		cmocka_unit_test(filled_and_used),
		cmocka_unit_test(a_place_that_is_taken),
		cmocka_unit_test(an_unfinished_one),
		cmocka_unit_test(replaced_while_it_is_read),
		cmocka_unit_test(a_reload_and_the_end),
	};

	if (geteuid())
		return puts("1..0 # SKIP needs root"), 0;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
