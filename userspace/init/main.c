/* SPDX-License-Identifier: Apache-2.0 */
/*
 * osh-init: pid 1 of a sandbox. osh-launch executes it inside the finished sandbox, without
 * privilege; descriptor 3 is the manager socket, whose other end oshd and osh-launch hold: it brings the
 * session, a socket to oshctl. It starts one command, relays signals to it, says what becomes of it and
 * reaps the rest. When it exits, for whatever reason, the kernel kills every process of the pid
 * namespace: the sandbox ends with its command, with oshctl, or when nobody manages it.
 *
 * The agent runs under the same uid, so osh-init is not dumpable: its /proc/1/fd and its memory are
 * closed, and the sockets are out of reach. Signals from inside do not reach a pid 1 that has
 * no handlers.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "chan.h"
#include "command.h"
#include "own.h"
#include "pty.h"
#include "watch.h"

#define MANAGER 3

/* Text for oshctl and, since it may be gone, the status for whoever waits for us. */
static int refuse(int control, const struct err *e)
{
	struct osh_msg_failed m = { .code = e->code };

	snprintf(m.text, sizeof(m.text), "%s", e->text);
	(void)chan_send(control, OSH_MSG_INIT_ERROR, &m, sizeof(m), NULL, 0);
	return COMMAND_CANNOT;
}

/* Before any input: unreadable for the agent's uid, nothing open but stdio and the socket. */
static int harden(struct err *e)
{
	if (getpid() != 1)		/* our exit must end everything that we started */
		return fail(e, EPERM, "osh-init must be pid 1 of a sandbox");
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return fail(e, errno, "PR_SET_DUMPABLE: %s", strerror(errno));
	if (syscall(SYS_close_range, MANAGER + 1u, UINT_MAX, 0) < 0)
		return fail(e, errno, "close_range: %s", strerror(errno));
	if (fcntl(MANAGER, F_SETFD, FD_CLOEXEC) < 0)
		return fail(e, errno, "manager socket: %s", strerror(errno));
	for (int fd = 0; fd < 3; fd++)	/* a missing stdio must not become one of what we receive */
		if (fcntl(fd, F_GETFD) < 0 && dup3(MANAGER, fd, O_CLOEXEC) < 0)
			return fail(e, errno, "descriptor %d: %s", fd, strerror(errno));
	return pty_session(e);
}

/* The next message of fd, as long as there is a manager. */
static int wait_for(int fd, struct chan_in *in, struct err *e)
{
	struct pollfd p[] = { { .fd = fd, .events = POLLIN }, { .fd = MANAGER } };

	if (poll(p, ARRAY_SIZE(p), -1) < 0 || p[1].revents)
		return fail(e, ECONNRESET, "oshd is gone");
	return chan_recv(fd, in) <= 0 ? fail(e, ECONNRESET, "oshctl is gone") : 0;
}

static int first_session(int *ret_control, struct err *e)
{
	const struct osh_msg_open *m;
	struct chan_in in;
	int r = wait_for(MANAGER, &in, e);

	if (r < 0)
		return r;
	m = chan_is(&in, OSH_MSG_INIT_OPEN, sizeof(*m), 1);
	if (!m || m->flags != (OSH_OPEN_ENDS | OSH_OPEN_TIED))
		r = fail(e, EBADMSG, "the first message is not a session");
	else
		*ret_control = chan_take(&in, 0);
	chan_in_done(&in);
	return r;
}

/* The first message: m, its memfd mapped into *s, its stdio in stdio[] (-1 = the terminal). */
static int receive(int control, struct osh_msg_init_spec *m, struct spec *s, int stdio[3],
		   struct err *e)
{
	struct chan_in in;
	const void *p;
	int n = 1, r = wait_for(control, &in, e);

	if (r < 0)
		return r;
	p = chan_is(&in, OSH_MSG_INIT_SPEC, sizeof(*m), in.n_fds);
	if (!p)
		return fail(e, EBADMSG, "the first message is not a command");
	memcpy(m, p, sizeof(*m));
	r = spec_fds(m, e);
	if (r >= 0 && r != in.n_fds)
		r = fail(e, EBADMSG, "command spec: %d descriptors, expected %d", in.n_fds, r);
	if (r >= 0)
		r = spec_map(in.fds[0], m, s, e);
	for (int i = 0; r >= 0 && i < 3; i++)
		stdio[i] = m->flags & OSH_SPEC_FD(i) ? chan_take(&in, n++) : -1;
	chan_in_done(&in);
	return r;
}

static int give_terminal(int control, const struct osh_msg_init_spec *m, int stdio[3], int *ret_tty,
			 struct err *e)
{
	struct osh_msg_id id = { 0 };
	int master, r;

	if (!(m->flags & OSH_SPEC_TTY))
		return 0;
	r = pty_open(m, &master, ret_tty, e);
	if (r < 0)
		return r;
	for (int i = 0; i < 3; i++)
		if (stdio[i] < 0)
			stdio[i] = *ret_tty;
	r = chan_send(control, OSH_MSG_INIT_PTY, &id, sizeof(id), &master, 1);
	close(master);
	return r < 0 ? fail(e, -r, "terminal: send: %s", strerror(-r)) : 0;
}

/* From here on only the command holds what it was given: oshctl sees its pipes close. */
static void let_go(const int stdio[3], int tty)
{
	for (int i = 0; i < 3; i++)
		if (stdio[i] != tty)
			close(stdio[i]);
}

int main(void)
{
	struct osh_msg_init_spec m;
	struct spec spec;
	struct command c = { .spec = &spec, .tty = -1 };
	struct watch w = { .control = -1, .manager = MANAGER, .spec = &spec, .report = -1, .signals = -1 };
	struct err e;

	if (harden(&e) < 0 || first_session(&w.control, &e) < 0 ||
	    receive(w.control, &m, &spec, c.stdio, &e) < 0 || watch_init(&w, &e) < 0 ||
	    give_terminal(w.control, &m, c.stdio, &c.tty, &e) < 0)
		return refuse(w.control, &e);
	umask(m.umask & 0777);
	c.front = !(m.flags & OSH_SPEC_BACK);
	w.behind = c.tty >= 0 && !c.front;
	w.tty = c.tty;
	if (command_start(&c, &w.pid, &w.report, &e) < 0)
		return refuse(w.control, &e);
	let_go(c.stdio, c.tty);
	return watch_run(&w);
}
