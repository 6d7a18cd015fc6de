/* SPDX-License-Identifier: Apache-2.0 */
#include "errand.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SOCK 3

static _Noreturn void become(errand_fn *fn, int sock, const struct chan_in *in)
{
	struct osh_msg_failed bad = { 0 };
	struct osh_msg_id id = { 0 };
	struct err e = { 0 };
	int fd;

	if ((sock != SOCK && dup3(sock, SOCK, O_CLOEXEC) < 0) ||
	    syscall(SYS_close_range, SOCK + 1u, UINT_MAX, 0) < 0)
		_exit(1);
	if (fn(in, &fd, &e) == 0)
		_exit(chan_send_now(SOCK, OSH_MSG_INIT_FD, &id, sizeof(id), &fd, 1) < 0);
	bad.code = e.code;
	memcpy(bad.text, e.text, sizeof(bad.text));
	_exit(chan_send_now(SOCK, OSH_MSG_INIT_ERROR, &bad, sizeof(bad), NULL, 0) < 0);
}

int errand_start(errand_fn *fn, int sock, const struct chan_in *in, pid_t *ret_pid, struct err *e)
{
	pid_t pid = fork();

	if (pid == 0)
		become(fn, sock, in);
	if (pid < 0)
		return fail(e, errno, "fork: %s", strerror(errno));
	*ret_pid = pid;
	return 0;
}
