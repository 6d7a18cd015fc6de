/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set that changes while its sandbox runs. osh-launch is given it first, so that every egress from then on starts
 * with it; the one that lives is told, and whoever asked is answered when it has said that it goes by it, or is gone.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "control.h"
#include "note.h"
#include "own.h"
#include "provider.h"
#include "store.h"

#define ANSWER_US 10000000		/* as for a policy: an egress that is silent that long is ended */

struct provider_wait {
	struct provider_wait *next;
	uint64_t serial;
	provider_done *done;
	void *data;
};

static void tell(struct sandbox *s, uint64_t serial, const char *error)
{
	struct provider_wait **at = &s->creds_waits, *w, *told = NULL;

	while ((w = *at)) {
		if (w->serial > serial) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		w->next = told;
		told = w;
	}
	if (!s->creds_waits)
		s->creds_timer = sd_event_source_disable_unref(s->creds_timer);
	while ((w = told)) {		/* none of these is the sandbox's any more, whatever done() does */
		told = w->next;
		w->done(w->data, error);
		free(w);
	}
}

static int on_late(sd_event_source *src, uint64_t usec, void *data)
{
	struct sandbox *s = data;

	(void)src;
	(void)usec;
	note(s->name, s->uid, "its egress does not take its credentials; it is ended");
	egress_kill(s);			/* provider_egress_gone() tells */
	return 0;
}

static void send(struct sandbox *s)
{
	int none = -1, r;

	s->creds_timer = sd_event_source_disable_unref(s->creds_timer);
	if (s->creds_fd < 0)
		none = memfd_create("osh-none", MFD_CLOEXEC);
	r = control_say(s, OSH_MSG_EGRESS_CREDS, s->k.generation, s->creds_serial, s->creds_fd < 0 ? none : s->creds_fd);
	own_close(&none);
	if (r < 0 || sd_event_add_time_relative(s->d->event, &s->creds_timer, CLOCK_MONOTONIC, ANSWER_US, 0, on_late, s) < 0)
		egress_kill(s);
}

int provider_live(struct sandbox *s, int set_fd, provider_done *done, void *data, struct err *e)
{
	struct provider_wait *w = s->state == SB_RUNNING ? calloc(1, sizeof(*w)) : NULL;
	int was = s->creds_fd, r;

	if (!w) {
		own_close(&set_fd);
		return s->state == SB_RUNNING ? fail(e, ENOMEM, "out of memory")
					      : fail(e, EBUSY, "sandbox '%s' is not running", s->name);
	}
	s->creds_fd = set_fd;
	r = store_save(s, e);
	if (r < 0) {
		s->creds_fd = was;
		own_close(&set_fd);
		free(w);
		return r;
	}
	own_close(&was);
	*w = (struct provider_wait){ s->creds_waits, ++s->creds_serial, done, data };
	s->creds_waits = w;
	if (s->egress.state == EGRESS_UP)
		send(s);
	else if (s->egress.state != EGRESS_ASKED)
		tell(s, s->creds_serial, NULL);
	return 0;
}

void provider_answered(struct sandbox *s, const struct osh_msg_reloaded *m)
{
	char text[sizeof(m->text)] = "";

	memcpy(text, m->text, sizeof(text) - 1);
	tell(s, m->serial, m->code ? text : NULL);
}

void provider_egress_up(struct sandbox *s)
{
	if (s->creds_waits)
		send(s);
}

void provider_egress_gone(struct sandbox *s)
{
	tell(s, UINT64_MAX, NULL);
}

static void on_resumed(void *data, const char *error)
{
	(void)data;
	if (error)
		fprintf(stderr, "oshd: a sandbox goes on with the credentials that it had: %s\n", error);
}

/* A rotation is on disk before the first sandbox hears of it, so what is stored is what was answered for. */
void provider_resumed(struct sandbox *s)
{
	struct state_provider_use uses[OSH_CREDS] = { 0 };
	char names[OSH_CREDS][OSH_CRED_NAME];
	unsigned n = provider_names(s->creds_fd, names);
	struct err e = { 0 };
	int set = -1, r;

	for (unsigned i = 0; i < n; i++)
		memcpy(uses[i].name, names[i], sizeof(names[i]));
	r = n ? provider_compose(s->d, s->uid, s->creds_fd, uses, n, &set, &e) : 0;
	if (!r && n)
		r = provider_live(s, set, on_resumed, NULL, &e);
	if (r < 0)
		on_resumed(NULL, e.text);
}
