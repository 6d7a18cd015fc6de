/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "clock.h"
#include "command.h"
#include "errand.h"
#include "init.h"
#include "own.h"

#define FIRST_MS 30000			/* for a client to say what it wants */

/*
 * By shutdown too: a child that is between fork and exec may hold a copy. What the client still says is taken
 * away first: closed over it, the kernel would reset the client before it has read what we said.
 */
void session_close(struct session *s)
{
	struct chan_in in;

	if (s->sock >= 0)
		(void)shutdown(s->sock, SHUT_RDWR);
	while (s->sock >= 0 && chan_recv_now(s->sock, &in) > 0)
		chan_in_done(&in);
	own_close(&s->sock);
	*s = (struct session){ .sock = -1 };
}

/* A client that does not read is one that has gone. */
static void send_to(struct session *s, unsigned type, void *m, size_t size, const int *fds, int n)
{
	if (s->sock >= 0 && chan_send_now(s->sock, type, m, size, fds, n) == -EAGAIN)
		(void)shutdown(s->sock, SHUT_RDWR);	/* its end shows in poll, where it is dealt with */
}

void session_tell(struct session *s, unsigned type, int value)
{
	struct osh_msg_status m = { .value = value };

	send_to(s, type, &m, sizeof(m), NULL, 0);
}

void session_refuse(struct init *i, struct session *s, const struct err *e)
{
	struct osh_msg_failed m = { .code = e->code };
	bool ends = s->flags & OSH_OPEN_ENDS;

	memcpy(m.text, e->text, sizeof(m.text));
	send_to(s, OSH_MSG_INIT_ERROR, &m, sizeof(m), NULL, 0);
	session_close(s);
	if (ends)			/* what the sandbox is for cannot be */
		init_end(i, W_EXITCODE(COMMAND_CANNOT, 0));
}

static struct session *free_place(struct init *i)
{
	for (int n = 0; n < OSH_SESSIONS; n++)
		if (i->sessions[n].kind == SESSION_FREE)
			return &i->sessions[n];
	return NULL;
}

void session_open(struct init *i, int sock, uint32_t flags)
{
	struct session *s = free_place(i), none = { 0 };
	struct err e;

	if (!s)
		s = &none;
	*s = (struct session){ .kind = SESSION_NEW, .sock = sock, .flags = flags, .deadline = now_ms() + FIRST_MS };
	if (flags & OSH_OPEN_ENDS)	/* oshd has opened it before there was a client */
		s->deadline = 0;
	if (s == &none)
		(void)fail(&e, EAGAIN, "the sandbox has %d sessions already", OSH_SESSIONS);
	else if (i->stop_ms)
		(void)fail(&e, ESHUTDOWN, "the sandbox is being stopped");
	else
		return;
	session_refuse(i, s, &e);
}

/* Gives the client a view of the terminal, which then is that of its window. */
int session_view(struct session *s, struct terminal *t, const struct osh_msg_attach *m, struct err *e)
{
	struct osh_msg_id id = { 0 };
	int far, r = terminal_view(t, m, &s->view, &far, e);

	if (r < 0)
		return r;
	s->of = t;
	send_to(s, OSH_MSG_INIT_PTY, &id, sizeof(id), &far, 1);
	close(far);
	view_size(terminal_find(t, s->view), m);
	return 0;
}

int session_size(struct session *s, const struct chan_in *in)
{
	const struct osh_msg_attach *m = chan_is(in, OSH_MSG_INIT_SIZE, sizeof(*m), 0);
	struct view *v = s->of ? terminal_find(s->of, s->view) : NULL;

	if (m && v)
		view_size(v, m);
	return m ? 0 : -EBADMSG;
}

void session_view_end(struct session *s)
{
	struct view *v = s->of ? terminal_find(s->of, s->view) : NULL;

	if (v)
		view_end(v);
	s->of = NULL;
}

static int begin_view(struct init *i, struct session *s, struct chan_in *in, struct err *e)
{
	const struct osh_msg_attach *m = (const void *)in->bytes;
	int r;

	if (m->flags & ~(OSH_ATTACH_WATCH | OSH_ATTACH_NEW))
		return fail(e, EINVAL, "unknown flags 0x%x of a view", m->flags);
	if (!i->terminal)
		return fail(e, ENOENT, "the sandbox has no terminal");
	r = session_view(s, i->terminal, m, e);
	if (!r)
		s->kind = SESSION_VIEW;
	return r;
}

static int begin_errand(struct session *s, struct chan_in *in, errand_fn *fn, struct err *e)
{
	int r = errand_start(fn, s->sock, in, &s->errand, e);

	if (r < 0)
		return r;
	s->kind = SESSION_ERRAND;
	s->deadline = now_ms() + ERRAND_MS;
	return 0;
}

static int begin_dial(struct init *i, struct session *s, struct chan_in *in, struct err *e)
{
	(void)i;
	return begin_errand(s, in, errand_dial, e);
}

static int begin_file(struct init *i, struct session *s, struct chan_in *in, struct err *e)
{
	(void)i;
	return begin_errand(s, in, errand_file, e);
}

#define ANY -1				/* number of descriptors: the beginning looks itself */
static const struct {
	unsigned type;
	size_t size;
	int n_fds;
	int (*begin)(struct init *, struct session *, struct chan_in *, struct err *);
} firsts[] = {
	{ OSH_MSG_INIT_SPEC, sizeof(struct osh_msg_init_spec), ANY, job_begin },
	{ OSH_MSG_INIT_ATTACH, sizeof(struct osh_msg_attach), 0, begin_view },
	{ OSH_MSG_INIT_DIAL, sizeof(struct osh_msg_status), 0, begin_dial },
	{ OSH_MSG_INIT_FILE, sizeof(struct osh_msg_file), 0, begin_file },
};

static void first_message(struct init *i, struct session *s, struct chan_in *in)
{
	struct err e = { 0 };

	for (size_t n = 0; n < ARRAY_SIZE(firsts); n++) {
		if (!chan_is(in, firsts[n].type, firsts[n].size, firsts[n].n_fds == ANY ? in->n_fds : firsts[n].n_fds))
			continue;
		s->deadline = 0;
		if (firsts[n].begin(i, s, in, &e) < 0)
			session_refuse(i, s, &e);
		return;
	}
	(void)fail(&e, EBADMSG, "the first message is not a command, a view, a port or a file");
	session_refuse(i, s, &e);
}

static int view_message(struct init *i, struct session *s, const struct chan_in *in)
{
	(void)i;
	return session_size(s, in);
}

static void view_gone(struct init *i, struct session *s)
{
	(void)i;
	session_view_end(s);
	session_close(s);
}

static void new_gone(struct init *i, struct session *s)
{
	bool ends = s->flags & OSH_OPEN_ENDS;

	session_close(s);
	if (ends)
		init_end(i, W_EXITCODE(COMMAND_CANNOT, 0));
}

/* Its place is free when it is reaped. */
static void errand_gone(struct init *i, struct session *s)
{
	(void)i;
	own_close(&s->sock);
	(void)kill(s->errand, SIGKILL);
}

static void errand_late(struct init *i, struct session *s)
{
	struct osh_msg_failed m = { .code = ETIMEDOUT, .text = "the sandbox's file system or server does not answer" };

	send_to(s, OSH_MSG_INIT_ERROR, &m, sizeof(m), NULL, 0);
	errand_gone(i, s);
}

static void errand_child(struct init *i, struct session *s, pid_t pid, int status)
{
	(void)i;
	(void)status;
	if (s->errand == pid)
		session_close(s);
}

static const struct kind {
	int (*message)(struct init *, struct session *, const struct chan_in *);	/* NULL: none is allowed */
	void (*gone)(struct init *, struct session *);
	void (*late)(struct init *, struct session *);
	void (*child)(struct init *, struct session *, pid_t pid, int status);
} kinds[SESSION_KINDS] = {
	/* clang-format off */
	[SESSION_NEW] =     { NULL,         new_gone,    new_gone,    NULL },
	[SESSION_COMMAND] = { job_message,  job_gone,    job_late,    job_child },
	[SESSION_VIEW] =    { view_message, view_gone,   view_gone,   NULL },
	[SESSION_ERRAND] =  { NULL,         errand_gone, errand_late, errand_child },
	/* clang-format on */
};

/* The client has gone, or sent what it must not. */
static void lost(struct init *i, struct session *s)
{
	bool tied = s->flags & OSH_OPEN_TIED;

	kinds[s->kind].gone(i, s);
	if (tied)
		init_end(i, W_EXITCODE(COMMAND_CANNOT, 0));
}

void session_ready(struct init *i, struct session *s)
{
	struct chan_in in;
	int r = chan_recv_now(s->sock, &in);

	if (r == -EAGAIN)
		return;
	if (r > 0 && s->kind == SESSION_NEW)
		first_message(i, s, &in);
	else if (r <= 0 || !kinds[s->kind].message || kinds[s->kind].message(i, s, &in) < 0)
		lost(i, s);
	if (r > 0)
		chan_in_done(&in);
}

void session_late(struct init *i, struct session *s)
{
	s->deadline = 0;
	kinds[s->kind].late(i, s);
}

void session_child(struct init *i, pid_t pid, int status)
{
	for (int n = 0; n < OSH_SESSIONS; n++) {
		const struct kind *k = &kinds[i->sessions[n].kind];

		if (k->child)
			k->child(i, &i->sessions[n], pid, status);
	}
}

bool session_holds(const struct session *s, pid_t pid)
{
	return s->kind == SESSION_COMMAND && s->job.hung_up && !s->job.seat_pid && s->job.pid == pid;
}
