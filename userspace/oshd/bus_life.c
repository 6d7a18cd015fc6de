/* SPDX-License-Identifier: Apache-2.0 */
/* Start, Stop, Restart, Delete, Prune, Label: by name, among the caller's own. */
#include "bus_life.h"

#include <stdlib.h>

#include "bus_request.h"
#include "manager.h"
#include "methods.h"

int bus_needs_state(const struct caller *who, struct err *e)
{
	return who->d->state
		   ? 0
		   : fail(e, ENOTSUP, "this oshd lives for one run and keeps no sandboxes");
}

int bus_find_life(const struct caller *who, const char *name, struct life **ret, struct err *e)
{
	struct sandbox *run;
	int r = bus_needs_state(who, e);

	if (r < 0)
		return r;
	*ret = life_find(who->d, name);
	if (*ret && caller_may(who, (*ret)->uid))
		return 0;
	if (!bus_find_running(who, name, &run, e))
		return fail(e, EINVAL, "'%s' is a run: it lives as long as its command; end that",
			    run->name);
	return fail(e, ENOENT, "no sandbox of yours is called '%.*s'", OSH_SANDBOX_NAME, name);
}

void bus_answer_created(void *data, const struct life *l, const char *why)
{
	sd_bus_message *m = data;

	if (why)
		bus_answer_error(m, why);
	else
		bus_answer_run(m, l->name, l->s->k.id, &l->s->warnings);
	sd_bus_message_unref(m);
}

static void answer_started(void *data, const struct life *l, const char *why)
{
	sd_bus_message *call = data, *m = NULL;
	int r = why ? 0 : sd_bus_message_new_method_return(call, &m);

	if (!why && r >= 0)
		r = warnings_put(m, &l->s->warnings);
	if (!why && r >= 0)
		r = sd_bus_send(NULL, m, NULL);
	if (why)
		bus_answer_error(call, why);
	else if (r < 0)
		fprintf(stderr, "oshd: a caller left before it heard of '%s'\n", l->name);
	sd_bus_message_unref(m);
	sd_bus_message_unref(call);
}

void bus_answer_done(void *data, const struct life *l, const char *why)
{
	sd_bus_message *m = data;

	if (why)
		bus_answer_error(m, why);
	else if (sd_bus_reply_method_return(m, "") < 0)
		fprintf(stderr, "oshd: a caller left before it heard of '%s'\n", l->name);
	sd_bus_message_unref(m);
}

static int ask(struct life *l, enum life_event ev, sd_bus_message *m, struct err *e)
{
	bool up = ev == LV_START || ev == LV_RESTART;
	int r = life_ask(l, ev, up ? answer_started : bus_answer_done, sd_bus_message_ref(m), e);

	if (r < 0)
		sd_bus_message_unref(m);
	return r;
}

/* What is given holds from this start on, also where it fails: the next one needs it all the same.
 */
static int start(const struct caller *who, sd_bus_message *m, struct life *l, enum life_event ev,
		 struct err *e)
{
	struct run_request q;
	int r;

	request_init(&q, who);
	r = request_options(m, who, &q, NULL, NULL, e);
	if (!r && (q.summary_fd >= 0 || q.workdir[0]))
		r = fail(e, EINVAL,
			 "a start takes credentials, providers, upstream-hosts, upstream-ca and log alone");
	for (size_t i = 0; !r && i < q.n_uses; i++)
		r = state_provider_use(who->d->state, l->key, l->uid, &q.uses[i], e);
	if (!r)
		r = bus_keep_given(&l->given, &q, e);
	request_done(&q);
	return r ? r : ask(l, ev, m, e);
}

int on_start(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct life *l;
	const char *name;
	int r;

	if (sd_bus_message_read(m, "s", &name) < 0)
		return fail(e, EINVAL, "malformed call");
	r = bus_find_life(who, name, &l, e);
	if (!r && l->state == LIFE_RUNNING)
		r = fail(e, EBUSY, "sandbox '%s' is running", l->name);
	return r ? r : start(who, m, l, LV_START, e);
}

int on_stop(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct life *l;
	const char *name;
	uint32_t ms;
	int r;

	if (sd_bus_message_read(m, "su", &name, &ms) < 0)
		return fail(e, EINVAL, "malformed call");
	r = bus_find_life(who, name, &l, e);
	if (r < 0)
		return r;
	l->grace_ms = ms < OSH_GRACE_MS ? ms : OSH_GRACE_MS;
	return ask(l, LV_STOP, m, e);
}

int on_restart(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct life *l;
	const char *name;
	uint32_t ms;
	int r;

	if (sd_bus_message_read(m, "su", &name, &ms) < 0)
		return fail(e, EINVAL, "malformed call");
	r = bus_find_life(who, name, &l, e);
	if (r < 0)
		return r;
	l->grace_ms = ms < OSH_GRACE_MS ? ms : OSH_GRACE_MS;
	return start(who, m, l, LV_RESTART, e);
}

int on_delete(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct life *l;
	const char *name;
	int force, r;

	if (sd_bus_message_read(m, "sb", &name, &force) < 0)
		return fail(e, EINVAL, "malformed call");
	r = bus_find_life(who, name, &l, e);
	if (r < 0)
		return r;
	l->grace_ms = 0;
	return ask(l, force ? LV_FORCE : LV_DELETE, m, e);
}

/* As many as a sandbox can have: more would be work on everybody's loop. The text is the message's. */
static int read_removals(sd_bus_message *m, char *ret[OSH_LABELS], size_t *ret_n, struct err *e)
{
	const char *key;
	int r = sd_bus_message_enter_container(m, 'a', "s");

	while (r >= 0 && (r = sd_bus_message_read(m, "s", &key)) > 0) {
		if (*ret_n == OSH_LABELS)
			return fail(e, E2BIG, "more than %d labels to remove", OSH_LABELS);
		ret[(*ret_n)++] = (char *)key;
	}
	return r < 0 || sd_bus_message_exit_container(m) < 0 ? fail(e, EINVAL, "malformed call") : 0;
}

int on_label(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct state_label *set = NULL;
	size_t n_set = 0, n_remove = 0;
	char *remove[OSH_LABELS];
	const char *name;
	struct life *l;
	int r;

	if (sd_bus_message_read(m, "s", &name) < 0)
		return fail(e, EINVAL, "malformed call");
	r = bus_find_life(who, name, &l, e);
	if (!r)
		r = bus_read_labels(m, &set, &n_set, e);
	if (!r)
		r = read_removals(m, remove, &n_remove, e);
	if (!r)
		r = state_label(who->d->state, l->key, set, n_set, remove, n_remove, e);
	bus_labels_free(set, n_set);
	if (!r && sd_bus_reply_method_return(m, "") < 0)
		r = fail(e, EIO, "the answer does not leave");
	return r;
}
