/* SPDX-License-Identifier: Apache-2.0 */
/*
 * osh-audit holds no state that cannot be given again: when it dies, another is started and every
 * living sandbox is announced to it; the rings hold what happened in between. One that dies again and
 * again gets pauses; no sandbox ends for it, or whoever could kill it could end the others' runs.
 * A user's log is given to it before that user's first sandbox, and taken back after the last; never while it may still
 * write there: the next one to get the log is told where its chain ends, which is read from the file.
 */
#include "auditor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chan.h"
#include "hits.h"
#include "journal.h"
#include "note.h"
#include "own.h"
#include "sandbox.h"
#include "spawn.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif
#define AT_ONCE 20			/* deaths a minute after which another is started at once */
#define REST_MIN_US 250000		/* then there is a pause, longer each time */
#define REST_MAX_US 2000000		/* well below what a stop waits for */
#define STOP_MS 5000
#define SEND_SECONDS 2			/* oshd waits no longer for room in osh-audit's socket */
#define ANSWER_US 15000000		/* an END drains full rings first: seconds, not more */

struct auditor {
	int fd, pidfd;
	pid_t pid;
	sd_event_source *io;
	uint64_t window_us;		/* CLOCK_BOOTTIME: from when on deaths are counted */
	unsigned deaths;
	struct given {
		uid_t uid;
		unsigned owed;		/* deeds that are not known to be in the file yet */
	} *given;			/* users whose log this osh-audit has */
	size_t n_given, cap_given;
	int unanswered;			/* ENDs that wait for their ENDED */
	sd_event_source *timer;
	sd_event_source *rest;		/* until another is started; fd is -1 */
};

static int spawn(struct daemon *d, struct auditor *a, struct err *e);
static void watch_answers(struct daemon *d, int more);

static void rest(struct daemon *d, uint64_t us);

/* What cannot be told to it, another is told when it has gone. */
static void shoot(struct auditor *a)
{
	if (a->pid > 0)
		kill(a->pid, SIGKILL);	/* our child, not yet reaped: the pid is still its own */
}

static void start_another(struct daemon *d)
{
	struct auditor *a = d->auditor;
	struct err e = { 0 };

	if (spawn(d, a, &e) < 0) {
		fprintf(stderr, "oshd: osh-audit: %s; the next try in %d ms\n", e.text, REST_MAX_US / 1000);
		rest(d, REST_MAX_US);
	} else if (sandbox_announce_all(d, &e) < 0) {
		fprintf(stderr, "oshd: osh-audit: %s\n", e.text);
		shoot(a);
	}
}

static int on_rested(sd_event_source *s, uint64_t usec, void *data)
{
	struct daemon *d = data;

	(void)s;
	(void)usec;
	d->auditor->rest = sd_event_source_disable_unref(d->auditor->rest);
	start_another(d);
	return 0;
}

static void rest(struct daemon *d, uint64_t us)
{
	if (sd_event_add_time_relative(d->event, &d->auditor->rest, CLOCK_MONOTONIC, us, 0, on_rested, d) < 0)
		sd_event_exit(d->event, 1);	/* the next oshd adopts what lives, and has an osh-audit */
}

static uint64_t count_death(struct daemon *d)
{
	struct auditor *a = d->auditor;
	uint64_t now = 0, us = REST_MIN_US;

	sd_event_now(d->event, CLOCK_BOOTTIME, &now);
	if (now - a->window_us > 60000000) {
		a->window_us = now;
		a->deaths = 0;
	}
	if (++a->deaths <= AT_ONCE)
		return 0;
	for (unsigned i = AT_ONCE + 1; i < a->deaths && us < REST_MAX_US; i++)
		us *= 2;
	return us < REST_MAX_US ? us : REST_MAX_US;
}

static void lost(struct daemon *d)
{
	struct auditor *a = d->auditor;
	uint64_t us = count_death(d);

	a->io = sd_event_source_disable_unref(a->io);
	a->unanswered = 0;
	a->n_given = 0;
	watch_answers(d, 0);
	own_close(&a->fd);
	own_close(&a->pidfd);
	shoot(a);
	waitpid(a->pid, NULL, 0);
	a->pid = 0;
	if (!us) {
		fprintf(stderr, "oshd: osh-audit ended; starting another\n");
		start_another(d);
		return;
	}
	fprintf(stderr, "oshd: osh-audit ended %u times within a minute; every sandbox stays enforced, its records "
		"wait, and no new one starts; the next try in %u ms\n", a->deaths, (unsigned)(us / 1000));
	rest(d, us);
}

static int on_no_answer(sd_event_source *s, uint64_t usec, void *data)
{
	(void)s;
	(void)usec;
	fprintf(stderr, "oshd: osh-audit does not answer\n");
	lost(data);
	return 0;
}

/* A stopped osh-audit looks alive. One that leaves an END unanswered for so long is replaced. */
static void watch_answers(struct daemon *d, int more)
{
	struct auditor *a = d->auditor;

	a->unanswered += more;
	a->timer = sd_event_source_disable_unref(a->timer);
	if (a->unanswered > 0 && sd_event_add_time_relative(d->event, &a->timer, CLOCK_MONOTONIC,
							   ANSWER_US, 0, on_no_answer, d) < 0)
		fprintf(stderr, "oshd: no timer to watch osh-audit\n");
}

/* A dead or stuck osh-audit is no failure: another is told everything. */
static int tell(struct daemon *d, unsigned type, void *m, size_t size, const int *fds, int n, struct err *e)
{
	struct auditor *a = d->auditor;
	int r = a->fd < 0 ? -EPIPE : chan_send(a->fd, type, m, size, fds, n);

	if (r == -EAGAIN)
		shoot(a);
	return r == -EAGAIN || r == -EPIPE || r == -ECONNRESET || r == -ENOTCONN ? 0 :
	       r < 0 ? fail(e, -r, "tell osh-audit of a sandbox: %s", strerror(-r)) : 0;
}

static struct given *given_to(const struct auditor *a, uid_t uid)
{
	for (size_t i = 0; i < a->n_given; i++)
		if (a->given[i].uid == uid)
			return &a->given[i];
	return NULL;
}

static int remember_given(struct auditor *a, uid_t uid, struct err *e)
{
	struct given *more;

	if (a->n_given == a->cap_given) {
		more = realloc(a->given, (a->cap_given + 16) * sizeof(*more));
		if (!more)
			return fail(e, ENOMEM, "out of memory");
		a->given = more;
		a->cap_given += 16;
	}
	a->given[a->n_given++] = (struct given){ .uid = uid };
	return 0;
}

static int send_journal(struct daemon *d, uid_t uid, uint32_t kind, const struct journal_file *f, struct err *e)
{
	struct osh_msg_audit_journal m = { .uid = uid, .kind = kind, .file = f ? f->number : 0, .size = f ? f->size : 0 };

	if (f)
		memcpy(m.chain, f->chain, sizeof(m.chain));
	return tell(d, OSH_MSG_AUDIT_JOURNAL, &m, sizeof(m), f ? &f->fd : NULL, f ? 1 : 0, e);
}

/* A sandbox that lives already goes on without: osh-audit keeps what it can and asks for the log again. */
static int give_journal(struct daemon *d, uid_t uid, bool lives, struct err *e)
{
	struct journal_file f[OSH_JOURNAL_KINDS] = { { .fd = -1 }, { .fd = -1 } };
	struct auditor *a = d->auditor;
	int r = 0;

	if (d->config.embedded || a->fd < 0 || given_to(a, uid))
		return 0;
	for (uint32_t kind = 0; !r && kind < OSH_JOURNAL_KINDS; kind++)
		r = journal_open(d, uid, kind, &f[kind], e);
	if (r < 0 && lives) {
		note(NULL, uid, "the log of uid %u waits: %s", uid, e->text);
		r = 0;
	}
	for (uint32_t kind = 0; !r && kind < OSH_JOURNAL_KINDS; kind++)
		r = send_journal(d, uid, kind, f[kind].fd < 0 ? NULL : &f[kind], e);
	for (uint32_t kind = 0; kind < OSH_JOURNAL_KINDS; kind++)
		own_close(&f[kind].fd);
	return r < 0 ? r : remember_given(a, uid, e);
}

/* `but` is on its way out, and does not count; NULL = none. */
static bool has_sandbox(const struct daemon *d, uid_t uid, const struct sandbox *but)
{
	for (uint32_t i = 0; i < OSH_SLOTS; i++)
		if (d->slots[i] && d->slots[i] != but && d->slots[i]->uid == uid)
			return true;
	return false;
}

/* Nothing of this user is left to be written. */
static void take_journal(struct daemon *d, uid_t uid, const struct sandbox *but)
{
	struct auditor *a = d->auditor;
	struct given *g = given_to(a, uid);
	struct osh_msg_id m = { .id = uid };

	if (!g || g->owed || has_sandbox(d, uid, but))
		return;
	*g = a->given[--a->n_given];
	(void)chan_send(a->fd, OSH_MSG_AUDIT_JOURNAL_END, &m, sizeof(m), NULL, 0);
}

/* Called when osh-audit has reported `id`, which is still in its slot. */
static void on_ended(struct daemon *d, uint32_t id)
{
	const struct sandbox *s = sandbox_by_id(d, id);

	if (s)
		take_journal(d, s->uid, s);
	sandbox_reported(d, id);
}

/* A deed of this user's is in the file. */
static void on_told(struct daemon *d, uint32_t uid)
{
	struct given *g = given_to(d->auditor, uid);

	if (g && g->owed)
		g->owed--;
	take_journal(d, uid, NULL);
}

/* The number is checked against the directory: no more files come of it than are full. */
static void on_want(struct daemon *d, const struct osh_msg_audit_want *m)
{
	struct journal_file f = { .fd = -1 };
	struct err e = { 0 };
	int r;

	if (!given_to(d->auditor, m->uid) || m->kind >= OSH_JOURNAL_KINDS)
		return;
	r = m->file ? journal_next(d, m->uid, m->kind, m->file, &f, &e) : journal_open(d, m->uid, m->kind, &f, &e);
	if (!r)
		r = send_journal(d, m->uid, m->kind, &f, &e);
	if (r < 0)
		note(NULL, m->uid, "no other file for the log of uid %u: %s", m->uid, e.text);
	own_close(&f.fd);
}

static int on_message(sd_event_source *s, int fd, uint32_t events, void *data)
{
	struct daemon *d = data;
	const struct osh_msg_audit_want *want;
	const struct osh_msg_id *m;
	struct chan_in in;
	int r = chan_recv(fd, &in);

	(void)s;
	(void)events;
	if (r == -EAGAIN)
		return 0;
	want = r > 0 ? chan_is(&in, OSH_MSG_AUDIT_WANT, sizeof(*want), 0) : NULL;
	if (want) {
		on_want(d, want);
		return 0;
	}
	m = r > 0 ? chan_is(&in, OSH_MSG_AUDIT_ENDED, sizeof(*m), 0) : NULL;
	if (m || (r > 0 && (m = chan_is(&in, OSH_MSG_AUDIT_TOLD, sizeof(*m), 0)))) {
		watch_answers(d, -1);
		(in.h.type == OSH_MSG_AUDIT_ENDED ? on_ended : on_told)(d, m->id);
		return 0;
	}
	if (r > 0)
		chan_in_done(&in);
	lost(d);
	return 0;
}

static int spawn(struct daemon *d, struct auditor *a, struct err *e)
{
	static const struct {
		const char *name;
		int mapped;		/* needs the map itself; else a descriptor that can only look up */
	} maps[] = {			/* enum audit_fd */
		{ "ring_deny", 1 }, { "ring_allow", 1 }, { "denials", 0 }, { "idents", 0 }, { "addrs", 0 },
		{ "sandboxes", 0 }, { "task_data", 0 }, { "tasks", 0 }, { "lane_slots", 1 }, { "lane_tails", 1 },
	};
	_close_ int lock = -1;
	char uid[16];
	char *argv[] = { "osh-audit", uid, d->config.embedded ? "embedded" : "resident", NULL };
	struct timeval patience = { .tv_sec = SEND_SECONDS };
	int fds[3 + ARRAY_SIZE(maps)], pair[2], r = 0;

	snprintf(uid, sizeof(uid), "%u", OSH_UID_AUDIT);
	if (!d->config.embedded && journal_lock(d, &lock, e) < 0)
		return -e->code;
	r = chan_pair(pair);
	if (r < 0)
		return fail(e, -r, "socketpair: %s", strerror(-r));
	fds[0] = pair[1];
	fds[1 + ARRAY_SIZE(maps)] = lock;	/* AFD_LOCK; it alone has it from here on */
	fds[2 + ARRAY_SIZE(maps)] = d->journald_fd;	/* AFD_JOURNALD */
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		fds[1 + i] = maps[i].mapped ? kbpf_map_fd(d->kernel, maps[i].name) :
					      kbpf_map_fd_ro(d->kernel, maps[i].name);
	r = spawn_role(d->libexec_fd, "osh-audit", argv, fds, ARRAY_SIZE(fds), &a->pid, &a->pidfd, e);
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		if (!maps[i].mapped)
			own_close(&fds[1 + i]);
	close(pair[1]);
	if (r < 0) {
		close(pair[0]);
		return r;
	}
	a->fd = pair[0];
	if (setsockopt(a->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
		return fail(e, errno, "osh-audit's socket: %s", strerror(errno));
	r = sd_event_add_io(d->event, &a->io, a->fd, EPOLLIN, on_message, d);
	return r < 0 ? fail(e, -r, "watch osh-audit: %s", strerror(-r)) : 0;
}

int auditor_start(struct daemon *d, struct err *e)
{
	d->auditor = calloc(1, sizeof(*d->auditor));
	if (!d->auditor)
		return fail(e, ENOMEM, "out of memory");
	d->auditor->fd = d->auditor->pidfd = -1;
	return spawn(d, d->auditor, e);
}

void auditor_stop(struct daemon *d)
{
	struct auditor *a = d->auditor;

	if (!a)
		return;
	a->io = sd_event_source_disable_unref(a->io);
	a->timer = sd_event_source_disable_unref(a->timer);
	a->rest = sd_event_source_disable_unref(a->rest);
	own_close(&a->fd);		/* end of input: it drains and exits */
	spawn_reap(a->pid, &a->pidfd, STOP_MS);
	free(a->given);
	free(a);
	d->auditor = NULL;
}

int auditor_add(struct daemon *d, const struct sandbox *s, struct err *e)
{
	struct osh_msg_audit_add m = { .id = s->k.id, .uid = s->uid, .slot = s->k.slot, .generation = s->k.generation,
				       .again = s->state >= SB_RUNNING,
				       .has_log = s->log_fd >= 0, .has_summary = s->summary_fd >= 0 };
	int fds[4] = { s->bundle_fd, s->records_in_fd }, n = 2, r;

	if (d->auditor->rest && !m.again)
		return fail(e, EAGAIN, "osh-audit keeps ending; a new sandbox would not be on record: see oshd's log, "
			    "then try again");
	r = give_journal(d, s->uid, m.again, e);
	if (r < 0)
		return r;
	snprintf(m.name, sizeof(m.name), "%s", s->name);
	if (s->log_fd >= 0)
		fds[n++] = s->log_fd;
	if (s->summary_fd >= 0)
		fds[n++] = s->summary_fd;
	r = tell(d, OSH_MSG_AUDIT_ADD, &m, sizeof(m), fds, n, e);
	return !r && m.again && s->calls_fd >= 0 ? auditor_calls(d, s, e) : r;
}

/* Of a fixed size for whoever maps it: a shorter one would end osh-audit with SIGBUS. */
int auditor_tally(int *ret_fd, struct err *e)
{
	*ret_fd = memfd_create("osh-tally", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (*ret_fd < 0 || ftruncate(*ret_fd, OSH_TALLY_BYTES) < 0 ||
	    fcntl(*ret_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return fail(e, errno, "memory for refused calls: %s", strerror(errno));
	return 0;
}

int auditor_calls(struct daemon *d, const struct sandbox *s, struct err *e)
{
	struct osh_msg_audit_calls m = { .id = s->k.id, .run_uid = s->run_uid };
	const int fds[] = { s->calls_fd, s->tally_fd };

	return tell(d, OSH_MSG_AUDIT_CALLS, &m, sizeof(m), fds, ARRAY_SIZE(fds), e);
}

int auditor_lives(const struct daemon *d, struct err *e)
{
	return d->auditor->fd >= 0 ? 0 : fail(e, EAGAIN, "osh-audit is being started; this would not be on record: try again");
}

void auditor_provider(struct daemon *d, uid_t owner, uid_t by, enum osh_provider_deed deed, const char *name, const char *sandbox)
{
	struct osh_msg_audit_provider m = { .uid = owner, .by = by, .deed = deed };
	struct given *g;
	struct err e = { 0 };

	snprintf(m.name, sizeof(m.name), "%s", name);
	snprintf(m.sandbox, sizeof(m.sandbox), "%s", sandbox ? sandbox : "");
	if (give_journal(d, owner, true, &e) < 0 || tell(d, OSH_MSG_AUDIT_PROVIDER, &m, sizeof(m), NULL, 0, &e) < 0) {
		note(NULL, owner, "provider '%s' of uid %u: not on record: %s", m.name, owner, e.text);
		return;
	}
	g = given_to(d->auditor, owner);
	if (g) {
		g->owed++;
		watch_answers(d, 1);
	}
}

void auditor_choice(const struct sandbox *s, const struct state_choice *c)
{
	struct osh_msg_audit_choice m = { .id = s->k.id, .by = c->by, .preset = c->preset };
	struct err e = { 0 };

	memcpy(m.route, c->route, sizeof(m.route));
	memcpy(m.model, c->model, sizeof(m.model));
	if (tell(s->d, OSH_MSG_AUDIT_CHOICE, &m, sizeof(m), NULL, 0, &e) < 0)
		note(s->name, s->uid, "the choice of a route is not on record: %s", e.text);
}

int auditor_served(const struct sandbox *s, const char *caller, uint32_t port, enum osh_reason why, struct err *e)
{
	struct osh_msg_audit_served m = { .id = s->k.id, .port = port, .why = why };
	int r = auditor_lives(s->d, e);

	snprintf(m.caller, sizeof(m.caller), "%s", caller);
	return r < 0 ? r : tell(s->d, OSH_MSG_AUDIT_SERVED, &m, sizeof(m), NULL, 0, e);
}

int auditor_warned(struct daemon *d, const struct sandbox *s, struct err *e)
{
	const char *line = s->warnings.text;
	int r = 0;

	while (!r && *line) {
		struct osh_msg_audit_warned m = { .id = s->k.id };
		size_t n = strcspn(line, "\n");

		snprintf(m.text, sizeof(m.text), "%.*s", (int)n, line);
		r = tell(d, OSH_MSG_AUDIT_WARNED, &m, sizeof(m), NULL, 0, e);
		line += n + (line[n] == '\n');
	}
	return r;
}

int auditor_policy(struct daemon *d, const struct sandbox *s, uint32_t generation, int bundle_fd, bool in_force,
		   struct err *e)
{
	struct osh_msg_audit_policy m = { .id = s->k.id, .generation = generation, .in_force = in_force };

	return tell(d, OSH_MSG_AUDIT_POLICY, &m, sizeof(m), &bundle_fd, 1, e);
}

int auditor_limit(struct daemon *d, const struct sandbox *s, enum osh_limit which, uint64_t count, struct err *e)
{
	struct osh_msg_audit_limit m = { .id = s->k.id, .which = which, .count = count };

	return d->auditor->fd < 0 ? -ENOTCONN : tell(d, OSH_MSG_AUDIT_LIMIT, &m, sizeof(m), NULL, 0, e);
}

int auditor_end(struct daemon *d, const struct sandbox *s)
{
	struct osh_msg_audit_end m = { .id = s->k.id };

	for (int i = 1; i < OSH_LIMITS; i++)
		m.hits[i] = hits_untold(s, (enum osh_limit)i);
	if (d->auditor->fd < 0)
		return -ENOTCONN;	/* sandbox_announce_all() asks for it */
	watch_answers(d, 1);		/* also where the send fails: a full socket is no answer */
	return chan_send(d->auditor->fd, OSH_MSG_AUDIT_END, &m, sizeof(m), NULL, 0);
}
