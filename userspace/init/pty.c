/* SPDX-License-Identifier: Apache-2.0 */
#include "pty.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "own.h"

#define KERNEL_NCCS 19			/* control characters that the kernel keeps; libc's array is longer */

int pty_session(struct err *e)
{
	if (setsid() < 0 && getsid(0) != getpid())
		return fail(e, errno, "setsid: %s", strerror(errno));
	(void)ioctl(STDIN_FILENO, TIOCNOTTY);	/* a leader already: whatever terminal came with it goes */
	return 0;
}

static int set_modes(int fd, const struct osh_msg_init_spec *m)
{
	struct termios t;

	if (tcgetattr(fd, &t) < 0)
		return -errno;
	t.c_iflag = m->iflag;
	t.c_oflag = m->oflag;
	t.c_lflag = m->lflag;
	for (int i = 0; i < KERNEL_NCCS; i++)
		t.c_cc[i] = m->cc[i];
	return tcsetattr(fd, TCSANOW, &t) < 0 ? -errno : 0;
}

int pty_open(const struct osh_msg_init_spec *m, int *ret_master, int *ret_slave, struct err *e)
{
	struct winsize size = { m->rows, m->cols, m->xpixel, m->ypixel };
	_close_ int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	_close_ int slave = -1;
	int unlock = 0;

	if (master < 0)
		return fail(e, errno, "terminal: open /dev/ptmx: %s", strerror(errno));
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return fail(e, errno, "terminal: unlock: %s", strerror(errno));
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return fail(e, errno, "terminal: open its slave: %s", strerror(errno));
	if (ioctl(master, TIOCSWINSZ, &size) < 0)
		return fail(e, errno, "terminal: window size: %s", strerror(errno));
	if ((m->flags & OSH_SPEC_MODES) && set_modes(slave, m) < 0)
		return fail(e, errno, "terminal: modes: %s", strerror(errno));
	*ret_master = take_fd(&master);
	*ret_slave = take_fd(&slave);
	return 0;
}
