/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a run as oshd sees it: what was denied, for the person who ran the command, and then that nothing is left. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "own.h"
#include "run.h"
#include "say.h"

#define GONE_MS 60000			/* more than oshd needs to replace an osh-audit that does not answer */
#define ALONE_MS 2000			/* without an oshd: for what is on its way */

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* run_relay() took them as the sandbox's; there is none any more, so they end the wait. */
static int take_signals(void)
{
	static const int ends[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		sigaddset(&set, ends[i]);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void run_summary(int fd, int oshd, bool silent)
{
	_close_ int signals = take_signals();
	uint64_t until = now_ms() + GONE_MS;
	char buf[4096];

	for (;;) {
		struct pollfd p[] = { { fd, POLLIN, 0 }, { signals, POLLIN, 0 }, { oshd, POLLRDHUP, 0 } };
		uint64_t now = now_ms();
		int r = now < until ? poll(p, ARRAY_SIZE(p), (int)(until - now)) : 0;
		ssize_t n;

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			if (oshd >= 0 && !silent)
				say_error("the command has ended, but oshd has not tidied up after it yet");
			return;
		}
		if (p[2].revents) {
			oshd = -1;
			until = now_ms() + ALONE_MS;
		}
		if (p[0].revents) {
			n = read(fd, buf, sizeof(buf));
			if (n <= 0)
				return;
			if (!silent)
				say_text(buf, (size_t)n);
		}
		if (p[1].revents)
			return;
	}
}
