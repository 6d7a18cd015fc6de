/* SPDX-License-Identifier: Apache-2.0 */
/* Stored credentials of users: made, shown, replaced, deleted. No answer has a secret, and none is read here. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "auditor.h"
#include "bus_life.h"
#include "bus_request.h"
#include "manager.h"
#include "methods.h"
#include "own.h"
#include "provider.h"
#include "vault.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

struct given {				/* borrowed from the message */
	const char *name, *type, *record;
	int secret_fd;
};

static int check_type(const char *type, struct err *e)
{
	size_t n = strlen(type);

	if (!n || n >= OSH_PROVIDER_TYPE || strspn(type, "abcdefghijklmnopqrstuvwxyz0123456789-") != n)
		return fail(e, EINVAL, "a type is 1 to %d of a-z, 0-9 and '-'", OSH_PROVIDER_TYPE - 1);
	return 0;
}

static int check_secret(int fd, struct err *e)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) < 0 || st.st_size < 1 ||
	    st.st_size > OSH_CRED_SECRET_BYTES)
		return fail(e, EINVAL, "the secret is no sealed memfd of 1 to %d bytes", OSH_CRED_SECRET_BYTES);
	return 0;
}

static int read_given(sd_bus_message *m, struct given *g, struct err *e)
{
	int r;

	if (sd_bus_message_read(m, "sssh", &g->name, &g->type, &g->record, &g->secret_fd) < 0)
		return fail(e, EINVAL, "malformed call");
	r = request_provider(g->name, e);
	if (!r && strlen(g->record) > OSH_CRED_RECORD_BYTES)
		r = fail(e, E2BIG, "a record has at most %d bytes", OSH_CRED_RECORD_BYTES);
	return r ? r : check_secret(g->secret_fd, e);
}

/* Ciphertext for p->name with p->record. */
static int seal(struct daemon *d, struct state_provider *p, int secret_fd, struct err *e)
{
	struct vault_bind b = { p->uid, p->name, p->record };
	_close_ int key = -1;
	int r = provider_key(d, true, &key, e);

	free(p->box);
	p->box = malloc(sizeof(struct vault_box));
	if (!r && !p->box)
		r = fail(e, ENOMEM, "out of memory");
	if (!r)
		r = vault_seal(key, &b, secret_fd, p->box, e);
	if (!r)
		p->box_len = VAULT_BOX_BYTES(((struct vault_box *)p->box)->n);
	return r;
}

static int replace_record(struct state_provider *p, const char *record, struct err *e)
{
	free(p->record);
	p->record = strdup(record);
	return p->record ? 0 : fail(e, ENOMEM, "out of memory");
}

static int answer_empty(sd_bus_message *m, struct err *e)
{
	return sd_bus_reply_method_return(m, "") < 0 ? fail(e, EIO, "the answer does not leave") : 0;
}

int on_provider_create(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct state_provider p = { .uid = who->uid };
	struct given g = { 0 };
	int r = bus_needs_state(who, e);

	if (!r)
		r = read_given(m, &g, e);
	if (!r)
		r = auditor_lives(who->d, e);
	if (!r)
		r = check_type(g.type, e);
	if (!r && !*g.record)
		r = fail(e, EINVAL, "a provider wants a record");
	if (!r)
		r = replace_record(&p, g.record, e);
	if (!r) {
		strcpy(p.name, g.name);
		strcpy(p.type, g.type);
		r = seal(who->d, &p, g.secret_fd, e);
	}
	if (!r)
		r = state_provider_add(who->d->state, &p, e);
	if (!r)
		auditor_provider(who->d, who->uid, who->uid, OSH_PROVIDER_CREATED, p.name, NULL);
	state_provider_done(&p);
	return r ? r : answer_empty(m, e);
}

/* One answer for all sandboxes that are told. */
struct rotation {
	sd_bus_message *call;
	unsigned left;
	char error[320];
};

static void rotated(struct rotation *t)
{
	if (--t->left)
		return;
	if (t->error[0])
		bus_answer_error(t->call, t->error);
	else if (sd_bus_reply_method_return(t->call, "") < 0)
		fprintf(stderr, "oshd: a caller left before it heard of its provider\n");
	sd_bus_message_unref(t->call);
	free(t);
}

static void on_rotated(void *data, const char *error)
{
	struct rotation *t = data;

	if (error && !t->error[0])
		snprintf(t->error, sizeof(t->error), "it is stored, but a sandbox that runs keeps the former one: %s", error);
	rotated(t);
}

static void rotate_one(struct sandbox *s, const struct state_provider_use *u, struct rotation *t)
{
	struct err e = { 0 };
	int set = -1, r = provider_compose(s->d, s->uid, s->creds_fd, u, 1, &set, &e);

	t->left++;
	if (!r && s->state == SB_PREPARING) {	/* its first egress, which begins with what is there then, is still to come */
		own_close(&s->creds_fd);
		s->creds_fd = set;
		on_rotated(t, NULL);
		return;
	}
	if (!r)
		r = provider_live(s, set, on_rotated, t, &e);
	if (r < 0)
		on_rotated(t, e.text);
}

static void rotate_all(struct daemon *d, uid_t uid, const struct state_provider_use *u, struct rotation *t)
{
	for (uint32_t i = 0; i < OSH_SLOTS; i++) {
		struct sandbox *s = d->slots[i];

		if (s && s->uid == uid && (s->state == SB_RUNNING || s->state == SB_PREPARING) &&
		    provider_in_set(s->creds_fd, u->name, true))
			rotate_one(s, u, t);
	}
}

static int rotate(const struct caller *who, const struct given *g, struct state_provider *p, struct err *e)
{
	int r = state_provider_find(who->d->state, who->uid, g->name, p, e);

	if (!r && *g->type)
		r = check_type(g->type, e);
	if (!r && *g->type)
		strcpy(p->type, g->type);
	if (!r && *g->record)
		r = replace_record(p, g->record, e);
	p->rotated_us = 0;
	if (!r)
		r = seal(who->d, p, g->secret_fd, e);
	return r ? r : state_provider_set(who->d->state, p, e);
}

int on_provider_rotate(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct state_provider p = { 0 };
	struct state_provider_use u = { 0 };
	struct rotation *t = NULL;
	struct given g = { 0 };
	int r = bus_needs_state(who, e);

	if (!r)
		r = read_given(m, &g, e);
	if (!r && !(t = calloc(1, sizeof(*t))))
		r = fail(e, ENOMEM, "out of memory");
	if (!r)
		r = auditor_lives(who->d, e);
	if (!r)
		r = rotate(who, &g, &p, e);
	if (!r)
		auditor_provider(who->d, who->uid, who->uid, OSH_PROVIDER_ROTATED, p.name, NULL);
	state_provider_done(&p);
	if (r < 0) {
		free(t);
		return r;
	}
	strcpy(u.name, g.name);
	t->call = sd_bus_message_ref(m);
	t->left = 1;			/* ours, until all were told */
	rotate_all(who->d, who->uid, &u, t);
	rotated(t);
	return 0;
}

/* Runs have no row: what they hold says it. */
static bool runs_with(const struct daemon *d, uid_t uid, const char *name)
{
	for (uint32_t i = 0; i < OSH_SLOTS; i++) {
		const struct sandbox *s = d->slots[i];

		if (s && s->uid == uid && s->state != SB_REPORTING && provider_in_set(s->creds_fd, name, true))
			return true;
	}
	return false;
}

/* Whose it is: the caller's own, or another's where the caller may say so. Another's is not said to exist. */
static int read_one(const struct caller *who, sd_bus_message *m, const char **ret_name, uid_t *ret_uid, struct err *e)
{
	uint32_t uid;

	if (sd_bus_message_read(m, "su", ret_name, &uid) < 0)
		return fail(e, EINVAL, "malformed call");
	*ret_uid = uid == MANAGER_SELF ? who->uid : uid;
	return caller_may(who, *ret_uid) ? 0 : fail(e, ENOENT, "no provider of yours is called '%.*s'", OSH_CRED_NAME,
						    *ret_name);
}

int on_provider_delete(const struct caller *who, sd_bus_message *m, struct err *e)
{
	const char *name;
	uid_t uid;
	int r = bus_needs_state(who, e);

	if (!r)
		r = read_one(who, m, &name, &uid, e);
	if (!r && runs_with(who->d, uid, name))
		r = fail(e, EBUSY, "provider '%.*s' is used by a sandbox that runs: `oshctl provider detach` it first",
			 OSH_CRED_NAME, name);
	if (!r)
		r = auditor_lives(who->d, e);
	if (!r)
		r = state_provider_delete(who->d->state, uid, name, e);
	if (!r)
		auditor_provider(who->d, uid, who->uid, OSH_PROVIDER_DELETED, name, NULL);
	return r ? r : answer_empty(m, e);
}

static int put_row(sd_bus_message *m, const struct state_provider *p, bool whole)
{
	int r = sd_bus_message_open_container(m, 'a', "{sv}");

	if (r >= 0)
		r = sd_bus_message_append(m, "{sv}{sv}{sv}{sv}{sv}{sv}", "name", "s", p->name, "uid", "u", p->uid, "type", "s",
					  p->type, "created", "t", p->created_us, "rotated", "t", p->rotated_us, "sandboxes",
					  "u", p->sandboxes);
	if (r >= 0 && whole)
		r = sd_bus_message_append(m, "{sv}", "record", "s", p->record);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

struct list {
	const struct caller *who;
	sd_bus_message *answer;
};

static int add_row(void *data, const struct state_provider *p)
{
	struct list *l = data;

	return caller_may(l->who, p->uid) ? put_row(l->answer, p, false) : 0;
}

int on_providers(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct list l = { .who = who };
	int r = bus_needs_state(who, e);

	if (r < 0)
		return r;
	r = sd_bus_message_new_method_return(m, &l.answer);
	if (r >= 0)
		r = sd_bus_message_open_container(l.answer, 'a', "a{sv}");
	if (r >= 0)
		r = state_provider_each(who->d->state, add_row, &l, e);
	if (r >= 0)
		r = sd_bus_message_close_container(l.answer);
	if (r >= 0)
		r = sd_bus_send(NULL, l.answer, NULL);
	sd_bus_message_unref(l.answer);
	return r < 0 && !e->text[0] ? fail(e, -r, "answer: %s", strerror(-r)) : r < 0 ? r : 0;
}

int on_provider_get(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct state_provider p = { 0 };
	sd_bus_message *answer = NULL;
	const char *name;
	uid_t uid;
	int r = bus_needs_state(who, e);

	if (!r)
		r = read_one(who, m, &name, &uid, e);
	if (!r)
		r = state_provider_find(who->d->state, uid, name, &p, e);
	if (r < 0)
		return r;
	r = sd_bus_message_new_method_return(m, &answer);
	if (r >= 0)
		r = put_row(answer, &p, true);
	if (r >= 0)
		r = sd_bus_send(NULL, answer, NULL);
	sd_bus_message_unref(answer);
	state_provider_done(&p);
	return r < 0 ? fail(e, -r, "answer: %s", strerror(-r)) : 0;
}
