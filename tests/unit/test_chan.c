/* SPDX-License-Identifier: Apache-2.0 */
/* Messages between osh's own processes: what one that was taken over may not do to another. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chan.h"
#include "own.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

static void one_end_takes_no_descriptors(void **data)
{
	struct osh_msg_id m = { .id = 7 };
	struct chan_in in;
	int pair[2], fd = 0;

	(void)data;
	assert_int_equal(chan_pair(pair), 0);
	if (!chan_refuse_fds(pair[0]))
		skip();			/* before Linux 6.16 */
	assert_int_equal(chan_send(pair[1], OSH_MSG_FORGET, &m, sizeof(m), &fd, 1), -EPERM);
	assert_int_equal(chan_send(pair[1], OSH_MSG_FORGET, &m, sizeof(m), NULL, 0), 0);
	assert_int_equal(chan_recv(pair[0], &in), 1);
	assert_non_null(chan_is(&in, OSH_MSG_FORGET, sizeof(m), 0));
	assert_int_equal(chan_send(pair[0], OSH_MSG_FORGET, &m, sizeof(m), &fd, 1), 0);
	assert_int_equal(chan_recv(pair[1], &in), 1);
	assert_int_equal(in.n_fds, 1);
	chan_in_done(&in);
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(one_end_takes_no_descriptors) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
