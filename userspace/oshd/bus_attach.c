/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ProviderAttach, ProviderDetach: a stored credential for a sandbox, running or not. Of a created one it is a row
 * first, so that the next start has it; of a run it is for that run.
 */
#include "auditor.h"
#include "bus_life.h"
#include "bus_request.h"
#include "methods.h"
#include "own.h"
#include "provider.h"
#include "vault.h"

struct target {
	struct life *l;			/* NULL = a run */
	struct sandbox *s;		/* NULL = it does not run, or no more */
	uid_t uid;
};

static int find(const struct caller *who, const char *name, struct target *t, struct err *e)
{
	int r = bus_needs_state(who, e);

	*t = (struct target){ 0 };
	if (r < 0)
		return r;
	t->l = life_find(who->d, name);
	if (t->l && caller_may(who, t->l->uid)) {
		t->s = t->l->s && t->l->s->state != SB_REPORTING ? t->l->s : NULL;
		t->uid = t->l->uid;
	} else {
		t->l = NULL;
		r = bus_find_running(who, name, &t->s, e);
		if (!r)
			t->uid = t->s->uid;
	}
	if (!r && t->s && t->s->state != SB_RUNNING)
		r = fail(e, EBUSY, "sandbox '%s' is being started; ask again in a moment", t->s->name);
	return r;
}

static void on_told(void *data, const char *error)
{
	sd_bus_message *m = data;

	if (error)
		bus_answer_error(m, error);
	else if (sd_bus_reply_method_return(m, "") < 0)
		fprintf(stderr, "oshd: a caller left before it heard of its provider\n");
	sd_bus_message_unref(m);
}

/* set becomes the sandbox's. */
static int tell(const struct target *t, int set, sd_bus_message *m, struct err *e)
{
	int r;

	if (!t->s)
		return sd_bus_reply_method_return(m, "") < 0 ? fail(e, EIO, "the answer does not leave") : 0;
	r = provider_live(t->s, set, on_told, sd_bus_message_ref(m), e);
	if (r < 0)
		sd_bus_message_unref(m);
	return r;
}

int on_provider_attach(const struct caller *who, sd_bus_message *m, struct err *e)
{
	const char *sandbox, *name, *placeholder;
	struct state_provider_use u = { 0 };
	struct target t = { 0 };
	int set = -1, r;

	if (sd_bus_message_read(m, "sss", &sandbox, &name, &placeholder) < 0)
		return fail(e, EINVAL, "malformed call");
	r = request_provider(name, e);
	if (!r)
		r = request_placeholder(placeholder, e);
	if (!r)
		r = find(who, sandbox, &t, e);
	if (!r)
		r = auditor_lives(who->d, e);
	if (r < 0)
		return r;
	strcpy(u.name, name);
	strcpy(u.placeholder, placeholder);
	/* First what may fail and changes nothing. */
	r = provider_compose(who->d, t.uid, t.s ? t.s->creds_fd : -1, &u, 1, &set, e);
	if (!r && t.l)
		r = state_provider_use(who->d->state, t.l->key, t.uid, &u, e);
	if (!r)
		auditor_provider(who->d, t.uid, who->uid, OSH_PROVIDER_ATTACHED, name, t.l ? t.l->name : t.s->name);
	if (r < 0 || !t.s) {
		own_close(&set);
		return r ? r : tell(&t, -1, m, e);
	}
	return tell(&t, set, m, e);
}

/* A policy that wants it is no obstacle: what it wants it for is refused from then on, and a leaked key is gone at once. */
static int without(const char *name, int *fd, struct err *e)
{
	int next = -1, r;

	if (!provider_in_set(*fd, name, false))
		return 0;
	r = vault_compose(-1, *fd, NULL, 0, name, &next, e);
	if (r < 0)
		return r;
	own_close(fd);
	*fd = next;
	return 0;
}

int on_provider_detach(const struct caller *who, sd_bus_message *m, struct err *e)
{
	const char *sandbox, *name;
	struct target t = { 0 };
	int set = -1, r;

	if (sd_bus_message_read(m, "ss", &sandbox, &name) < 0)
		return fail(e, EINVAL, "malformed call");
	r = request_provider(name, e);
	if (!r)
		r = find(who, sandbox, &t, e);
	if (!r)
		r = auditor_lives(who->d, e);
	if (!r && t.s && t.s->reload)	/* that was found to have it */
		r = fail(e, EBUSY, "a policy of '%s' is being loaded; ask again in a moment", t.s->name);
	if (!r && t.s && !provider_in_set(t.s->creds_fd, name, false))
		r = fail(e, ENOENT, "sandbox '%s' has no provider '%s'", t.s->name, name);
	if (!r && t.s)
		r = vault_compose(-1, t.s->creds_fd, NULL, 0, name, &set, e);
	if (!r && t.l)			/* one that was given as a file has no row */
		r = state_provider_drop(who->d->state, t.l->key, t.uid, name, e);
	if (r == -ENOENT && t.l && provider_in_set(t.l->given.creds, name, false))
		r = 0;
	if (!r && t.l)
		r = without(name, &t.l->given.creds, e);
	if (r < 0) {
		own_close(&set);
		return r;
	}
	auditor_provider(who->d, t.uid, who->uid, OSH_PROVIDER_DETACHED, name, t.l ? t.l->name : t.s->name);
	return tell(&t, set, m, e);
}
