/* SPDX-License-Identifier: Apache-2.0 */
#include "revision.h"

#include <fcntl.h>
#include <stdlib.h>

#include "life.h"
#include "methods.h"
#include "note.h"
#include "own.h"
#include "reload.h"
#include "share.h"
#include "state/state.h"

struct change {
	struct daemon *d;
	sd_bus_message *call;
	char name[OSH_SANDBOX_NAME];
	uint64_t key;			/* 0 = a run: nothing of it is kept */
	uid_t by, uid;			/* who asked, whose it is */
	uint32_t was, from;
	uint32_t revision;		/* written; 0 = not yet */
	int bundle_fd, source_fd;
};

static void change_free(struct change *c)
{
	sd_bus_message_unref(c->call);
	own_close(&c->bundle_fd);
	own_close(&c->source_fd);
	free(c);
}

static int dup_fd(int from, int *to, struct err *e)
{
	*to = from < 0 ? -1 : fcntl(from, F_DUPFD_CLOEXEC, 3);
	return from >= 0 && *to < 0 ? fail(e, errno, "duplicate a descriptor: %s", strerror(errno)) : 0;
}

/* Created ones first: a run has no name of theirs. *ret NULL = it is created and does not run. */
static int find(const struct caller *who, const char *name, struct change *c, struct sandbox **ret, struct err *e)
{
	struct state_sandbox row;
	int r = who->d->state ? state_find(who->d->state, name, &row, e) : -ENOENT;

	if (r && r != -ENOENT)
		return r;
	if (!r && caller_may(who, row.uid)) {
		c->key = row.key;
		c->was = row.revision;
		c->uid = row.uid;
		memcpy(c->name, row.name, sizeof(c->name));
	}
	if (!r)
		state_sandbox_done(&row);
	r = bus_find_running(who, name, ret, e);
	if (!r) {
		memcpy(c->name, (*ret)->name, sizeof(c->name));
		c->uid = (*ret)->uid;
	}
	if (r < 0 && c->key) {		/* which is no error of it */
		*ret = NULL;
		r = 0;
	}
	return r;
}

static void answer(struct change *c, uint32_t generation)
{
	int r = c->from ? sd_bus_reply_method_return(c->call, "u", c->revision)
			: sd_bus_reply_method_return(c->call, "uu", generation, c->revision);

	if (r < 0)
		fprintf(stderr, "oshd: a caller left before it heard of the new policy of '%s'\n", c->name);
}

static int write_revision(void *arg, uint32_t generation, struct err *e)
{
	struct change *c = arg;

	(void)generation;
	return c->key ? state_policy_add(c->d->state, c->key, c->bundle_fd, c->source_fd, c->by, c->from,
					 &c->revision, e) : 0;
}

static void on_done(void *arg, uint32_t generation, const char *error)
{
	struct change *c = arg;
	struct err e = { 0 };
	int r = error && c->revision ? state_policy_cut(c->d->state, c->key, c->was, &e) : 0;

	if (r < 0 && r != -ENOENT)	/* -ENOENT: it was deleted */
		note(c->name, c->uid, "revision %u was not enforced and is still in force in the database, "
		     "until oshd starts again: %s", c->revision, e.text);
	if (error)
		bus_answer_error(c->call, error);
	else
		answer(c, generation);
	change_free(c);
}

/* It does not run: there is nothing that the policy could differ from. */
static int set_stopped(struct change *c, struct err *e)
{
	int r = write_revision(c, 0, e);

	if (!r)
		answer(c, 0);
	return r;
}

/* What a reload would be refused for is not kept either: the loop reads it, and the disk is everybody's. */
static int check_size(uid_t uid, int bundle_fd, struct err *e)
{
	struct bundle b = { 0 };
	int r = share_open(&b, uid, bundle_fd, e);

	if (!r)
		bundle_done(&b);
	return r;
}

static int start(struct change *c, struct sandbox *s, struct err *e)
{
	struct reload_request q = { .bundle_fd = c->bundle_fd, .arg = c, .commit = write_revision, .done = on_done };

	return reload_start(s, &q, e);
}

int revision_set(const struct caller *who, const struct revision_request *q, sd_bus_message *call, struct err *e)
{
	struct change *c = calloc(1, sizeof(*c));
	struct sandbox *s = NULL;
	int r;

	if (!c)
		return fail(e, ENOMEM, "out of memory");
	*c = (struct change){ .d = who->d, .call = sd_bus_message_ref(call), .by = who->uid, .from = q->from,
			      .bundle_fd = -1, .source_fd = -1 };
	r = find(who, q->name, c, &s, e);
	if (!r && !s)
		r = check_size(who->uid, q->bundle_fd, e);
	if (!r)
		r = dup_fd(q->bundle_fd, &c->bundle_fd, e);
	if (!r)
		r = dup_fd(q->source_fd, &c->source_fd, e);
	if (!r && s)
		r = start(c, s, e);
	else if (!r)
		r = set_stopped(c, e);
	if (r < 0 || !s)		/* else on_done() has it */
		change_free(c);
	return r;
}

void revision_adopt(struct sandbox *s)
{
	struct state *st = s->d->state;
	struct err e = { 0 };
	uint32_t revision;
	int r;

	if (!s->life)
		return;			/* a run */
	r = state_policy_settle(st, s->life->key, s->bundle_fd, &e);
	if (r == -ENOENT)		/* a database of before it was set: what is enforced is kept */
		r = state_policy_add(st, s->life->key, s->bundle_fd, -1, s->uid, 0, &revision, &e);
	if (r < 0)
		note(s->name, s->uid, "its policy stays in force, but is not recorded: %s", e.text);
}
