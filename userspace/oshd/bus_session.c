/* SPDX-License-Identifier: Apache-2.0 */
/* Open: a client's socket goes on to the sandbox's osh-init. What is said on it oshd never hears. */
#include <sys/socket.h>

#include "init.h"
#include "manager.h"
#include "methods.h"

#define CALLERS_FLAGS OSH_OPEN_TERMINAL	/* a sandbox's end is not a session's to decide */

/* osh-init waits for nobody, and so takes no descriptor that could make it wait. */
static bool is_session(int fd)
{
	int type = 0, domain = 0;
	socklen_t n = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) == 0 && domain == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_SEQPACKET;
}

int on_open(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct sandbox *s;
	const char *name;
	uint32_t flags;
	int fd, x;

	if (sd_bus_message_read(m, "shu", &name, &fd, &flags) < 0)
		return fail(e, EINVAL, "malformed call");
	if (flags & ~CALLERS_FLAGS)
		return fail(e, EINVAL, "flags 0x%x: not a caller's to give", flags);
	if (!is_session(fd))
		return fail(e, EINVAL, "a session is a unix socket of type SOCK_SEQPACKET");
	x = bus_find_running(who, name, &s, e);
	if (!x && s->state != SB_RUNNING)
		x = fail(e, EAGAIN, "sandbox '%s' is being started", name);
	if (!x)
		x = init_open(s, fd, flags, e);
	if (!x && sd_bus_reply_method_return(m, "") < 0)
		fprintf(stderr, "oshd: a caller left before its session was open\n");
	return x;
}
