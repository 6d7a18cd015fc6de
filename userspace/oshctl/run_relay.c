/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a foreground run: keys and output between the caller's terminal and the sandbox's pty,
 * signals and job control both ways, until osh-init says how the command ended. What comes from the
 * sandbox is bytes for the terminal and fixed-size messages; nothing of it is interpreted.
 *
 * A terminal is taken over (raw, its keys read) from the start when stdin and stdout are terminals.
 * In a pipeline another program may own it: there the command starts in the background of its pty,
 * and we take over when it stops because it wants to read or to set modes.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "chan.h"
#include "own.h"
#include "run.h"
#include "run_flow.h"
#include "say.h"
#include "tty.h"

#define BACKGROUND_MS 200		/* how often a background job looks whether it became foreground */
#define KILL_MS 5000			/* for a command whose time is up, from SIGTERM to SIGKILL */
#define TAIL_MS 100			/* silence of a terminal that others still hold, after its command's end */
#define TAIL_MAX_MS 10000		/* for last output, however much comes */
#define GONE_MS 2000			/* silence after the sandbox is gone: nothing more will come */

enum { FLOW_OUT, FLOW_KEYS, FLOW_PUMP, FLOW_MAX = FLOW_PUMP + 3 };

struct relay {
	int control, signals, master;
	const struct run_stdio *stdio;
	sigset_t set;			/* signals that arrive through `signals` */
	bool wanted;			/* the terminal is to be ours whenever we are in its foreground */
	bool started, ended, gone;	/* executed; `status` is known; control socket closed */
	uint64_t limit_ms;		/* when the command's time is up; 0 = it has all */
	bool late;			/* it was up */
	uint64_t gone_ms;		/* when the control socket closed */
	int status;
	char error[256];
	int error_code;			/* positive errno */
	struct flow flow[FLOW_MAX];
};

static struct relay the_relay;		/* its buffers are too large for a stack */

static const int relayed[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT };

static void send_signal(struct relay *r, int sig)
{
	struct osh_msg_status m = { .value = sig };

	(void)chan_send(r->control, OSH_MSG_INIT_SIGNAL, &m, sizeof(m), NULL, 0);
}

static bool attached(const struct relay *r)
{
	return r->flow[FLOW_KEYS].from >= 0;
}

static void attach(struct relay *r)
{
	if (!r->wanted || r->master < 0 || !tty_front(r->stdio->tty))
		return;
	tty_copy_size(r->stdio->tty, r->master);
	if (tty_raw(r->stdio->tty) == 0)
		r->flow[FLOW_KEYS].from = r->stdio->tty;
}

static void detach(struct relay *r)
{
	if (r->flow[FLOW_OUT].from >= 0)
		flow_drain(&r->flow[FLOW_OUT]);	/* an editor's farewell, before the shell's prompt */
	r->flow[FLOW_KEYS].from = -1;
	tty_restore();
}

/* Stops like any job: alone for `sig`, with the whole pipeline where the key was ours to see. */
static void stop_self(struct relay *r, int sig, bool group)
{
	struct timespec now = { 0 };
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, sig);
	(void)kill(group ? 0 : getpid(), sig);
	(void)sigprocmask(SIG_UNBLOCK, &one, NULL);	/* stops here, unless our group is orphaned */
	(void)sigprocmask(SIG_SETMASK, &r->set, NULL);
	sigemptyset(&one);
	sigaddset(&one, SIGCONT);
	(void)sigtimedwait(&one, NULL, &now);		/* what woke us is answered below */
	attach(r);
	send_signal(r, SIGCONT);
}

static void on_stopped(struct relay *r, int sig)
{
	bool wants_tty = r->master >= 0 && !r->wanted && (sig == SIGTTIN || sig == SIGTTOU);
	bool raw = attached(r);

	detach(r);
	if (!wants_tty) {
		stop_self(r, SIGTSTP, raw);
		return;
	}
	r->wanted = true;
	if (tty_front(r->stdio->tty)) {
		attach(r);
		send_signal(r, SIGCONT);
	} else {
		stop_self(r, sig, false);
	}
}

static void on_pty(struct relay *r, struct chan_in *in)
{
	struct flow *out = &r->flow[FLOW_OUT], *keys = &r->flow[FLOW_KEYS];

	if (r->master >= 0 || r->stdio->tty < 0)
		return;
	r->master = chan_take(in, 0);
	(void)fcntl(r->master, F_SETFL, O_RDWR | O_NONBLOCK);
	out->from = r->master;
	out->to = r->stdio->tty;
	keys->to = r->master;
	r->wanted = r->stdio->eager;
	attach(r);
}

static void on_message(struct relay *r, struct chan_in *in)
{
	const struct osh_msg_status *st = chan_is(in, in->h.type, sizeof(*st), 0);
	const struct osh_msg_failed *bad = chan_is(in, OSH_MSG_INIT_ERROR, sizeof(*bad), 0);

	if (bad) {
		snprintf(r->error, sizeof(r->error), "%.239s", bad->text);
		r->error_code = bad->code;
	} else if (chan_is(in, OSH_MSG_INIT_PTY, sizeof(struct osh_msg_id), 1))
		on_pty(r, in);
	else if (st && st->h.type == OSH_MSG_INIT_STOPPED)
		on_stopped(r, st->value);
	else if (st && st->h.type == OSH_MSG_INIT_STARTED)
		r->started = true;
	else if (st && st->h.type == OSH_MSG_INIT_EXITED && !r->ended) {
		r->ended = true;
		r->status = st->value;
	} else
		r->gone = true;
}

static void on_control(struct relay *r)
{
	struct chan_in in;

	if (chan_recv(r->control, &in) <= 0) {
		r->gone = true;
		return;
	}
	on_message(r, &in);
	chan_in_done(&in);
}

static void on_signal(struct relay *r)
{
	struct signalfd_siginfo si;

	if (read(r->signals, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo == SIGWINCH) {
		if (r->master >= 0)
			tty_copy_size(r->stdio->tty, r->master);
		return;
	}
	if (si.ssi_signo == SIGCONT) {	/* whoever stopped us may have reset the modes */
		if (attached(r) && !tty_front(r->stdio->tty))
			detach(r);
		attach(r);
	}
	send_signal(r, (int)si.ssi_signo);
}

/* Ignored by our starter (nohup) = ignored by us; a blocked signal would come all the same. */
static int take_signals(struct relay *r)
{
	struct sigaction sa;

	(void)signal(SIGPIPE, SIG_IGN);
	sigemptyset(&r->set);
	sigaddset(&r->set, SIGWINCH);
	for (size_t i = 0; i < ARRAY_SIZE(relayed); i++)
		if (sigaction(relayed[i], NULL, &sa) == 0 && sa.sa_handler != SIG_IGN)
			sigaddset(&r->set, relayed[i]);
	r->signals = signalfd(-1, &r->set, SFD_CLOEXEC | SFD_NONBLOCK);
	return r->signals < 0 || sigprocmask(SIG_SETMASK, &r->set, NULL) < 0 ? -1 : 0;
}

static void init_flows(struct relay *r)
{
	for (int i = 0; i < FLOW_MAX; i++)
		r->flow[i].from = r->flow[i].to = -1;
	for (int i = 0; i < 3; i++) {
		struct flow *f = &r->flow[FLOW_PUMP + i];

		if (r->stdio->kind[i] != STDIO_PUMP)
			continue;
		f->from = i == 0 ? 0 : r->stdio->keep[i];
		f->to = i == 0 ? r->stdio->keep[i] : i;
		f->close_to = i == 0;
	}
}

/* True while output of the sandbox may be on its way. */
static bool output_left(const struct relay *r)
{
	return flow_live(&r->flow[FLOW_OUT]) || flow_live(&r->flow[FLOW_PUMP + 1]) ||
	       flow_live(&r->flow[FLOW_PUMP + 2]);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* What a command said is there when its end is told; who goes on writing after it is not listened to for long. */
static void on_gone(struct relay *r)
{
	if (!r->gone_ms)
		r->gone_ms = now_ms();
	if (now_ms() < r->gone_ms + TAIL_MAX_MS)
		return;
	for (int i = 0; i < FLOW_MAX; i++)
		if (i != FLOW_KEYS && i != FLOW_PUMP)
			r->flow[i].from = -1;
}

static bool more_than_a_terminal(const struct relay *r)
{
	return r->flow[FLOW_OUT].n || flow_live(&r->flow[FLOW_PUMP + 1]) || flow_live(&r->flow[FLOW_PUMP + 2]);
}

static int patience(const struct relay *r)
{
	int ms = r->wanted && !attached(r) ? BACKGROUND_MS : -1;
	uint64_t now = now_ms(), left;

	if (r->gone)
		return more_than_a_terminal(r) ? GONE_MS : TAIL_MS;
	if (!r->limit_ms)
		return ms;
	left = r->limit_ms > now ? r->limit_ms - now : 0;
	if (ms >= 0 && (uint64_t)ms < left)
		return ms;
	return left < INT32_MAX ? (int)left : INT32_MAX;
}

/* As timeout(1) does, and a little later what cannot be overheard. */
static void on_limit(struct relay *r)
{
	if (!r->limit_ms || r->gone || now_ms() < r->limit_ms)
		return;
	send_signal(r, r->late ? SIGKILL : SIGTERM);
	if (!r->late)
		send_signal(r, SIGCONT);
	r->limit_ms = r->late ? 0 : now_ms() + KILL_MS;
	r->late = true;
}

/* One turn; false when there is nothing left to wait for. */
static bool turn(struct relay *r)
{
	struct pollfd p[FLOW_MAX + 2] = {
		[FLOW_MAX] = { .fd = r->gone ? -1 : r->control, .events = POLLIN },
		[FLOW_MAX + 1] = { .fd = r->signals, .events = POLLIN },
	};
	int n;

	if (r->gone)
		on_gone(r);
	for (int i = 0; i < FLOW_MAX; i++)
		flow_want(&r->flow[i], &p[i]);
	n = poll(p, ARRAY_SIZE(p), patience(r));
	if (n < 0)
		return errno == EINTR;
	on_limit(r);
	if (n == 0 && r->gone)
		return false;
	if (n == 0 || (r->wanted && !attached(r)))
		attach(r);
	for (int i = 0; i < FLOW_MAX; i++)
		flow_step(&r->flow[i], p[i].revents);
	if (p[FLOW_MAX + 1].revents && r->gone)
		return false;		/* interrupted while a slow reader takes the last output */
	if (p[FLOW_MAX + 1].revents)
		on_signal(r);
	if (p[FLOW_MAX].revents)
		on_control(r);
	return !r->gone || output_left(r);
}

static int exit_status(const struct relay *r)
{
	if (r->late)
		return RUN_TIMED_OUT;
	if (r->error[0])
		say_error("%s", r->error);
	else if (!r->ended && r->started)
		say_error("the sandbox was killed");
	else if (!r->ended)
		say_error("the sandbox ended before its command started");
	if (!r->ended)
		return r->started ? 128 + SIGKILL : RUN_FAILED;
	return WIFSIGNALED(r->status) ? 128 + WTERMSIG(r->status) : WEXITSTATUS(r->status);
}

int run_relay_start(int control, const struct run_stdio *s, struct err *e)
{
	struct relay *r = &the_relay;

	*r = (struct relay){ .control = control, .signals = -1, .master = -1, .stdio = s };
	init_flows(r);
	return take_signals(r) < 0 ? fail(e, errno, "signals: %s", strerror(errno)) : 0;
}

bool run_relay_missed(void)
{
	const struct relay *r = &the_relay;

	return r->error_code == ENOENT && r->ended && WIFEXITED(r->status) && WEXITSTATUS(r->status) == RUN_NOT_FOUND;
}

void run_relay_limit(uint64_t ms)
{
	the_relay.limit_ms = now_ms() + ms;
}

int run_relay(void)
{
	struct relay *r = &the_relay;

	while (turn(r))
		;
	tty_restore();
	own_close(&r->master);
	own_close(&r->signals);
	return exit_status(r);
}
