/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the sandbox gets as stdio. Bytes, and no more than bytes: a terminal would let the agent type
 * into the caller's shell, a directory is a way out of the mount view, a host socket can be connected
 * again elsewhere. Pipes and regular files are given as they are.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "chan.h"
#include "own.h"
#include "run.h"
#include "spec.h"
#include "tty.h"

#define MEM_MAJOR 1			/* the kernel's memory devices */
static const unsigned harmless[] = { 3, 5, 7, 8, 9 };	/* null, zero, full, random, urandom */

/* A connected stream stays with its peer; every other socket can be pointed somewhere else. */
static bool bound_to_peer(int fd)
{
	struct sockaddr_storage peer;
	socklen_t n = sizeof(peer), len = sizeof(int);
	int domain, type;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM &&
	       getpeername(fd, (struct sockaddr *)&peer, &n) == 0;
}

static bool is_harmless(const struct stat *st)
{
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
		if (st->st_rdev == makedev(MEM_MAJOR, harmless[i]))
			return true;
	return false;
}

static enum stdio_kind kind_of(int fd, const struct stat *st)
{
	int flags = fcntl(fd, F_GETFL);

	if (isatty(fd))
		return STDIO_TTY;
	if (flags < 0 || (flags & O_PATH) || S_ISDIR(st->st_mode) || S_ISBLK(st->st_mode))
		return STDIO_NONE;
	if (S_ISREG(st->st_mode) || S_ISFIFO(st->st_mode))
		return STDIO_PASS;
	if (S_ISCHR(st->st_mode) && is_harmless(st))
		return STDIO_PASS;
	return S_ISSOCK(st->st_mode) && bound_to_peer(fd) ? STDIO_PASS : STDIO_PUMP;
}

int run_fill_stdio(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return -1;
	return 0;
}

static int open_pump(struct run_stdio *s, int i, struct err *e)
{
	int ends[2], ours = i == 0 ? 1 : 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail(e, errno, "pipe: %s", strerror(errno));
	s->give[i] = ends[!ours];
	s->keep[i] = ends[ours];
	(void)fcntl(s->keep[i], F_SETFL, O_NONBLOCK);
	return 0;
}

static int open_one(struct run_stdio *s, int i, bool pipes, struct err *e)
{
	static const char *const names[] = { "standard input", "standard output", "standard error" };
	struct stat st;

	s->give[i] = s->keep[i] = -1;
	if (fstat(i, &st) < 0)
		return fail(e, errno, "%s: %s", names[i], strerror(errno));
	s->kind[i] = kind_of(i, &st);
	if (pipes && s->kind[i] == STDIO_TTY)
		s->kind[i] = STDIO_PUMP;
	switch (s->kind[i]) {
	case STDIO_NONE:
		return fail(e, EINVAL, "%s is a directory or a block device; it cannot be given to a sandbox",
			    names[i]);
	case STDIO_TTY:
		if (s->tty < 0)
			s->tty = tty_reopen(i);
		return s->tty < 0 ? fail(e, errno, "%s: %s", names[i], strerror(errno)) : 0;
	case STDIO_PASS:
		s->give[i] = i;
		return 0;
	case STDIO_PUMP:
		return open_pump(s, i, e);
	}
	return fail(e, EINVAL, "%s: unknown kind", names[i]);
}

int run_stdio_open(struct run_stdio *s, bool pipes, struct err *e)
{
	int r = 0;

	s->tty = -1;
	for (int i = 0; r == 0 && i < 3; i++)
		r = open_one(s, i, pipes, e);
	s->eager = s->kind[0] == STDIO_TTY && s->kind[1] == STDIO_TTY;
	return r;
}

void run_describe_terminal(int tty, struct osh_msg_init_spec *m)
{
	struct winsize size = { 0 };
	struct termios t;

	m->flags |= OSH_SPEC_TTY;
	(void)ioctl(tty, TIOCGWINSZ, &size);
	m->rows = size.ws_row;
	m->cols = size.ws_col;
	m->xpixel = size.ws_xpixel;
	m->ypixel = size.ws_ypixel;
	if (tcgetattr(tty, &t) < 0)
		return;
	m->flags |= OSH_SPEC_MODES;
	m->iflag = t.c_iflag;
	m->oflag = t.c_oflag;
	m->lflag = t.c_lflag;
	memcpy(m->cc, t.c_cc, 19);
}

static uint32_t current_umask(void)
{
	mode_t was = umask(077);

	umask(was);
	return was;
}

int run_send_spec(const struct run_order *o, int control, struct run_stdio *s, struct err *e)
{
	struct osh_msg_init_spec m = { .umask = current_umask(), .flags = o->flags };
	_close_ int memfd = -1;
	int fds[4], n = 1, r;

	r = spec_write(o->argv, o->envp, o->cwd, &m, &memfd, e);
	if (r < 0)
		return r;
	fds[0] = memfd;
	if (s->tty >= 0) {
		run_describe_terminal(s->tty, &m);
		m.flags |= s->eager ? 0 : OSH_SPEC_BACK;
	}
	for (int i = 0; i < 3; i++)
		if (s->give[i] >= 0) {
			m.flags |= OSH_SPEC_FD(i);
			fds[n++] = s->give[i];
		}
	r = chan_send(control, OSH_MSG_INIT_SPEC, &m, sizeof(m), fds, n);
	for (int i = 0; i < 3; i++)
		if (s->kind[i] == STDIO_PUMP)
			own_close(&s->give[i]);
	return r < 0 ? fail(e, -r, "control socket: %s", strerror(-r)) : 0;
}
