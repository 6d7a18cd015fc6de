/* SPDX-License-Identifier: Apache-2.0 */
#include "view.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chan.h"
#include "own.h"
#include "run.h"
#include "run_flow.h"
#include "say.h"
#include "tty.h"

#define LAST_MS 2000			/* silence after the terminal's end: nothing more will come */

struct relay {
	int control, stream, signals;
	int in, out;			/* ours */
	bool raw;			/* both are a terminal, which is ours */
	bool ended, gone, left;		/* status is known; control socket closed; the keys were pressed */
	int killed;			/* by this signal */
	int status;
	struct detach detach;
	struct flow show;
	char typed[4096 + DETACH_KEYS];
	size_t at, n;			/* of it, what the sandbox has not taken */
};

static const int ends[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };

static int take_signals(struct relay *r)
{
	sigset_t set;

	(void)signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		sigaddset(&set, ends[i]);
	r->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return r->signals < 0 || sigprocmask(SIG_SETMASK, &set, NULL) < 0 ? -1 : 0;
}

static void tell_size(const struct relay *r)
{
	struct osh_msg_attach m = { 0 };
	struct winsize size;

	if (ioctl(r->in, TIOCGWINSZ, &size) < 0)
		return;
	m.rows = size.ws_row;
	m.cols = size.ws_col;
	m.xpixel = size.ws_xpixel;
	m.ypixel = size.ws_ypixel;
	(void)chan_send_now(r->control, OSH_MSG_INIT_SIZE, &m, sizeof(m), NULL, 0);
}

static void on_signal(struct relay *r)
{
	struct signalfd_siginfo si;

	if (read(r->signals, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo == SIGWINCH)
		tell_size(r);
	else
		r->killed = (int)si.ssi_signo;
}

static void on_control(struct relay *r)
{
	const struct osh_msg_status *st;
	const struct osh_msg_failed *bad;
	struct chan_in in;

	if (chan_recv(r->control, &in) <= 0) {
		r->gone = true;
		return;
	}
	st = chan_is(&in, OSH_MSG_INIT_EXITED, sizeof(*st), 0);
	bad = chan_is(&in, OSH_MSG_INIT_ERROR, sizeof(*bad), 0);
	if (st) {
		r->ended = true;
		r->status = st->value;
	} else if (bad) {
		tty_restore();
		say_error("%.239s", bad->text);
	}
	chan_in_done(&in);
}

static void on_typed(struct relay *r)
{
	char buf[4096];
	ssize_t n = read(r->in, buf, sizeof(buf));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		r->in = -1;		/* who has no more to say may still look */
		return;
	}
	r->at = 0;
	r->n = detach_filter(&r->detach, buf, (size_t)n, r->typed, &r->left);
}

static void pass_typed(struct relay *r)
{
	ssize_t n = send(r->stream, r->typed + r->at, r->n - r->at, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n > 0)
		r->at += (size_t)n;
	else if (errno != EAGAIN && errno != EINTR)
		r->at = r->n;
}

/* One turn; false when there is nothing left to wait for. */
static bool turn(struct relay *r)
{
	struct pollfd p[] = {
		{ .fd = r->gone ? -1 : r->control, .events = POLLIN },
		{ .fd = r->signals, .events = POLLIN },
		{ .fd = r->at < r->n || r->gone ? -1 : r->in, .events = POLLIN },
		{ .fd = r->at < r->n ? r->stream : -1, .events = POLLOUT },
		{ 0 },
	};
	int n;

	flow_want(&r->show, &p[4]);
	n = poll(p, ARRAY_SIZE(p), r->gone ? LAST_MS : -1);
	if (n < 0)
		return errno == EINTR;
	if (n == 0 && r->gone)
		return false;
	flow_step(&r->show, p[4].revents);
	if (p[3].revents)
		pass_typed(r);
	if (p[2].revents)
		on_typed(r);
	if (p[1].revents)
		on_signal(r);
	if (p[0].revents)
		on_control(r);
	if (r->left && r->at < r->n)
		pass_typed(r);
	return !r->left && !r->killed && (!r->gone || flow_live(&r->show));
}

static int exit_status(const struct relay *r)
{
	if (r->left)
		return VIEW_DETACHED;
	if (r->killed)
		return 128 + r->killed;
	if (r->ended)
		return WIFSIGNALED(r->status) ? 128 + WTERMSIG(r->status) : WEXITSTATUS(r->status);
	say_error("the terminal is gone");
	return RUN_FAILED;
}

int view_relay(int control, int stream, const struct view_opts *o)
{
	static struct relay r;		/* large */

	r = (struct relay){ .control = control, .stream = stream, .in = 0, .out = 1, .detach = o->detach };
	r.show = (struct flow){ .from = stream, .to = 1 };
	r.raw = isatty(0) && isatty(1);
	if (take_signals(&r) < 0) {
		say_error("signals: %s", strerror(errno));
		return RUN_FAILED;
	}
	if (isatty(0) && tty_raw(0) < 0)
		say_error("the terminal's modes cannot be set: %s", strerror(errno));
	while (turn(&r))
		;
	tty_restore();
	own_close(&r.signals);
	return exit_status(&r);
}
