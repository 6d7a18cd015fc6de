/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order: fill, routes and programs, the egress is ready, commit, store, flip, the egress has closed what is
 * forbidden, routes of the old policy alone go, answer. Killed before the store, the next oshd finds the old
 * policy in force and drops what was filled; killed after it, it flips. An egress that does not answer is
 * killed, and the reload goes on as if there had been none. Root; the bundle is checked when it is opened and
 * nothing else of the caller's is read.
 */
#include "reload.h"

#include <fcntl.h>
#include <time.h>

#include "across.h"
#include "auditor.h"
#include "chan.h"
#include "control.h"
#include "fixed.h"
#include "launcher.h"
#include "note.h"
#include "own.h"
#include "reach.h"
#include "share.h"
#include "store.h"

#define ANSWER_US 5000000		/* for an egress to answer, and for a killed one to go */
#define OLD_US 200000			/* hooks that read the old generation at the flip have long returned */

enum stage {
	RL_FOLLOW,			/* osh-launch makes routes, opens programs */
	RL_START,			/* the egress is being started */
	RL_READY,			/* it reads the next policy */
	RL_SWEEP,			/* the flip has been; it closes what is forbidden now */
	RL_TIDY,			/* osh-launch takes away what only the old policy had */
	RL_STAGES
};

enum happening {
	RH_UP,				/* the egress that was being started is there */
	RH_YES, RH_NO,			/* it answered */
	RH_GONE,			/* none lives */
	RH_LATE,
	RH_FOLLOWED, RH_NOT_FOLLOWED,	/* osh-launch answered */
	RH_MAX
};

struct reload {
	struct bundle bundle;
	int bundle_fd;
	bool filled;			/* its tables, or some */
	struct kbpf_sandbox k;		/* the sandbox's, of the next generation */
	struct reload_request q;
	enum stage stage;
	uint64_t serial;		/* when it began, CLOCK_BOOTTIME */
	uint64_t filled_ns, ready_ns, flipped_ns;
	bool killed;			/* the egress, for its silence */
	char refusal[256];		/* why it is not to be; said when osh-launch has answered */
	sd_event_source *timer;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void reload_free(struct reload *r)
{
	sd_event_source_disable_unref(r->timer);
	bundle_done(&r->bundle);
	own_close(&r->bundle_fd);
	free(r);
}

/* Nothing of it is left when the caller hears. */
static void end(struct sandbox *s, const char *error)
{
	struct reload *r = s->reload;
	struct reload_request q = r->q;

	s->reload = NULL;
	reload_free(r);
	egress_release(s);
	q.done(q.arg, s->k.generation, error);
}

static void give_up(struct sandbox *s, const char *why)
{
	struct reload *r = s->reload;

	(void)control_say(s, OSH_MSG_EGRESS_DROP, r->k.generation, r->serial, -1);	/* none: nothing to drop */
	kbpf_unfill(s->d->kernel, &r->k, &r->bundle);
	end(s, why);
}

void reload_cancel(struct sandbox *s, const char *why)
{
	s->old_timer = sd_event_source_disable_unref(s->old_timer);
	if (s->reload)
		end(s, why);		/* the tables go with the sandbox */
}

static void clear_old(struct sandbox *s)
{
	s->old_timer = sd_event_source_disable_unref(s->old_timer);
	if (s->old_generation)
		kbpf_clear_generation(s->d->kernel, &s->k, s->old_generation);
	s->old_generation = 0;
}

static int on_old(sd_event_source *src, uint64_t usec, void *data)
{
	(void)src;
	(void)usec;
	clear_old(data);
	return 0;
}

/* The bundle and the generation of the sandbox and of *r change places. */
static void swap(struct sandbox *s, struct reload *r)
{
	struct bundle b = s->bundle;
	struct kbpf_sandbox k = s->k;
	int fd = s->bundle_fd;

	s->bundle = r->bundle;
	s->k = r->k;
	s->bundle_fd = r->bundle_fd;
	r->bundle = b;
	r->k = k;
	r->bundle_fd = fd;
}

static int flip(struct sandbox *s, struct err *e)
{
	struct reload *r = s->reload;
	/* Programs that were executed since the fill have an identity at once, not after the flip. */
	int x = kbpf_rejudge(s->d->kernel, &r->k, &r->bundle, e);

	if (!x && r->q.commit)
		x = r->q.commit(r->q.arg, r->k.generation, e);
	if (x < 0)
		return x;
	swap(s, r);
	x = store_save(s, e);
	if (!x)
		x = kbpf_flip(s->d->kernel, &s->k, &s->bundle, e);
	if (!x)
		return 0;
	swap(s, r);			/* store what is in force; osh-launch knows no other order */
	(void)store_save(s, &(struct err){ 0 });
	return x;
}

static void conclude(struct sandbox *s)
{
	end(s, NULL);
}

static void tidy(struct sandbox *s);

/* In force, and nothing that it forbids is left. */
static void finish(struct sandbox *s)
{
	struct reload *r = s->reload;
	uint64_t now = now_ns();

	note(s->name, s->uid, "generation %u is in force; us: tables %llu, egress ready %llu, flip %llu, closed %llu",
	     s->k.generation, (unsigned long long)(r->filled_ns - r->serial) / 1000,
	     (unsigned long long)(r->ready_ns - r->filled_ns) / 1000,
	     (unsigned long long)(r->flipped_ns - r->ready_ns) / 1000,
	     (unsigned long long)(now - r->flipped_ns) / 1000);
	if (reach_same_routes(&s->bundle, &r->bundle))
		conclude(s);
	else
		tidy(s);
}

static int on_late(sd_event_source *src, uint64_t usec, void *data);

/* The egress has this long for its next answer. */
static int await(struct sandbox *s, enum stage stage)
{
	struct reload *r = s->reload;

	r->stage = stage;
	r->timer = sd_event_source_disable_unref(r->timer);
	return sd_event_add_time_relative(s->d->event, &r->timer, CLOCK_MONOTONIC, ANSWER_US, 0, on_late, s);
}

static void kill_egress(struct sandbox *s)
{
	s->reload->killed = true;
	note(s->name, s->uid, "its egress does not follow to generation %u and is ended", s->reload->k.generation);
	egress_kill(s);
	(void)await(s, s->reload->stage);
}

/* Both are ready, or there is no egress. */
static void do_flip(struct sandbox *s)
{
	struct reload *r = s->reload;
	struct err e = { 0 };

	r->ready_ns = now_ns();
	if (flip(s, &e) < 0) {
		give_up(s, e.text);
		return;
	}
	r->flipped_ns = now_ns();
	across_again(s);
	if (auditor_policy(s->d, s, s->k.generation, s->bundle_fd, true, &e) < 0)
		note(s->name, s->uid, "%s", e.text);
	s->old_generation = r->k.generation;
	if (sd_event_add_time_relative(s->d->event, &s->old_timer, CLOCK_MONOTONIC, OLD_US, 0, on_old, s) < 0)
		s->old_timer = NULL;	/* the next reload clears it, or the end */
	/* Whatever follows is after the flip: the stage changes before anything can fail, or it would flip back. */
	if (s->egress.state != EGRESS_UP)
		finish(s);
	else if (await(s, RL_SWEEP) < 0 || control_say(s, OSH_MSG_EGRESS_FLIP, s->k.generation, r->serial, -1) < 0)
		kill_egress(s);
}

static void do_ask(struct sandbox *s)
{
	struct reload *r = s->reload;

	if (await(s, RL_READY) < 0)
		give_up(s, "out of memory");
	else if (control_say(s, OSH_MSG_EGRESS_NEXT, r->k.generation, r->serial, r->bundle_fd) < 0)
		kill_egress(s);
}

static void do_late(struct sandbox *s)
{
	if (s->reload->killed)
		give_up(s, "the sandbox's egress does not end; the old policy stays in force");
	else
		kill_egress(s);
}

/* It is in force, and a process with SIGKILL pending decides nothing any more. */
static void do_late_sweep(struct sandbox *s)
{
	if (s->reload->killed)
		finish(s);
	else
		kill_egress(s);
}

/* Nothing said no before: what this is about is in the reload's text. */
static void do_refused(struct sandbox *s);
static void do_hold(struct sandbox *s);

/* What osh-launch still says is of this reload: the next one, which would take it for its own, begins after it. */
static void too_late(struct sandbox *s, int code, const char *why)
{
	(void)s;
	(void)code;
	(void)why;
}

static void do_late_follow(struct sandbox *s)
{
	s->routed = too_late;
	give_up(s, "osh-launch does not answer; the old policy stays in force");
}

static void do_late_tidy(struct sandbox *s)
{
	s->routed = too_late;
	note(s->name, s->uid, "routes of the former policy stay: osh-launch does not answer");
	conclude(s);
}

static const struct {
	void (*act)(struct sandbox *);
} steps[RL_STAGES][RH_MAX] = {
	/* clang-format off */
	[RL_FOLLOW] = { [RH_FOLLOWED] = { do_hold }, [RH_NOT_FOLLOWED] = { do_refused }, [RH_LATE] = { do_late_follow } },
	[RL_START] = { [RH_UP]   = { do_ask },     [RH_GONE] = { do_flip },     [RH_LATE] = { do_late } },
	[RL_READY] = { [RH_YES]  = { do_flip },    [RH_NO]   = { do_refused },
		       [RH_GONE] = { do_flip },    [RH_LATE] = { do_late } },
	[RL_SWEEP] = { [RH_YES]  = { finish },     [RH_NO]   = { kill_egress },
		       [RH_GONE] = { finish },     [RH_LATE] = { do_late_sweep } },
	[RL_TIDY] =  { [RH_FOLLOWED] = { conclude }, [RH_NOT_FOLLOWED] = { conclude }, [RH_LATE] = { do_late_tidy } },
	/* clang-format on */
};

/* An empty cell: it comes too late to matter, or from an egress that is being ended. */
static void happen(struct sandbox *s, enum happening h)
{
	if (s->reload && steps[s->reload->stage][h].act)
		steps[s->reload->stage][h].act(s);
}

static int on_late(sd_event_source *src, uint64_t usec, void *data)
{
	(void)src;
	(void)usec;
	happen(data, RH_LATE);
	return 0;
}

void reload_egress_up(struct sandbox *s)
{
	happen(s, RH_UP);
}

void reload_egress_gone(struct sandbox *s)
{
	happen(s, RH_GONE);
}

static void do_refused(struct sandbox *s)
{
	char text[sizeof(s->reload->refusal)];

	memcpy(text, s->reload->refusal, sizeof(text));
	give_up(s, text);
}

static void followed(struct sandbox *s, int code, const char *why)
{
	struct reload *r = s->reload;

	if (!r)
		return;
	if (code && r->stage == RL_TIDY)
		note(s->name, s->uid, "routes of the former policy stay: %s", why);
	if (code && !r->refusal[0])
		snprintf(r->refusal, sizeof(r->refusal), "%s", why);
	happen(s, code || r->refusal[0] ? RH_NOT_FOLLOWED : RH_FOLLOWED);
}

/* Asks osh-launch; 1 = nothing is to be done, 0 = it will answer. */
static int follow(struct sandbox *s, struct err *e)
{
	struct reload *r = s->reload;
	bool programs = !reach_same_programs(&s->bundle, &r->bundle);
	int x;

	if (!programs && reach_same_routes(&s->bundle, &r->bundle))
		return 1;
	x = await(s, RL_FOLLOW);
	if (x < 0)
		return fail(e, -x, "timer: %s", strerror(-x));
	return launcher_routes(s, r->bundle_fd, programs ? OSH_ROUTES_PROGRAMS : 0, followed, e);
}

static void tidy(struct sandbox *s)
{
	struct err e = { 0 };

	s->reload->refusal[0] = 0;
	if (await(s, RL_TIDY) >= 0 && launcher_routes(s, s->bundle_fd, 0, followed, &e) >= 0)
		return;
	note(s->name, s->uid, "routes of the former policy stay: %s", e.text);
	conclude(s);
}

bool reload_programs(struct sandbox *s, const struct osh_msg_programs *m, const struct chan_in *in)
{
	struct reload *r = s->reload;
	struct err e = { 0 };

	if (!r || r->stage != RL_FOLLOW)
		return false;
	for (uint32_t i = 0; i < m->n && !e.code; i++)
		if (m->binary[i] >= r->bundle.n_binaries)
			(void)fail(&e, EPROTO, "osh-launch named a program that the policy lacks");
	if (!e.code)
		(void)kbpf_register_inodes(s->d->kernel, &r->k, &r->bundle, in->fds, m->binary, (int)m->n, &e);
	if (e.code && !r->refusal[0])
		snprintf(r->refusal, sizeof(r->refusal), "%s", e.text);
	return true;
}

void reload_answered(struct sandbox *s, const struct osh_msg_reloaded *m)
{
	struct reload *r = s->reload;
	unsigned want = r && r->stage == RL_SWEEP ? OSH_MSG_EGRESS_FLIPPED : OSH_MSG_EGRESS_READY;
	uint32_t generation = r && r->stage == RL_SWEEP ? s->k.generation : r ? r->k.generation : 0;
	char text[sizeof(m->text)] = "";

	/* To a reload that was given up, or to a former oshd's; and nothing counts of one that is being ended. */
	if (!r || r->killed || m->serial != r->serial || m->h.type != want || m->generation != generation)
		return;
	memcpy(text, m->text, sizeof(text) - 1);
	snprintf(r->refusal, sizeof(r->refusal), "the egress cannot take it: %.200s", text);
	happen(s, m->code ? RH_NO : RH_YES);
}

const struct bundle *reload_next(const struct sandbox *s)
{
	return s->reload && s->reload->filled ? &s->reload->bundle : NULL;
}

static int prepare(struct sandbox *s, struct reload *r, struct err *e)
{
	int x = share_open(&r->bundle, s->uid, r->q.bundle_fd, e);

	if (x < 0)
		return x;
	r->bundle_fd = fcntl(r->q.bundle_fd, F_DUPFD_CLOEXEC, 3);
	if (r->bundle_fd < 0)
		return fail(e, errno, "duplicate a descriptor: %s", strerror(errno));
	x = fixed_check(s, &r->bundle, e);
	if (!x)
		x = share_check(s, &r->bundle, e);
	if (x < 0)
		return x;
	if (s->k.generation == UINT32_MAX)
		return fail(e, EOVERFLOW, "generations are used up");
	clear_old(s);
	kbpf_only(s->d->kernel, &s->k);
	r->k = s->k;
	r->k.generation++;
	r->filled = true;
	return kbpf_fill(s->d->kernel, &r->k, &r->bundle, e);
}

int reload_start(struct sandbox *s, const struct reload_request *q, struct err *e)
{
	struct reload *r;
	int x;

	if (s->state != SB_RUNNING)
		return fail(e, EBUSY, "sandbox '%s' is not running", s->name);
	if (s->reload)
		return fail(e, EBUSY, "another policy of '%s' is being loaded", s->name);
	r = calloc(1, sizeof(*r));
	if (!r)
		return fail(e, ENOMEM, "out of memory");
	*r = (struct reload){ .bundle_fd = -1, .q = *q, .serial = now_ns() };
	x = prepare(s, r, e);
	if (x < 0) {
		reload_free(r);
		return x;
	}
	r->filled_ns = now_ns();
	if (auditor_policy(s->d, s, r->k.generation, r->bundle_fd, false, e) < 0)
		note(s->name, s->uid, "%s", e->text);
	s->reload = r;
	x = follow(s, e);
	if (x > 0)
		do_hold(s);
	if (x >= 0)
		return 0;
	kbpf_unfill(s->d->kernel, &r->k, &r->bundle);
	s->reload = NULL;
	reload_free(r);
	return x;
}

/* The egress is asked last: it is the one that connections wait for. */
static void do_hold(struct sandbox *s)
{
	enum egress_state egress = egress_hold(s);

	if (egress == EGRESS_NONE)
		do_flip(s);
	else if (egress == EGRESS_UP)
		do_ask(s);
	else if (await(s, RL_START) < 0)
		give_up(s, "out of memory");
}

int reload_resume(struct sandbox *s, struct err *e)
{
	uint32_t now = kbpf_in_force(s->d->kernel, &s->k);

	if (now == s->k.generation)
		return 0;
	if (!now || now + 1 != s->k.generation)
		return fail(e, EPROTO, "sandbox %s: generation %u is in force, %u is stored", s->name, now,
			    s->k.generation);
	return kbpf_flip(s->d->kernel, &s->k, &s->bundle, e);
}

/* It knows by itself what is in force. What the former oshd was about to load it need not hold any longer. */
void reload_resumed(struct sandbox *s)
{
	(void)control_say(s, OSH_MSG_EGRESS_DROP, s->k.generation, 0, -1);
}
