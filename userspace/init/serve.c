/* SPDX-License-Identifier: Apache-2.0 */
#include "serve.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "errand.h"
#include "own.h"

#define STREAM 3

static _Noreturn void become(int stream, uint32_t port)
{
	unsigned char code;
	struct err e;
	int fd = -1, r;

	if ((stream != STREAM && dup3(stream, STREAM, O_CLOEXEC) < 0) ||
	    syscall(SYS_close_range, STREAM + 1u, UINT_MAX, 0) < 0)
		_exit(1);
	r = errand_port((int)port, &fd, &e);
	code = (unsigned char)-r;
	if (send(STREAM, &code, 1, MSG_NOSIGNAL) != 1 || r < 0)
		_exit(1);
	serve_join(STREAM, fd);
}

struct served *serve_place(struct served all[OSH_SERVED], uint32_t caller)
{
	struct served *place = NULL;
	uint32_t own = 0, others = 0;

	for (int i = 0; i < OSH_SERVED; i++) {
		if (!all[i].pid)
			place = &all[i];
		else if (all[i].caller == caller)
			own++;
		else
			others++;
	}
	return !own || own < (OSH_SERVED - others) / 2 ? place : NULL;
}

void serve_begin(struct served all[OSH_SERVED], const struct osh_msg_serve *m, int stream)
{
	struct served *s = serve_place(all, m->caller);
	unsigned char code = s ? 0 : EMFILE;
	pid_t pid = s ? fork() : -1;

	if (pid == 0)
		become(stream, m->port);
	if (pid > 0)
		*s = (struct served){ pid, m->caller, m->port };
	else
		(void)send(stream, code ? &code : &(unsigned char){ EAGAIN }, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(stream);
}

static bool may_stay(const struct osh_msg_unserve *m, uint32_t port)
{
	for (uint32_t i = 0; i < m->n && i < OSH_SERVES; i++)
		if (m->ports[i] == port)
			return true;
	return false;
}

void serve_end(struct served all[OSH_SERVED], const struct osh_msg_unserve *m)
{
	for (int i = 0; i < OSH_SERVED; i++)
		if (all[i].pid && all[i].caller == m->caller && !may_stay(m, all[i].port))
			(void)kill(all[i].pid, SIGKILL);	/* its place is free when it is reaped */
}

void serve_child(struct served all[OSH_SERVED], pid_t pid)
{
	for (int i = 0; i < OSH_SERVED; i++)
		if (all[i].pid == pid)
			all[i] = (struct served){ 0 };
}
