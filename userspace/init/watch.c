/* SPDX-License-Identifier: Apache-2.0 */
#include "watch.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chan.h"
#include "command.h"
#include "own.h"

#define REAP_AT_ONCE 256		/* then look at the control socket again */

/* What oshctl may send to the command's group. Everything else is a broken peer. */
static const int relayed[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT, SIGKILL,
};

int watch_init(struct watch *w, struct err *e)
{
	sigset_t set;

	/*
	 * Only what is needed is blocked: a pid 1 drops other signals from inside as long as it
	 * neither handles nor blocks them. SIGTTOU, so that we may move the terminal's foreground.
	 */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	w->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (w->signals < 0)
		return fail(e, errno, "signalfd: %s", strerror(errno));
	sigaddset(&set, SIGTTOU);
	if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
		return fail(e, errno, "sigprocmask: %s", strerror(errno));
	return 0;
}

static void tell(const struct watch *w, unsigned type, int value)
{
	struct osh_msg_status m = { .value = value };

	(void)chan_send(w->control, type, &m, sizeof(m), NULL, 0);	/* a dead oshctl shows in poll */
}

static void on_report(struct watch *w)
{
	struct osh_msg_failed m = { 0 };
	struct err e;
	int r = command_report(w->report, w->spec, &e);

	own_close(&w->report);
	if (r == 0) {
		tell(w, OSH_MSG_INIT_STARTED, w->pid);
		return;
	}
	m.code = e.code;
	memcpy(m.text, e.text, sizeof(m.text));
	(void)chan_send(w->control, OSH_MSG_INIT_ERROR, &m, sizeof(m), NULL, 0);
}

/* True when there may be more to reap. */
static bool on_child(struct watch *w)
{
	struct signalfd_siginfo si;

	(void)!read(w->signals, &si, sizeof(si));
	for (int i = 0; i < REAP_AT_ONCE; i++) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG | WUNTRACED);

		if (pid <= 0)
			return false;
		if (pid != w->pid)
			continue;
		if (WIFSTOPPED(status)) {
			tell(w, OSH_MSG_INIT_STOPPED, WSTOPSIG(status));
			continue;
		}
		w->ended = true;
		w->status = status;
		return false;
	}
	return true;
}

static void send_signal(struct watch *w, int sig)
{
	if (sig == SIGCONT && w->behind) {
		(void)ioctl(w->tty, TIOCSPGRP, &w->pid);
		w->behind = false;
	}
	(void)kill(-w->pid, sig);	/* a group that has just died is no error */
}

/* False when oshctl is gone or sent what it must not. */
static bool on_control(struct watch *w)
{
	const struct osh_msg_status *m;
	struct chan_in in;

	if (chan_recv(w->control, &in) <= 0)
		return false;
	m = chan_is(&in, OSH_MSG_INIT_SIGNAL, sizeof(*m), 0);
	chan_in_done(&in);
	if (!m)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(relayed); i++)
		if (relayed[i] == m->value) {
			send_signal(w, m->value);
			return true;
		}
	return false;
}

static int finish(struct watch *w)
{
	if (w->report >= 0)
		on_report(w);
	tell(w, OSH_MSG_INIT_EXITED, w->status);
	return WIFEXITED(w->status) ? WEXITSTATUS(w->status) : 128 + WTERMSIG(w->status);
}

int watch_run(struct watch *w)
{
	bool more = false;

	for (;;) {
		struct pollfd p[] = {
			{ .fd = w->control, .events = POLLIN },
			{ .fd = w->signals, .events = POLLIN },
			{ .fd = w->report, .events = POLLIN },
			{ .fd = w->manager },
		};

		if (poll(p, ARRAY_SIZE(p), more ? 0 : -1) < 0 && errno != EINTR)
			return COMMAND_CANNOT;
		if (p[3].revents)
			return COMMAND_CANNOT;
		if (p[2].revents)
			on_report(w);
		if (p[0].revents && !on_control(w))
			return COMMAND_CANNOT;
		if (more || p[1].revents)
			more = on_child(w);
		if (w->ended)
			return finish(w);
	}
}
