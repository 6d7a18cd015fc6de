/* SPDX-License-Identifier: Apache-2.0 */
/* The relay alone, on socket pairs: order, backpressure, half-close, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../userspace/egress/relay.h"

static int client[2], upstream[2];	/* [0] outside, [1] the relay's */
static struct relay r;

static int open_pairs(void **state)
{
	(void)state;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, client) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, upstream) < 0)
		return -1;
	relay_init(&r, client[1], upstream[1]);
	return 0;
}

static int close_pairs(void **state)
{
	(void)state;
	relay_done(&r);
	for (int i = 0; i < 2; i++) {
		close(client[i]);
		close(upstream[i]);
	}
	return 0;
}

static void small_messages_cross_both_ways(void **state)
{
	char buf[16];

	(void)state;
	assert_int_equal(write(client[0], "ping", 4), 4);
	assert_int_equal(write(upstream[0], "pong!", 5), 5);
	assert_int_equal(relay_pump(&r), RELAY_WAIT);
	assert_int_equal(read(upstream[0], buf, sizeof(buf)), 4);
	assert_int_equal(read(client[0], buf, sizeof(buf)), 5);
	assert_null(r.half[0].pipe);
	assert_null(r.half[1].pipe);
}

/* Random sizes against a reader that stops and goes: every byte arrives, in order. */
static void bytes_keep_their_order_under_backpressure(void **state)
{
	static unsigned char out[1 << 20], in[1 << 20];
	size_t sent = 0, got = 0;

	(void)state;
	srandom(1);
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (unsigned char)random();
	while (got < sizeof(in)) {
		size_t n = (size_t)random() % 60000 + 1;
		ssize_t k;

		if (n > sizeof(out) - sent)
			n = sizeof(out) - sent;
		k = n ? write(client[0], out + sent, n) : 0;
		sent += k > 0 ? (size_t)k : 0;
		assert_int_not_equal(relay_pump(&r), RELAY_RESET);
		if (random() % 3)
			continue;
		n = (size_t)random() % 90000 + 1;
		k = read(upstream[0], in + got, n < sizeof(in) - got ? n : sizeof(in) - got);
		got += k > 0 ? (size_t)k : 0;
	}
	assert_memory_equal(in, out, sizeof(in));
}

static void each_direction_ends_alone(void **state)
{
	char buf[8];

	(void)state;
	assert_int_equal(write(client[0], "x", 1), 1);
	shutdown(client[0], SHUT_WR);
	assert_int_equal(relay_pump(&r), RELAY_WAIT);
	assert_int_equal(read(upstream[0], buf, 8), 1);
	assert_int_equal(read(upstream[0], buf, 8), 0);
	assert_int_equal(write(upstream[0], "late", 4), 4);
	assert_int_equal(relay_pump(&r), RELAY_WAIT);
	assert_int_equal(read(client[0], buf, 8), 4);
	shutdown(upstream[0], SHUT_WR);
	assert_int_equal(relay_pump(&r), RELAY_DONE);
	assert_int_equal(read(client[0], buf, 8), 0);
}

static void a_lost_side_is_a_reset(void **state)
{
	(void)state;
	assert_int_equal(write(client[0], "x", 1), 1);
	close(upstream[0]);
	upstream[0] = -1;
	assert_int_equal(relay_pump(&r), RELAY_RESET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(small_messages_cross_both_ways, open_pairs, close_pairs),
		cmocka_unit_test_setup_teardown(bytes_keep_their_order_under_backpressure, open_pairs,
						close_pairs),
		cmocka_unit_test_setup_teardown(each_direction_ends_alone, open_pairs, close_pairs),
		cmocka_unit_test_setup_teardown(a_lost_side_is_a_reset, open_pairs, close_pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
