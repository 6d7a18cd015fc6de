/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The row is written before what it stands for is done: `wanted` goes before a sandbox is told to
 * stop, and comes before one is built. So a row that is to run and does not is started by the next
 * oshd, and one that runs and is not to is stopped.
 */
#include "life.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "home.h"
#include "init.h"
#include "note.h"
#include "own.h"
#include "utf8.h"

#define BUILDING 48   /* at once, of all callers; osh-launch takes some more */
#define LATE_MS  3000 /* for osh-init to keep its own time, then it is ended from here */

struct life_waiter {
	struct life_waiter *next;
	enum life_want want;
	life_done *done;
	void *data;
};

static const char *const names[LIFE_STATES] = {
	[LIFE_STOPPED] = "stopped",   [LIFE_NEW] = "waiting",
	[LIFE_CREATING] = "starting", [LIFE_WAITING] = "waiting",
	[LIFE_STARTING] = "starting", [LIFE_RUNNING] = "running",
	[LIFE_STOPPING] = "stopping", [LIFE_RESTARTING] = "restarting",
	[LIFE_ENDING] = "stopping",   [LIFE_DELETING] = "deleting",
	[LIFE_REMOVING] = "deleting",
};

const char *life_state_name(const struct life *l)
{
	return names[l->state];
}

struct life *life_find(const struct daemon *d, const char *name)
{
	struct life *l = d->lives;

	while (l && (l->state == LIFE_REMOVING || strcmp(l->name, name)))
		l = l->next;
	return l;
}

bool life_name_taken(const struct daemon *d, const char *name)
{
	if (life_find(d, name))
		return true;
	for (uint32_t i = 0; i < OSH_SLOTS; i++)
		if (d->slots[i] && !d->slots[i]->life && d->slots[i]->state != SB_REPORTING && !strcmp(d->slots[i]->name, name))
			return true;
	return false;
}

/* What waits for what: D = it is so, F = it will not be, W = not yet. */
enum verdict { W, D, F };
static const enum verdict verdicts[LIFE_STATES][LIFE_WANTS] = {
	/* clang-format off */
	/*			   up down gone */
	[LIFE_STOPPED] =	 { F, D, F },
	[LIFE_NEW] =		 { W, D, F },
	[LIFE_CREATING] =	 { W, D, F },
	[LIFE_WAITING] =	 { W, D, F },
	[LIFE_STARTING] =	 { W, D, F },
	[LIFE_RUNNING] =	 { D, D, F },
	[LIFE_STOPPING] =	 { F, W, F },
	[LIFE_RESTARTING] =	 { W, W, F },
	[LIFE_ENDING] =		 { F, W, F },
	[LIFE_DELETING] =	 { W, W, W },	/* a failed Create is answered when nothing of it is left */
	[LIFE_REMOVING] =	 { F, D, W },
	/* clang-format on */
};

static void settle(struct life *l)
{
	for (struct life_waiter **at = &l->waiters; *at;) {
		struct life_waiter *x = *at;
		enum verdict v = verdicts[l->state][x->want];

		if (v == W) {
			at = &x->next;
			continue;
		}
		*at = x->next;
		x->done(x->data, l,
			v == D      ? NULL
			: l->why[0] ? l->why
				    : "it was asked to stop meanwhile");
		free(x);
	}
}

static int join(struct life *l, enum life_want want, life_done *done, void *data)
{
	struct life_waiter *x = calloc(1, sizeof(*x)), **at = &l->waiters;

	if (!x)
		return -ENOMEM;
	*x = (struct life_waiter){ .want = want, .done = done, .data = data };
	while (*at)
		at = &(*at)->next;
	*at = x;
	return 0;
}

static void trouble(struct life *l, const char *what, const struct err *e)
{
	note(l->name, l->uid, "%s: %s", what, e->text);
}

/* An end of oshd itself takes no wish back: the next one starts what was running. */
static void write_row(struct life *l, bool wanted, const char *reason)
{
	struct err e = { 0 };

	if (!l->d->stopping && state_wanted(l->d->state, l->key, wanted, l->status, reason, &e) < 0)
		trouble(l, "the database", &e);
}

static int do_nothing(struct life *l, struct err *e)
{
	(void)l;
	(void)e;
	return 0;
}

/* Its turn comes from life_happen(), when there is room. */
static int do_want(struct life *l, struct err *e)
{
	int r = state_wanted(l->d->state, l->key, true, l->status, NULL, e);

	if (!r)
		l->why[0] = 0;
	return r;
}

static int do_build(struct life *l, struct err *e)
{
	l->status = -1;
	l->why[0] = 0;
	return life_build(l, e);
}

static int do_up(struct life *l, struct err *e)
{
	struct timespec t;

	(void)e;
	life_session_done(l);
	clock_gettime(CLOCK_REALTIME, &t);
	l->started_us = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
	return 0;
}

static int on_late(sd_event_source *src, uint64_t usec, void *data)
{
	struct life *l = data;

	(void)src;
	(void)usec;
	l->timer = sd_event_source_disable_unref(l->timer);
	if (l->s)
		sandbox_kill(l->s);
	return 0;
}

/* What has ended says so itself, and why, within that time; what has not is ended. */
void life_end_soon(struct life *l)
{
	l->timer = sd_event_source_disable_unref(l->timer);
	if (sd_event_add_time_relative(l->d->event, &l->timer, CLOCK_BOOTTIME, LATE_MS * 1000, 0, on_late, l) < 0)
		sandbox_kill(l->s);
}

static void tell_stop(struct life *l)
{
	uint64_t us = ((uint64_t)l->grace_ms + LATE_MS) * 1000;
	struct err e = { 0 };

	l->timer = sd_event_source_disable_unref(l->timer);
	if (!l->s)
		return;
	if (init_stop(l->s, l->grace_ms, &e) < 0 ||
	    sd_event_add_time_relative(l->d->event, &l->timer, CLOCK_BOOTTIME, us, 0, on_late, l) <
		0)
		sandbox_kill(l->s); /* frozen, or on its way out */
}

static int do_stop(struct life *l, struct err *e)
{
	int r = state_wanted(l->d->state, l->key, false, -1, "stopped", e);

	if (r < 0)
		return r;
	snprintf(l->why, sizeof(l->why), "stopped");
	tell_stop(l);
	return 0;
}

static int do_bounce(struct life *l, struct err *e)
{
	(void)e;
	tell_stop(l);
	return 0;
}

/* Before it runs there is nobody to ask. */
static int do_kill(struct life *l, struct err *e)
{
	int r = state_wanted(l->d->state, l->key, false, -1, "stopped before it ran", e);

	if (r < 0)
		return r;
	snprintf(l->why, sizeof(l->why), "stopped before it ran");
	if (l->s)
		sandbox_kill(l->s);
	return 0;
}

static int do_unwant(struct life *l, struct err *e)
{
	snprintf(l->why, sizeof(l->why), "stopped before it ran");
	return state_wanted(l->d->state, l->key, false, l->status, l->why, e);
}

static void say_end(struct life *l)
{
	if (l->why[0])
		return; /* osh-init or osh-launch has said it better */
	if (l->status < 0)
		snprintf(l->why, sizeof(l->why), "the sandbox was killed");
	else if (WIFSIGNALED(l->status))
		snprintf(l->why, sizeof(l->why), "its command was killed by signal %d",
			 WTERMSIG(l->status));
	else
		snprintf(l->why, sizeof(l->why), "its command ended with status %d",
			 WEXITSTATUS(l->status));
}

/* At once, not when it is tidied: an oshd that dies now must not start it again. */
static int do_ended(struct life *l, struct err *e)
{
	(void)e;
	say_end(l);
	write_row(l, false, l->why);
	return 0;
}

static int do_failed(struct life *l, struct err *e)
{
	(void)e;
	say_end(l);
	return 0;
}

static int do_stopped(struct life *l, struct err *e)
{
	(void)e;
	write_row(l, false, l->why);
	return 0;
}

static void on_cleared(void *data)
{
	life_happen(data, LV_CLEARED);
}

static int on_nothing_to_clear(sd_event_source *src, void *data)
{
	(void)src;
	life_happen(data, LV_CLEARED);
	return 0;
}

/* The row first: files without a row are taken away by the next oshd, a row without files would be
 * a lie. */
static int do_remove(struct life *l, struct err *e)
{
	int r = state_delete(l->d->state, l->key, e);

	if (r < 0) {
		l->why[0] = 0;
		life_say(l, e->text, sizeof(e->text));
		return r;
	}
	if (home_remove(l->d, l->key, on_cleared, l, e) >= 0)
		return 0;
	trouble(l, "its home stays until oshd starts again", e);
	(void)sd_event_add_defer(l->d->event, &l->timer, on_nothing_to_clear, l);
	return 0;
}

static int do_cleared(struct life *l, struct err *e)
{
	struct life **at = &l->d->lives;

	(void)e;
	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	for (struct life_waiter *x; (x = l->waiters);) {
		l->waiters = x->next;
		x->done(x->data, l, NULL);
		free(x);
	}
	life_session_done(l);
	sd_event_source_disable_unref(l->timer);
	own_close(&l->given.creds);
	own_close(&l->given.hosts);
	own_close(&l->given.ca);
	own_close(&l->given.log);
	own_close(&l->workdir_fd);
	free(l);
	return 0;
}

/*
 * An empty cell of what is asked for is a refusal, of what happens: too late to matter. Where an
 * act fails and nothing lives, LV_FREE follows in the state that is named last.
 */
static const struct cell {
	int (*act)(struct life *l, struct err *e);
	enum life_state next, on_error;
} table[LIFE_STATES][LIFE_EVENTS] = {
	/* clang-format off */
	[LIFE_STOPPED] = {
		[LV_START]   = { do_want,    LIFE_WAITING,    LIFE_STOPPED },
		[LV_STOP]    = { do_nothing, LIFE_STOPPED,    LIFE_STOPPED },
		[LV_RESTART] = { do_want,    LIFE_WAITING,    LIFE_STOPPED },
		[LV_DELETE]  = { do_remove,  LIFE_REMOVING,   LIFE_STOPPED },
		[LV_FORCE]   = { do_remove,  LIFE_REMOVING,   LIFE_STOPPED } },
	[LIFE_NEW] = {
		[LV_STOP]    = { do_unwant,  LIFE_STOPPED,    LIFE_NEW },
		[LV_FORCE]   = { do_remove,  LIFE_REMOVING,   LIFE_NEW },
		[LV_TURN]    = { do_build,   LIFE_CREATING,   LIFE_DELETING } },
	[LIFE_CREATING] = {
		[LV_STOP]    = { do_kill,    LIFE_STOPPING,   LIFE_CREATING },
		[LV_FORCE]   = { do_kill,    LIFE_DELETING,   LIFE_CREATING },
		[LV_UP]      = { do_up,      LIFE_RUNNING,    LIFE_RUNNING },
		[LV_FAILED]  = { do_failed,  LIFE_DELETING,   LIFE_DELETING },
		[LV_ENDED]   = { do_failed,  LIFE_DELETING,   LIFE_DELETING } },
	[LIFE_WAITING] = {
		[LV_START]   = { do_nothing, LIFE_WAITING,    LIFE_WAITING },
		[LV_STOP]    = { do_unwant,  LIFE_STOPPED,    LIFE_WAITING },
		[LV_RESTART] = { do_nothing, LIFE_WAITING,    LIFE_WAITING },
		[LV_FORCE]   = { do_remove,  LIFE_REMOVING,   LIFE_WAITING },
		[LV_TURN]    = { do_build,   LIFE_STARTING,   LIFE_ENDING } },
	[LIFE_STARTING] = {
		[LV_START]   = { do_nothing, LIFE_STARTING,   LIFE_STARTING },
		[LV_STOP]    = { do_kill,    LIFE_STOPPING,   LIFE_STARTING },
		[LV_FORCE]   = { do_kill,    LIFE_DELETING,   LIFE_STARTING },
		[LV_UP]      = { do_up,      LIFE_RUNNING,    LIFE_RUNNING },
		[LV_FAILED]  = { do_ended,   LIFE_ENDING,     LIFE_ENDING },
		[LV_ENDED]   = { do_ended,   LIFE_ENDING,     LIFE_ENDING } },
	[LIFE_RUNNING] = {
		[LV_STOP]    = { do_stop,    LIFE_STOPPING,   LIFE_RUNNING },
		[LV_RESTART] = { do_bounce,  LIFE_RESTARTING, LIFE_RUNNING },
		[LV_FORCE]   = { do_stop,    LIFE_DELETING,   LIFE_RUNNING },
		[LV_FAILED]  = { do_ended,   LIFE_ENDING,     LIFE_ENDING },
		[LV_ENDED]   = { do_ended,   LIFE_ENDING,     LIFE_ENDING } },
	[LIFE_STOPPING] = {
		[LV_START]   = { do_want,    LIFE_RESTARTING, LIFE_STOPPING },
		[LV_STOP]    = { do_nothing, LIFE_STOPPING,   LIFE_STOPPING },
		[LV_RESTART] = { do_want,    LIFE_RESTARTING, LIFE_STOPPING },
		[LV_DELETE]  = { do_nothing, LIFE_DELETING,   LIFE_STOPPING },
		[LV_FORCE]   = { do_stop,    LIFE_DELETING,   LIFE_STOPPING },
		[LV_FREE]    = { do_stopped, LIFE_STOPPED,    LIFE_STOPPED } },
	[LIFE_RESTARTING] = {
		[LV_START]   = { do_nothing, LIFE_RESTARTING, LIFE_RESTARTING },
		[LV_STOP]    = { do_stop,    LIFE_STOPPING,   LIFE_RESTARTING },
		[LV_RESTART] = { do_nothing, LIFE_RESTARTING, LIFE_RESTARTING },
		[LV_FORCE]   = { do_stop,    LIFE_DELETING,   LIFE_RESTARTING },
		[LV_FREE]    = { do_nothing, LIFE_WAITING,    LIFE_WAITING } },
	[LIFE_ENDING] = {
		[LV_START]   = { do_want,    LIFE_RESTARTING, LIFE_ENDING },
		[LV_STOP]    = { do_nothing, LIFE_ENDING,     LIFE_ENDING },
		[LV_RESTART] = { do_want,    LIFE_RESTARTING, LIFE_ENDING },
		[LV_DELETE]  = { do_nothing, LIFE_DELETING,   LIFE_ENDING },
		[LV_FORCE]   = { do_nothing, LIFE_DELETING,   LIFE_ENDING },
		[LV_FREE]    = { do_stopped, LIFE_STOPPED,    LIFE_STOPPED } },
	[LIFE_DELETING] = {
		[LV_STOP]    = { do_nothing, LIFE_DELETING,   LIFE_DELETING },
		[LV_DELETE]  = { do_nothing, LIFE_DELETING,   LIFE_DELETING },
		[LV_FORCE]   = { do_stop,    LIFE_DELETING,   LIFE_DELETING },
		[LV_FREE]    = { do_remove,  LIFE_REMOVING,   LIFE_STOPPED } },
	[LIFE_REMOVING] = {
		[LV_CLEARED] = { do_cleared, LIFE_REMOVING,   LIFE_REMOVING } },
	/* clang-format on */
};

static const struct {
	enum life_want want;
	const char *verb;
} asked[] = {
	[LV_START] = { WANT_UP, "start" },     [LV_STOP] = { WANT_DOWN, "stop" },
	[LV_RESTART] = { WANT_UP, "restart" }, [LV_DELETE] = { WANT_GONE, "delete" },
	[LV_FORCE] = { WANT_GONE, "delete" },
};

static bool waits(const struct life *l)
{
	return l->state == LIFE_NEW || l->state == LIFE_WAITING;
}

static bool has_room(const struct daemon *d, uid_t uid)
{
	unsigned all = 0, own = 0;

	for (const struct life *l = d->lives; l; l = l->next)
		if (l->state == LIFE_CREATING || l->state == LIFE_STARTING) {
			all++;
			own += l->uid == uid;
		}
	return all < BUILDING && (!uid || own < OSH_STARTS_EACH);
}

static int act(struct life *l, enum life_event ev, struct err *e)
{
	const struct cell *c = &table[l->state][ev];
	enum life_state was = l->state;
	int r;

	l->state = c->next; /* first: an act may be overtaken by what it causes */
	r = c->act(l, e);
	if (r < 0 && l->state == c->next)
		l->state = table[was][ev].on_error;
	return r;
}

/* Whoever waits gets its turn, in the order of names in the list: newest last. */
static void turns(struct daemon *d)
{
	if (d->stopping)
		return;
	for (struct life *l = d->lives, *next; l; l = next) {
		next = l->next;
		if (waits(l) && has_room(d, l->uid))
			life_happen(l, LV_TURN);
	}
}

void life_happen(struct life *l, enum life_event ev)
{
	struct daemon *d = l->d;
	struct err e = { 0 };

	if (!table[l->state][ev].act)
		return;
	if (ev == LV_CLEARED) { /* frees l */
		(void)act(l, ev, &e);
		return;
	}
	if (act(l, ev, &e) < 0) {
		life_say(l, e.text, sizeof(e.text));
		if (!l->s && table[l->state][LV_FREE].act)
			(void)act(l, LV_FREE, &e);
	}
	settle(l);
	if (ev == LV_UP || ev == LV_FREE || ev == LV_FAILED)
		turns(d);
}

int life_ask(struct life *l, enum life_event ev, life_done *done, void *data, struct err *e)
{
	struct daemon *d = l->d;
	int r;

	if (d->stopping)
		return fail(e, EBUSY, "oshd is ending");
	if (!table[l->state][ev].act)
		return fail(e, EBUSY, "sandbox '%s' is %s: it cannot %s now%s", l->name,
			    names[l->state], asked[ev].verb,
			    ev == LV_DELETE ? "; stop it first, or force it (-f)" : "");
	r = act(l, ev, e);
	if (r < 0)
		return r;
	r = join(l, asked[ev].want, done, data);
	settle(l);
	turns(d);
	return r < 0 ? fail(e, ENOMEM, "out of memory") : 0;
}

static struct life *life_new(struct daemon *d, const struct state_sandbox *row)
{
	struct life *l = calloc(1, sizeof(*l)), **at = &d->lives;

	if (!l)
		return NULL;
	l->d = d;
	l->key = row->key;
	l->uid = row->uid;
	memcpy(l->name, row->name, sizeof(l->name));
	l->given = (struct life_given){ -1, -1, -1, -1 };
	l->workdir_fd = l->session_fd = -1;
	l->status = row->exit_status;
	life_say(l, row->reason ? row->reason : "", SIZE_MAX);
	while (*at)
		at = &(*at)->next;
	*at = l;
	return l;
}

int life_create(struct daemon *d, const struct state_sandbox *row, struct life_given *given,
		int workdir_fd, life_done *done, void *data, struct err *e)
{
	struct life *l = life_new(d, row);

	if (!l || join(l, WANT_UP, done, data) < 0) {
		own_close(&workdir_fd);
		(void)state_delete(d->state, row->key, &(struct err){ 0 });
		if (l)
			(void)do_cleared(l, e);
		return fail(e, ENOMEM, "out of memory");
	}
	l->state = LIFE_NEW;
	l->given = *given;
	*given = (struct life_given){ -1, -1, -1, -1 };
	l->workdir_fd = workdir_fd;
	turns(d);
	return 0;
}

static int load_one(void *data, const struct state_sandbox *row)
{
	return life_new(data, row) ? 0 : -ENOMEM;
}

int life_load(struct daemon *d, struct err *e)
{
	return state_each(d->state, load_one, d, e);
}

static int dup_of(int fd)
{
	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

void life_adopt(struct sandbox *s)
{
	struct life *l = life_find(s->d, s->name);

	if (!l || l->uid != s->uid || l->s || s->state != SB_RUNNING)
		return;
	s->life = l;
	l->s = s;
	l->state = LIFE_RUNNING;
	l->why[0] = 0;
	l->given =
	    (struct life_given){ dup_of(s->creds_fd), dup_of(s->hosts_fd), -1, dup_of(s->log_fd) };
}

/* Its command has ended and the former oshd has written that down; what it said to that one it does not say again. */
static void resume_ending(struct life *l, const struct state_sandbox *row)
{
	l->state = LIFE_ENDING;
	l->s->over = true;
	life_say(l, row->reason ? row->reason : "", SIZE_MAX);
	life_end_soon(l);
}

/* 1 = it is to run and does not, or the other way round. */
static int resume_one(void *data, const struct state_sandbox *row)
{
	struct life *l = life_find(data, row->name);

	if (!l || l->key != row->key)
		return 0;
	if (row->wanted && l->state == LIFE_STOPPED)
		l->state = LIFE_WAITING;
	else if (!row->wanted && l->state == LIFE_RUNNING && row->exit_status >= 0)
		resume_ending(l, row);
	else if (!row->wanted && l->state == LIFE_RUNNING)
		life_happen(l, LV_STOP);
	return 0;
}

int life_resume(struct daemon *d, struct err *e)
{
	int r = state_each(d->state, resume_one, d, e);

	turns(d);
	return r;
}

void life_close(struct daemon *d)
{
	while (d->lives) {
		struct life *l = d->lives;

		l->waiters = NULL; /* their connections are closed */
		(void)do_cleared(l, &(struct err){ 0 });
	}
}

void life_went(struct life *l)
{
	if (l->session_fd < 0 && !l->timer) /* its command, if it has one, speaks for itself */
		life_happen(l, LV_UP);
}

/* It goes into bus messages and to terminals, and may quote the sandbox or be cut within a
 * character. */
void life_say(struct life *l, const char *why, size_t most)
{
	size_t n = strnlen(why, most < sizeof(l->why) ? most : sizeof(l->why) - 1);

	if (l->why[0])
		return;
	memcpy(l->why, why, n);
	l->why[n] = 0;
	utf8_clean(l->why);
}

void life_failed(struct life *l, const char *why)
{
	life_say(l, why, SIZE_MAX);
	life_happen(l, LV_FAILED);
}

/* Whoever looked at its terminal has heard it too, and may want it started or gone: neither waits for osh-init's last moment. */
void life_over(struct life *l, int status)
{
	life_session_read(l); /* a quick command has begun and ended since we looked */
	l->status = status;
	if (l->state != LIFE_RUNNING)
		return;
	l->started_us = 0;
	life_happen(l, LV_ENDED);
	life_end_soon(l);
}

void life_ended(struct life *l)
{
	int status;

	life_session_read(l); /* a quick command has begun and ended since we looked */
	status = init_status(l->s);
	if (status >= 0)
		l->status = status;
	l->started_us = 0;
	life_session_done(l);
	life_happen(l, LV_ENDED);
}

void life_free(struct life *l)
{
	l->s = NULL;
	l->timer = sd_event_source_disable_unref(l->timer);
	life_happen(l, LV_FREE);
}
