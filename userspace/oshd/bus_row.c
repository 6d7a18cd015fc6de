/* SPDX-License-Identifier: Apache-2.0 */
/* List and Get: what is known of a sandbox, as a dictionary; docs/manager.md has the keys. */
#include <sys/vfs.h>
#include <sys/wait.h>

#include "bus_life.h"
#include "counts.h"
#include "kernel/dmem.h"
#include "methods.h"
#include "own.h"
#include "provider.h"

struct row { /* of a created sandbox both, of a run `s` alone */
	const struct state_sandbox *row;
	const struct life *l;
	struct sandbox *s; /* NULL = it does not run */
};

static int put_labels(sd_bus_message *m, const struct state_sandbox *row)
{
	int r = sd_bus_message_open_container(m, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", "labels");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "a{ss}");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "{ss}");
	for (size_t i = 0; r >= 0 && i < row->n_labels; i++)
		r = sd_bus_message_append(m, "{ss}", row->labels[i].key, row->labels[i].value);
	for (int i = 0; r >= 0 && i < 3; i++)
		r = sd_bus_message_close_container(m);
	return r;
}

static int put_volumes(sd_bus_message *m, const struct state_sandbox *row)
{
	int r = sd_bus_message_open_container(m, 'e', "sv");
	char text[sizeof(row->volumes[0].name) + sizeof(row->volumes[0].path) + 8];

	if (r >= 0)
		r = sd_bus_message_append(m, "s", "volumes");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "as");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "s");
	for (size_t i = 0; r >= 0 && i < row->n_volumes; i++) {
		const struct state_volume_use *v = &row->volumes[i];

		snprintf(text, sizeof(text), "%s:%s%s", v->name, v->path,
			 v->read_only ? ":ro" : "");
		r = sd_bus_message_append(m, "s", text);
	}
	for (int i = 0; r >= 0 && i < 3; i++)
		r = sd_bus_message_close_container(m);
	return r;
}

/* Of a created one the row says it, of a run what it was given. */
static int put_providers(sd_bus_message *m, const struct row *x)
{
	char names[OSH_CREDS][OSH_CRED_NAME];
	unsigned n = x->row ? (unsigned)x->row->n_providers : provider_names(x->s->creds_fd, names);
	int r = sd_bus_message_open_container(m, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", "providers");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "as");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "s");
	for (unsigned i = 0; r >= 0 && i < n; i++)
		r = sd_bus_message_append(m, "s", x->row ? x->row->providers[i].name : names[i]);
	for (int i = 0; r >= 0 && i < 3; i++)
		r = sd_bus_message_close_container(m);
	return r;
}

/* As a shell has it: 128 and the number of the signal. */
static uint32_t exit_status(int status)
{
	return (uint32_t)(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

static int put_created(sd_bus_message *m, const struct row *x)
{
	const struct state_sandbox *row = x->row;
	int r = sd_bus_message_append(
	    m, "{sv}{sv}{sv}{sv}{sv}{sv}", "state", "s", life_state_name(x->l), "created", "t",
	    row->created_us, "workdir", "s", row->workdir, "policy-revision", "u", row->revision,
	    "wanted", "b", row->wanted, "command", "b",
	    row->spec_len && row->spec_head.flags != OSH_SPEC_BASE);

	if (r >= 0)
		r = put_labels(m, row);
	if (r >= 0)
		r = put_volumes(m, row);
	if (r >= 0 && row->exit_status >= 0)
		r = sd_bus_message_append(m, "{sv}", "exit-status", "u",
					  exit_status(row->exit_status));
	if (r >= 0 && row->reason)
		r = sd_bus_message_append(m, "{sv}", "reason", "s", row->reason);
	if (r >= 0 && x->l->started_us)
		r = sd_bus_message_append(m, "{sv}", "started", "t", x->l->started_us);
	return r;
}

/* What it takes now, and what its limits have refused. */
static int put_use(sd_bus_message *m, const struct sandbox *s)
{
	uint64_t disk = 0, disk_max = 0, full = s->hits.seen[OSH_LIMIT_DISK];
	uint64_t cpu = s->amount[OSH_RES_CPU], files = s->amount[OSH_RES_FILES], wall = s->amount[OSH_RES_WALL];
	uint64_t gpu = dmem_use(s->box_fd), gpu_max = s->amount[OSH_RES_GPU_MEMORY];
	struct limits_use u;
	struct statfs fs;
	const struct {
		const char *key;
		uint64_t *value;
	} rows[] = {
		{ "tasks", &u.tasks },	 { "tasks-max", &u.tasks_max },	  { "tasks-refused", &u.tasks_refused },
		{ "memory", &u.memory }, { "memory-max", &u.memory_max }, { "memory-killed", &u.killed },
		{ "cpu-time", &u.cpu_us },	 { "cpu-max", &cpu },	  { "disk", &disk },
		{ "disk-max", &disk_max },	 { "disk-full", &full },  { "files-max", &files },
		{ "wall-max", &wall },	 { "gpu-memory", &gpu },	  { "gpu-memory-max", &gpu_max },
	};
	int r = 0;

	limits_use(&s->d->limits, s->k.id, s->box_fd, &u);
	if (s->scratch_fd >= 0 && !fstatfs(s->scratch_fd, &fs)) {
		disk_max = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize;
		disk = disk_max - (uint64_t)fs.f_bfree * (uint64_t)fs.f_bsize;
	}
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(rows); i++)
		r = sd_bus_message_append(m, "{sv}", rows[i].key, "t", *rows[i].value);
	return r;
}

static int put_warnings(sd_bus_message *m, const struct sandbox *s)
{
	int r = sd_bus_message_open_container(m, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", "warnings");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "as");
	if (r >= 0)
		r = warnings_put(m, &s->warnings);
	for (int i = 0; r >= 0 && i < 2; i++)
		r = sd_bus_message_close_container(m);
	return r;
}

/* What its calls of models used, of the limits that its policy has. */
static int put_limits(sd_bus_message *m, struct sandbox *s)
{
	int r = sd_bus_message_open_container(m, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", "model-limits");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "as");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "s");
	if (r >= 0)
		r = counts_put(m, s);
	for (int i = 0; r >= 0 && i < 3; i++)
		r = sd_bus_message_close_container(m);
	return r;
}

static int put_row(sd_bus_message *m, const struct row *x)
{
	static const char *const states[SB_STATES] = {
		[SB_NEW] = "starting",
		[SB_PREPARING] = "starting",
		[SB_RUNNING] = "running",
		[SB_REPORTING] = "stopping",
	};
	int r = sd_bus_message_open_container(m, 'a', "{sv}");

	if (r >= 0)
		r = sd_bus_message_append(
		    m, "{sv}{sv}{sv}", "name", "s", x->row ? x->row->name : x->s->name, "kind", "s",
		    x->row ? "created" : "run", "uid", "u", x->row ? x->row->uid : x->s->uid);
	if (r >= 0)
		r = x->row ? put_created(m, x)
			   : sd_bus_message_append(m, "{sv}", "state", "s", states[x->s->state]);
	if (r >= 0)
		r = put_providers(m, x);
	if (r >= 0 && x->s)
		r = put_use(m, x->s);
	if (r >= 0 && x->s)
		r = put_warnings(m, x->s);
	if (r >= 0 && x->s && x->s->bundle.n_budgets)
		r = put_limits(m, x->s);
	if (r >= 0 && x->s)
		r = sd_bus_message_append(m, "{sv}{sv}", "id", "u", x->s->k.id, "generation", "u",
					  x->s->k.generation);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int send_row(sd_bus_message *call, const struct row *x, struct err *e)
{
	sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_return(call, &m);

	if (r >= 0)
		r = put_row(m, x);
	if (r >= 0)
		r = sd_bus_send(NULL, m, NULL);
	sd_bus_message_unref(m);
	return r < 0 ? fail(e, -r, "answer: %s", strerror(-r)) : 0;
}

int on_get(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct state_sandbox row = { 0 };
	struct row x = { 0 };
	const char *name;
	int r;

	if (sd_bus_message_read(m, "s", &name) < 0)
		return fail(e, EINVAL, "malformed call");
	x.l = life_find(who->d, name);
	if (!x.l || !caller_may(who, x.l->uid)) {
		struct sandbox *s;

		r = bus_find_running(who, name, &s, e);
		x.s = s;
		return r ? r : send_row(m, &x, e);
	}
	r = state_find(who->d->state, name, &row, e);
	x.row = &row;
	x.s = x.l->s;
	if (!r)
		r = send_row(m, &x, e);
	state_sandbox_done(&row);
	return r;
}

struct list {
	const struct caller *who;
	sd_bus_message *m;
	struct state_label *labels;
	size_t n_labels;
};

static int list_one(void *data, const struct state_sandbox *row)
{
	struct list *a = data;
	struct row x = { .row = row, .l = life_find(a->who->d, row->name) };

	if (!x.l || !caller_may(a->who, row->uid) || !bus_labels_match(row, a->labels, a->n_labels))
		return 0;
	x.s = x.l->s;
	return put_row(a->m, &x);
}

static int list_all(struct list *a, struct err *e)
{
	struct daemon *d = a->who->d;
	int r = sd_bus_message_open_container(a->m, 'a', "a{sv}");

	if (r >= 0 && d->state)
		r = state_each(d->state, list_one, a, e);
	for (uint32_t i = 0; r >= 0 && !a->n_labels && i < OSH_SLOTS; i++) {
		struct row x = { .s = d->slots[i] };

		if (x.s && !x.s->life && caller_may(a->who, x.s->uid))
			r = put_row(a->m, &x);
	}
	return r < 0 ? r : sd_bus_message_close_container(a->m);
}

int on_list(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct list a = { .who = who };
	int r = bus_read_labels(m, &a.labels, &a.n_labels, e);

	if (!r)
		r = sd_bus_message_new_method_return(m, &a.m);
	if (r >= 0)
		r = list_all(&a, e);
	if (r >= 0)
		r = sd_bus_send(NULL, a.m, NULL);
	sd_bus_message_unref(a.m);
	bus_labels_free(a.labels, a.n_labels);
	return r >= 0 ? 0 : e->code ? r : fail(e, -r, "answer: %s", strerror(-r));
}
