/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order: fill, end the egress, store, flip. Killed before the store, the next oshd finds the old policy
 * in force and drops what was filled; killed after it, it flips. Root; the bundle is checked when it is
 * opened and nothing else of the caller's is read.
 */
#include "reload.h"

#include <fcntl.h>

#include "auditor.h"
#include "bus.h"
#include "fixed.h"
#include "own.h"
#include "store.h"

#define EGRESS_US 5000000		/* for a killed egress to go */
#define OLD_US 200000			/* hooks that read the old generation at the flip have long returned */

struct reload {
	struct bundle bundle;
	int bundle_fd;
	struct kbpf_sandbox k;		/* the sandbox's, of the next generation */
	sd_bus_message *call;
	sd_event_source *timer;
};

static void done(struct sandbox *s)
{
	struct reload *r = s->reload;

	s->reload = NULL;
	sd_event_source_disable_unref(r->timer);
	sd_bus_message_unref(r->call);
	bundle_done(&r->bundle);
	own_close(&r->bundle_fd);
	free(r);
}

static void give_up(struct sandbox *s, const char *why)
{
	bus_answer_error(s->reload->call, why);
	kbpf_unfill(s->d->kernel, &s->reload->k, &s->reload->bundle);
	done(s);
	egress_release(s);
}

void reload_cancel(struct sandbox *s, const char *why)
{
	s->old_timer = sd_event_source_disable_unref(s->old_timer);
	if (!s->reload)
		return;
	bus_answer_error(s->reload->call, why);
	done(s);			/* the tables go with the sandbox */
}

static int on_timeout(sd_event_source *src, uint64_t usec, void *data)
{
	(void)src;
	(void)usec;
	give_up(data, "the sandbox's egress does not end; the old policy stays in force");
	return 0;
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

static int prepare(struct sandbox *s, struct reload *r, int bundle_fd, struct err *e)
{
	int x = bundle_open_fd(&r->bundle, bundle_fd, e);

	if (x < 0)
		return x;
	r->bundle_fd = fcntl(bundle_fd, F_DUPFD_CLOEXEC, 3);
	if (r->bundle_fd < 0)
		return fail(e, errno, "duplicate a descriptor: %s", strerror(errno));
	x = fixed_check(s, &r->bundle, e);
	if (x < 0)
		return x;
	if (s->k.generation == UINT32_MAX)
		return fail(e, EOVERFLOW, "generations are used up");
	clear_old(s);
	kbpf_only(s->d->kernel, &s->k);
	r->k = s->k;
	r->k.generation++;
	return kbpf_fill(s->d->kernel, &r->k, &r->bundle, e);
}

int reload_start(struct sandbox *s, int bundle_fd, sd_bus_message *call, struct err *e)
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
	r->bundle_fd = -1;
	s->reload = r;
	x = prepare(s, r, bundle_fd, e);
	if (x < 0) {
		done(s);
		return x;
	}
	x = sd_event_add_time_relative(s->d->event, &r->timer, CLOCK_MONOTONIC, EGRESS_US, 0, on_timeout, s);
	if (x < 0) {
		kbpf_unfill(s->d->kernel, &r->k, &r->bundle);
		done(s);
		return fail(e, -x, "timer: %s", strerror(-x));
	}
	r->call = sd_bus_message_ref(call);
	if (egress_hold(s))
		reload_egress_gone(s);
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

void reload_egress_gone(struct sandbox *s)
{
	struct err e = { 0 };

	if (!s->reload)
		return;
	if (flip(s, &e) < 0) {
		give_up(s, e.text);
		return;
	}
	if (auditor_policy(s->d, s, &e) < 0)
		fprintf(stderr, "oshd: sandbox %s: %s\n", s->name, e.text);
	s->old_generation = s->reload->k.generation;
	if (sd_event_add_time_relative(s->d->event, &s->old_timer, CLOCK_MONOTONIC, OLD_US, 0, on_old, s) < 0)
		s->old_timer = NULL;	/* the next reload clears it, or the end */
	bus_answer_policy(s->reload->call, s->k.generation);
	done(s);
	egress_release(s);
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
