/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prune: of the caller's own sandboxes alone, also for root, since it names none of them. Answered
 * when the last one's files are gone.
 */
#include <stdlib.h>

#include "bus_life.h"
#include "home.h"
#include "methods.h"
#include "own.h"

struct prune {
	sd_bus_message *call;
	const struct state_label *labels;
	size_t n_labels;
	struct daemon *d;
	uid_t uid;
	bool volumes;
	unsigned left; /* things that are being removed, and one for the reading */
	char **names;  /* what was removed, NULL terminated */
	size_t n_names;
	char (*used)[OSH_SANDBOX_NAME]; /* volumes that the removed ones used */
	size_t n_used;
};

bool bus_labels_match(const struct state_sandbox *row, const struct state_label *want, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool found = false;

		for (size_t k = 0; k < row->n_labels && !found; k++)
			found = !strcmp(row->labels[k].key, want[i].key) &&
				!strcmp(row->labels[k].value, want[i].value);
		if (!found)
			return false;
	}
	return true;
}

static void answer(struct prune *p)
{
	sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_return(p->call, &m);

	if (r >= 0)
		r = sd_bus_message_append_strv(m, p->names);
	if (r >= 0)
		r = sd_bus_send(NULL, m, NULL);
	if (r < 0)
		fprintf(stderr, "oshd: a caller left before it heard what was pruned\n");
	sd_bus_message_unref(m);
	sd_bus_message_unref(p->call);
	for (size_t i = 0; i < p->n_names; i++)
		free(p->names[i]);
	free(p->names);
	free(p->used);
	free(p);
}

static void on_volume_gone(void *data)
{
	struct prune *p = data;

	if (!--p->left)
		answer(p);
}

/* A volume that another sandbox uses is busy, and stays. */
static void remove_volumes(struct prune *p)
{
	for (size_t i = 0; i < p->n_used; i++) {
		struct err e = { 0 };
		uint64_t key;

		if (state_volume_delete(p->d->state, p->uid, p->used[i], &key, &e) < 0)
			continue;
		p->left++;
		if (home_volume_remove(p->d, key, on_volume_gone, p, &e) < 0)
			p->left--; /* the next oshd sweeps it */
	}
}

static void step(struct prune *p)
{
	if (--p->left)
		return;
	p->left = 1;
	if (p->volumes)
		remove_volumes(p);
	on_volume_gone(p);
}

static void on_gone(void *data, const struct life *l, const char *why)
{
	struct prune *p = data;
	char **more = why ? NULL : reallocarray(p->names, p->n_names + 2, sizeof(*more));

	if (more) {
		p->names = more;
		p->names[p->n_names++] = strdup(l->name);
		p->names[p->n_names] = NULL;
	}
	step(p);
}

static void note_volumes(struct prune *p, const struct state_sandbox *row)
{
	void *more = reallocarray(p->used, p->n_used + row->n_volumes + 1, sizeof(*p->used));

	if (!more)
		return;
	p->used = more;
	for (size_t i = 0; i < row->n_volumes; i++)
		memcpy(p->used[p->n_used++], row->volumes[i].name, OSH_SANDBOX_NAME);
}

static int prune_one(void *data, const struct state_sandbox *row)
{
	struct prune *p = data;
	struct life *l = row->uid == p->uid ? life_find(p->d, row->name) : NULL;
	struct err e = { 0 };

	if (!l || (l->state != LIFE_STOPPED && l->state != LIFE_ENDING) || !bus_labels_match(row, p->labels, p->n_labels))
		return 0;
	p->left++;
	if (life_ask(l, LV_DELETE, on_gone, p, &e) < 0)
		p->left--;
	else
		note_volumes(p, row);
	return 0;
}

int on_prune(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct state_label *labels = NULL;
	struct prune *p = calloc(1, sizeof(*p));
	size_t n = 0;
	int volumes = 0, r = p ? bus_needs_state(who, e) : fail(e, ENOMEM, "out of memory");

	if (!r)
		r = bus_read_labels(m, &labels, &n, e);
	if (!r && sd_bus_message_read(m, "b", &volumes) < 0)
		r = fail(e, EINVAL, "malformed call");
	if (r < 0) {
		bus_labels_free(labels, n);
		free(p);
		return r;
	}
	*p = (struct prune){ .call = sd_bus_message_ref(m),
			     .labels = labels,
			     .n_labels = n,
			     .d = who->d,
			     .uid = who->uid,
			     .volumes = volumes,
			     .left = 1 };
	(void)state_each(who->d->state, prune_one, p, e);
	p->labels = NULL;
	bus_labels_free(labels, n);
	step(p);
	return 0;
}
