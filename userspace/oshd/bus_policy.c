/* SPDX-License-Identifier: Apache-2.0 */
/* Methods of policies and their revisions. */
#include "manager.h"
#include "methods.h"
#include "own.h"
#include "revision.h"
#include "state/state.h"

/* What a policy is set with: its text, which is kept and never read. */
static int read_source(sd_bus_message *m, int *ret_fd, struct err *e)
{
	const char *key;
	int x = sd_bus_message_enter_container(m, 'a', "{sv}");

	while (x >= 0 && (x = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		x = sd_bus_message_read(m, "s", &key);
		if (x >= 0 && strcmp(key, MANAGER_OPT_SOURCE))
			return fail(e, EINVAL, "unknown option '%s'", key);
		if (x >= 0)
			x = sd_bus_message_read(m, "v", "h", ret_fd);
		if (x >= 0)
			x = sd_bus_message_exit_container(m);
	}
	return x < 0 || sd_bus_message_exit_container(m) < 0 ? fail(e, EINVAL, "malformed options") : 0;
}

int on_policy_set(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct revision_request q = { .source_fd = -1 };
	int r;

	if (sd_bus_message_read(m, "sh", &q.name, &q.bundle_fd) < 0)
		return fail(e, EINVAL, "malformed call");
	r = read_source(m, &q.source_fd, e);
	return r ? r : revision_set(who, &q, m, e);
}

/* A created sandbox that the caller may see; another's is not said to exist. */
static int find_row(const struct caller *who, const char *name, uint64_t *ret_key, uint32_t *ret_revision, struct err *e)
{
	struct state_sandbox row;
	struct sandbox *run;
	int r = who->d->state ? state_find(who->d->state, name, &row, e) : -ENOENT;
	bool may = !r && caller_may(who, row.uid);

	if (r && r != -ENOENT)
		return r;
	if (may) {
		*ret_key = row.key;
		*ret_revision = row.revision;
	}
	if (!r)
		state_sandbox_done(&row);
	if (may)
		return 0;
	if (!bus_find_running(who, name, &run, e))
		return fail(e, ENOENT, "'%s' is a run: revisions are kept of created sandboxes alone", run->name);
	return fail(e, ENOENT, "no sandbox of yours is called '%.*s'", OSH_SANDBOX_NAME, name);
}

struct list {
	sd_bus_message *answer;
	uint32_t in_force;
};

static int add_row(void *data, const struct state_revision *v)
{
	struct list *l = data;
	int r = sd_bus_message_open_container(l->answer, 'a', "{sv}");

	if (r >= 0)
		r = sd_bus_message_append(l->answer, "{sv}{sv}{sv}{sv}{sv}{sv}", "revision", "u", v->revision,
					  "in-force", "b", v->revision == l->in_force, "time", "t", v->time_us,
					  "uid", "u", v->uid, "from", "u", v->from, "hash", "s", v->hash);
	return r < 0 ? r : sd_bus_message_close_container(l->answer);
}

int on_policies(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct list l = { 0 };
	const char *name;
	uint64_t key;
	int r;

	if (sd_bus_message_read(m, "s", &name) < 0)
		return fail(e, EINVAL, "malformed call");
	r = find_row(who, name, &key, &l.in_force, e);
	if (r < 0)
		return r;
	r = sd_bus_message_new_method_return(m, &l.answer);
	if (r >= 0)
		r = sd_bus_message_open_container(l.answer, 'a', "a{sv}");
	if (r >= 0)
		r = state_policy_each(who->d->state, key, add_row, &l, e);
	if (r >= 0)
		r = sd_bus_message_close_container(l.answer);
	if (r >= 0)
		r = sd_bus_send(NULL, l.answer, NULL);
	sd_bus_message_unref(l.answer);
	return r < 0 && !e->text[0] ? fail(e, -r, "answer: %s", strerror(-r)) : r < 0 ? r : 0;
}

/* A revision without text gives an empty one, and says so. */
static int send_policy(sd_bus_message *m, uint32_t revision, int bundle, int source, struct err *e)
{
	int r = sd_bus_reply_method_return(m, "ha{sv}", source >= 0 ? source : bundle, 3, "revision", "u", revision,
					   "bundle", "h", bundle, "text", "b", source >= 0);

	return r < 0 ? fail(e, -r, "answer: %s", strerror(-r)) : 0;
}

int on_policy_get(const struct caller *who, sd_bus_message *m, struct err *e)
{
	_close_ int bundle = -1, source = -1;
	uint32_t revision, in_force = 0;
	const char *name;
	uint64_t key;
	int r;

	if (sd_bus_message_read(m, "su", &name, &revision) < 0)
		return fail(e, EINVAL, "malformed call");
	r = find_row(who, name, &key, &in_force, e);
	if (r < 0)
		return r;
	revision = revision ? revision : in_force;
	r = state_policy_open(who->d->state, key, revision, &bundle, &source, e);
	return r ? r : send_policy(m, revision, bundle, source, e);
}

int on_policy_rollback(const struct caller *who, sd_bus_message *m, struct err *e)
{
	_close_ int bundle = -1, source = -1;
	struct revision_request q = { 0 };
	uint32_t in_force;
	uint64_t key;
	int r;

	if (sd_bus_message_read(m, "su", &q.name, &q.from) < 0)
		return fail(e, EINVAL, "malformed call");
	r = find_row(who, q.name, &key, &in_force, e);
	if (!r && q.from == in_force)
		r = fail(e, EINVAL, "revision %u is the one in force", q.from);
	if (!r)
		r = state_policy_open(who->d->state, key, q.from, &bundle, &source, e);
	q.bundle_fd = bundle;
	q.source_fd = source;
	return r ? r : revision_set(who, &q, m, e);
}
