/* SPDX-License-Identifier: Apache-2.0 */
/* A session's command, from its message to its end. */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "init.h"
#include "own.h"
#include "pty.h"
#include "seat.h"

#define KILL_MS 5000			/* from SIGHUP to SIGKILL, when the client has gone */

/* What a client may send to the command's group. Everything else is a broken peer. */
static const int relayed[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT, SIGKILL,
};

/* What one message brings, closed and freed when the command has it. */
struct order {
	struct osh_msg_init_spec m;
	struct spec spec;
	int stdio[3];			/* -1 = the terminal */
	int slave;
};

static void order_done(struct order *o)
{
	for (int n = 0; n < 3; n++)
		if (o->stdio[n] != o->slave)
			own_close(&o->stdio[n]);
	own_close(&o->slave);
	spec_done(&o->spec);
}

static int read_order(struct init *i, struct chan_in *in, struct order *o, struct err *e)
{
	int n = 1, r;

	memcpy(&o->m, in->bytes, sizeof(o->m));
	r = spec_fds(&o->m, e);
	if (r >= 0 && r != in->n_fds)
		r = fail(e, EBADMSG, "command spec: %d descriptors, expected %d", in->n_fds, r);
	if (r >= 0)
		r = spec_map(in->fds[0], &o->m, &o->spec, e);
	for (int k = 0; r >= 0 && k < 3; k++)
		o->stdio[k] = o->m.flags & OSH_SPEC_FD(k) ? chan_take(in, n++) : -1;
	if (r >= 0 && (o->m.flags & OSH_SPEC_INHERIT))
		r = spec_inherit(&o->spec, &i->base, e);
	if (r >= 0)			/* our own environment is what osh-launch gave */
		r = spec_given(&o->spec, environ, e);
	return r;
}

/* The pty of this command: its master goes to the client, or stays here as the terminal. */
static int give_terminal(struct init *i, struct session *s, struct order *o, struct err *e)
{
	struct osh_msg_attach view = { .rows = o->m.rows, .cols = o->m.cols, .xpixel = o->m.xpixel,
				       .ypixel = o->m.ypixel };
	struct osh_msg_id id = { 0 };
	_close_ int master = -1;
	int r;

	if (!(o->m.flags & OSH_SPEC_TTY))
		return 0;
	if ((s->flags & OSH_OPEN_TERMINAL) && i->terminal)
		return fail(e, EBUSY, "the sandbox has a terminal already");
	r = pty_open(&o->m, &master, &o->slave, e);
	if (r < 0)
		return r;
	for (int n = 0; n < 3; n++)
		if (o->stdio[n] < 0)
			o->stdio[n] = o->slave;
	if (!(s->flags & OSH_OPEN_TERMINAL)) {
		r = chan_send_now(s->sock, OSH_MSG_INIT_PTY, &id, sizeof(id), &master, 1);
		return r < 0 ? fail(e, -r, "terminal: send: %s", strerror(-r)) : 0;
	}
	s->job.terminal = terminal_new(master);
	if (!s->job.terminal)
		return fail(e, ENOMEM, "out of memory");
	(void)take_fd(&master);
	r = session_view(s, s->job.terminal, &view, e);
	if (!r)
		i->terminal = s->job.terminal;
	return r;
}

static int start(struct session *s, const struct order *o, struct err *e)
{
	struct command c = { .spec = &o->spec, .front = !(o->m.flags & OSH_SPEC_BACK), .tty = o->slave,
			     .umask = o->m.umask & 0777 };
	struct job *j = &s->job;
	int ends[2], r = 0;

	memcpy(c.stdio, o->stdio, sizeof(c.stdio));
	snprintf(j->program, sizeof(j->program), "%s", o->spec.argv[0]);
	snprintf(j->cwd, sizeof(j->cwd), "%s", o->spec.cwd);
	j->behind = c.tty >= 0 && !c.front;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail(e, errno, "pipe: %s", strerror(errno));
	(void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
	if (c.tty >= 0)
		r = seat_start(&c, ends[1], &j->seat_pid, &j->seat, e);
	else if ((j->pid = command_fork(&c, ends[1])) < 0)
		r = fail(e, errno, "fork: %s", strerror(errno));
	close(ends[1]);
	if (r < 0)
		close(ends[0]);
	else
		j->report = ends[0];
	return r;
}

int job_begin(struct init *i, struct session *s, struct chan_in *in, struct err *e)
{
	struct order o = { .stdio = { -1, -1, -1 }, .slave = -1 };
	int r = read_order(i, in, &o, e);

	s->job = (struct job){ .seat = -1, .report = -1 };
	if (!r && (o.m.flags & OSH_SPEC_BASE)) {
		r = spec_keep(&o.spec, &i->base, e);
		if (!r) {
			session_tell(s, OSH_MSG_INIT_EXITED, 0);
			session_close(s);
		}
		order_done(&o);
		return r;
	}
	if (!r)
		r = give_terminal(i, s, &o, e);
	if (!r)
		r = start(s, &o, e);
	if (!r && !i->base.envp && !(o.m.flags & OSH_SPEC_INHERIT))
		(void)spec_keep(&o.spec, &i->base, NULL);	/* too much to inherit: nobody can */
	if (r < 0 && s->job.terminal) {
		session_view_end(s);
		if (i->terminal == s->job.terminal)
			i->terminal = NULL;
		terminal_free(s->job.terminal);
	}
	if (!r)
		s->kind = SESSION_COMMAND;
	order_done(&o);
	return r;
}

static void tell_started(struct session *s)
{
	if (!s->job.executed || !s->job.pid || s->job.told)
		return;
	s->job.told = true;
	session_tell(s, OSH_MSG_INIT_STARTED, s->job.pid);
}

void job_report(struct init *i, struct session *s)
{
	struct osh_msg_failed m = { 0 };
	struct err e;
	int r = command_report(s->job.report, s->job.program, s->job.cwd, &e);

	(void)i;
	own_close(&s->job.report);
	if (r == 0) {
		s->job.executed = true;
		tell_started(s);
		return;
	}
	m.code = e.code;
	memcpy(m.text, e.text, sizeof(m.text));
	(void)chan_send_now(s->sock, OSH_MSG_INIT_ERROR, &m, sizeof(m), NULL, 0);
}

/* All who look at the terminal are told, and keep what it said last. */
static void end_terminal(struct init *i, struct terminal *t, int status)
{
	for (int n = 0; n < OSH_SESSIONS; n++) {
		struct session *v = &i->sessions[n];

		if (v->kind == SESSION_VIEW && v->of == t) {
			session_tell(v, OSH_MSG_INIT_EXITED, status);
			session_close(v);
		}
	}
	if (i->terminal == t)
		i->terminal = NULL;
	terminal_end(t);
	t->next = i->over;
	i->over = t;
}

static void end(struct init *i, struct session *s, int status)
{
	bool ends = s->flags & OSH_OPEN_ENDS;

	if (s->job.report >= 0)
		job_report(i, s);
	if (ends)			/* the manager first: who hears of it here may ask for the next thing at once */
		init_end(i, status);
	session_tell(s, OSH_MSG_INIT_EXITED, status);
	if (s->job.terminal)
		end_terminal(i, s->job.terminal, status);
	if (s->job.hung_up && s->job.seat_pid && s->job.pid)	/* a zombie: the number is its group's still */
		(void)kill(-s->job.pid, SIGKILL);
	own_close(&s->job.seat);
	session_close(s);
}

static void send_signal(struct session *s, int sig)
{
	struct job *j = &s->job;

	if (!j->pid) {
		j->waiting |= 1u << sig;
		return;
	}
	if (sig == SIGCONT && j->behind) {
		j->behind = false;
		seat_front(j->seat);	/* which continues it when it is in front */
		return;
	}
	(void)kill(-j->pid, sig);	/* a group that has just died is no error */
}

int job_message(struct init *i, struct session *s, const struct chan_in *in)
{
	const struct osh_msg_status *m = chan_is(in, OSH_MSG_INIT_SIGNAL, sizeof(*m), 0);

	(void)i;
	if (!m)
		return s->job.terminal ? session_size(s, in) : -EBADMSG;
	for (size_t n = 0; n < ARRAY_SIZE(relayed); n++)
		if (relayed[n] == m->value) {
			send_signal(s, m->value);
			return 0;
		}
	return -EINVAL;
}

void job_gone(struct init *i, struct session *s)
{
	(void)i;
	own_close(&s->sock);
	session_view_end(s);
	if (s->flags & OSH_OPEN_TERMINAL)
		return;
	s->job.hung_up = true;
	send_signal(s, SIGHUP);
	send_signal(s, SIGCONT);
	s->deadline = now_ms() + KILL_MS;
}

void job_late(struct init *i, struct session *s)
{
	(void)i;
	if (s->job.pid)
		(void)kill(-s->job.pid, SIGKILL);
	else
		(void)kill(s->job.seat_pid, SIGKILL);
}

void job_child(struct init *i, struct session *s, pid_t pid, int status)
{
	struct job *j = &s->job;

	if (WIFSTOPPED(status)) {
		if (!j->seat_pid && j->pid == pid)
			session_tell(s, OSH_MSG_INIT_STOPPED, WSTOPSIG(status));
		return;
	}
	if (j->seat_pid == pid) {	/* killed from inside: the kernel hangs the terminal up */
		j->pid = 0;
		end(i, s, status);
	} else if (!j->seat_pid && j->pid == pid) {
		end(i, s, status);
	}
}

void job_seat(struct init *i, struct session *s)
{
	struct seat_word w;
	int r = seat_hear(s->job.seat, &w);

	if (r < 0)
		own_close(&s->job.seat);	/* its end comes from the reaper */
	if (r <= 0)
		return;
	if (w.what == SEAT_ENDED) {
		end(i, s, w.value);
	} else if (w.what == SEAT_STOPPED) {
		session_tell(s, OSH_MSG_INIT_STOPPED, w.value);
	} else if (w.what == SEAT_PID) {
		s->job.pid = w.value;
		tell_started(s);
		for (int sig = 1; sig < 32; sig++)
			if (s->job.waiting & 1u << sig)
				send_signal(s, sig);
	}
}
