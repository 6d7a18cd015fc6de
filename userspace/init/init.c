/* SPDX-License-Identifier: Apache-2.0 */
#include "init.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "own.h"

#define REAP_AT_ONCE 256		/* then look at the rest again */
#define LAST_MS 1000			/* for views to take the last output of an ended sandbox */
#define WATCHED (2 + OSH_SESSIONS * 3 + 4 * (OSH_SESSIONS + 1))

enum what { W_MANAGER, W_CHILDREN, W_CLIENT, W_REPORT, W_SEAT, W_TERMINAL, W_VIEW };

/* What this turn waits for: the descriptors, and whose they are. */
struct turn {
	struct pollfd p[WATCHED];
	struct {
		enum what what;
		void *who;
	} of[WATCHED];
	nfds_t n;
	uint64_t now, until;		/* until: 0 = for ever */
};

static void await(struct turn *t, int fd, short events, enum what what, void *who)
{
	if (fd < 0 || t->n == WATCHED)
		return;
	t->p[t->n] = (struct pollfd){ .fd = fd, .events = events };
	t->of[t->n].what = what;
	t->of[t->n++].who = who;
}

static void await_until(struct turn *t, uint64_t ms)
{
	if (ms && (!t->until || ms < t->until))
		t->until = ms;
}

static void await_terminal(struct turn *t, struct terminal *m)
{
	await(t, m->master, terminal_events(m, t->now), W_TERMINAL, m);
	await_until(t, terminal_deadline(m, t->now));
	for (int n = 0; n < OSH_SESSIONS; n++)
		if (m->views[n].terminal && view_events(&m->views[n]))
			await(t, m->views[n].stream, view_events(&m->views[n]), W_VIEW, &m->views[n]);
}

static void prepare(struct init *i, struct turn *t)
{
	t->n = 0;
	t->now = now_ms();
	t->until = i->stop_ms ? i->stop_ms : i->last_ms;
	await(t, i->manager, POLLIN, W_MANAGER, NULL);
	await(t, i->signals, POLLIN, W_CHILDREN, NULL);
	for (int n = 0; n < OSH_SESSIONS; n++) {
		struct session *s = &i->sessions[n];

		if (s->kind == SESSION_FREE)
			continue;
		await(t, s->sock, POLLIN, W_CLIENT, s);
		await_until(t, s->deadline);
		if (s->kind != SESSION_COMMAND)
			continue;
		await(t, s->job.report, POLLIN, W_REPORT, s);
		await(t, s->job.seat, POLLIN, W_SEAT, s);
	}
	if (i->terminal)
		await_terminal(t, i->terminal);
	for (struct terminal *m = i->over; m; m = m->next)
		await_terminal(t, m);
}

void init_end(struct init *i, int status)
{
	struct osh_msg_status m = { .value = status };

	if (i->last_ms)
		return;
	i->last_ms = now_ms() + LAST_MS;
	i->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	(void)chan_send_now(i->manager, OSH_MSG_INIT_MAIN, &m, sizeof(m), NULL, 0);
}

/* The manager's word is law, and what it must not say is the end. */
static void on_manager(struct init *i)
{
	const struct osh_msg_open *open;
	const struct osh_msg_status *stop;
	const struct osh_msg_unserve *unserve;
	const struct osh_msg_serve *serve;
	struct chan_in in;
	int r = chan_recv_now(i->manager, &in);

	if (r == -EAGAIN)
		return;
	if (r <= 0)
		_exit(COMMAND_CANNOT);
	if ((open = chan_is(&in, OSH_MSG_INIT_OPEN, sizeof(*open), 1)) && !(open->flags & ~OSH_OPEN_ALL)) {
		session_open(i, chan_take(&in, 0), open->flags);
	} else if ((stop = chan_is(&in, OSH_MSG_INIT_STOP, sizeof(*stop), 0)) && stop->value >= 0) {
		uint64_t at = now_ms() + (uint64_t)stop->value;

		if (!i->stop_ms || at < i->stop_ms)
			i->stop_ms = at;
		(void)kill(-1, SIGTERM);
		(void)kill(-1, SIGCONT);	/* what is stopped hears nothing */
		i->more = true;			/* perhaps there is nobody */
	} else if ((serve = chan_is(&in, OSH_MSG_INIT_SERVE, sizeof(*serve), 1))) {
		serve_begin(i->served, serve, chan_take(&in, 0));
	} else if ((unserve = chan_is(&in, OSH_MSG_INIT_UNSERVE, sizeof(*unserve), 0))) {
		serve_end(i->served, unserve);
	} else {
		_exit(COMMAND_CANNOT);
	}
	chan_in_done(&in);
}

static bool is_held(const struct init *i, pid_t pid)
{
	for (int n = 0; n < OSH_SESSIONS; n++)
		if (session_holds(&i->sessions[n], pid))
			return true;
	return false;
}

static void child_gone(struct init *i, pid_t pid, int status)
{
	session_child(i, pid, status);
	if (!WIFSTOPPED(status))
		serve_child(i->served, pid);
}

/* True when there may be more to reap. */
static bool on_children(struct init *i)
{
	struct signalfd_siginfo si;

	(void)!read(i->signals, &si, sizeof(si));
	for (int n = 0; n < REAP_AT_ONCE; n++) {
		siginfo_t ci = { 0 };
		int status;

		/* Looked at first: while it is a zombie its number means nobody else. */
		if (waitid(P_ALL, 0, &ci, WEXITED | WSTOPPED | WNOHANG | WNOWAIT) < 0 && i->stop_ms) {
			i->stop_ms = 0;		/* nobody is left */
			i->last_ms = now_ms() + LAST_MS;
		}
		if (!ci.si_pid)
			return false;
		if ((ci.si_code == CLD_EXITED || ci.si_code == CLD_KILLED || ci.si_code == CLD_DUMPED) &&
		    is_held(i, ci.si_pid))
			(void)kill(-ci.si_pid, SIGKILL);
		if (waitpid(ci.si_pid, &status, WNOHANG | WUNTRACED) == ci.si_pid)
			child_gone(i, ci.si_pid, status);
	}
	return true;
}

static void handle(struct init *i, const struct turn *t, nfds_t n)
{
	void *who = t->of[n].who;

	switch (t->of[n].what) {
	case W_MANAGER: on_manager(i); break;
	case W_CHILDREN: i->more = true; break;
	case W_CLIENT: session_ready(i, who); break;
	case W_REPORT: job_report(i, who); break;
	case W_SEAT: job_seat(i, who); break;
	case W_TERMINAL: terminal_ready(who, t->p[n].revents); break;
	case W_VIEW: view_ready(who, t->p[n].revents); break;
	}
}

/* A viewer that closed its stream has left, and its session with it. */
static void tidy(struct init *i)
{
	uint64_t now = now_ms();

	for (struct terminal **at = &i->over; *at;) {
		struct terminal *t = *at;

		if (!terminal_over(t, now)) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		terminal_free(t);
	}
	for (int n = 0; n < OSH_SESSIONS; n++) {
		struct session *s = &i->sessions[n];

		if (s->kind == SESSION_VIEW && !terminal_find(s->of, s->view))
			session_close(s);
		else if (s->kind != SESSION_FREE && s->deadline && now >= s->deadline)
			session_late(i, s);
	}
}

static int patience(const struct init *i, const struct turn *t)
{
	if (i->more)
		return 0;
	if (!t->until)
		return -1;
	return t->until <= t->now ? 0 : (int)(t->until - t->now < INT32_MAX ? t->until - t->now : INT32_MAX);
}

/* While it is being stopped everybody has the time that the manager gave. */
static bool is_over(const struct init *i)
{
	uint64_t now = now_ms();

	if (i->stop_ms)
		return now >= i->stop_ms;
	return i->last_ms && (!i->over || now >= i->last_ms);
}

int init_run(struct init *i)
{
	static struct turn t;
	nfds_t last = 0;

	for (;;) {
		prepare(i, &t);
		if (poll(t.p, t.n, patience(i, &t)) < 0 && errno != EINTR)
			return COMMAND_CANNOT;
		for (nfds_t k = 1; k <= t.n; k++)	/* the next after the last one: nobody is passed over */
			if (t.p[(last + k) % t.n].revents) {
				last = (last + k) % t.n;
				handle(i, &t, last);
				break;
			}
		if (i->more)
			i->more = on_children(i);
		tidy(i);
		if (is_over(i))
			return i->status;
	}
}
