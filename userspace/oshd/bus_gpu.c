/* SPDX-License-Identifier: Apache-2.0 */
/* Gpus: what the machine has, and who holds it. Of other users' sandboxes only that there is one is told. */
#include "gpu.h"
#include "host.h"
#include "methods.h"
#include "own.h"
#include "sandbox.h"

struct row {
	enum host_gpu held;
	const char *nodes[16];
	size_t n_nodes;
	const struct sandbox *holders[8];
	size_t n_holders;
};

static void add_holders(const struct daemon *d, const struct osh_gpu_edit *x, struct row *w)
{
	for (uint32_t i = 0; i < OSH_SLOTS; i++) {
		const struct sandbox *s = d->slots[i];
		size_t k = 0;

		if (!s || s->gpus_back || !kbpf_has_device(d->kernel, &s->k, x->major, x->minor))
			continue;
		while (k < w->n_holders && w->holders[k] != s)
			k++;
		if (k == w->n_holders && k < ARRAY_SIZE(w->holders))
			w->holders[w->n_holders++] = s;
	}
}

static int look(const struct daemon *d, const struct gpu_answer *a, uint32_t device, struct row *w, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; !r && i < a->n_edits; i++) {
		const struct osh_gpu_edit *x = &a->edits[i];
		enum host_gpu held = HOST_GPU_FREE;

		if (x->device != device || x->kind != OSH_GPU_NODE)
			continue;
		if (w->n_nodes < ARRAY_SIZE(w->nodes))
			w->nodes[w->n_nodes++] = x->path;
		if (!(x->flags & OSH_GPU_OWN))
			continue;
		r = host_gpu_held(x->major, x->minor, &held, e);
		if (held > w->held)
			w->held = held;
		add_holders(d, x, w);
	}
	return r;
}

/* "" = free; a name of the caller's own, or that it is somebody else's. */
static int append_holders(const struct caller *who, sd_bus_message *m, const struct row *w)
{
	int r = sd_bus_message_open_container(m, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", "sandboxes");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "as");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "s");
	for (size_t i = 0; r >= 0 && i < w->n_holders; i++)
		r = sd_bus_message_append(m, "s", caller_may(who, w->holders[i]->uid) ? w->holders[i]->name : "(another user's)");
	if (r >= 0 && w->held && !w->n_holders)
		r = sd_bus_message_append(m, "s", "(another oshd's)");
	for (int i = 0; r >= 0 && i < 3; i++)
		r = sd_bus_message_close_container(m);
	return r;
}

static int append_nodes(sd_bus_message *m, const struct row *w)
{
	int r = sd_bus_message_open_container(m, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", "nodes");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "as");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "s");
	for (size_t i = 0; r >= 0 && i < w->n_nodes; i++)
		r = sd_bus_message_append(m, "s", w->nodes[i]);
	for (int i = 0; r >= 0 && i < 3; i++)
		r = sd_bus_message_close_container(m);
	return r;
}

/* The bus takes UTF-8 alone, and a driver's words may be any bytes. */
static const char *plain(char *text)
{
	for (char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return text;
}

static int append_row(const struct caller *who, sd_bus_message *m, struct osh_gpu_device *x, const struct row *w)
{
	static const char *const kinds[] = { "gpu", "part", "cdi" }, *const held[] = { "free", "shared", "exclusive" };
	int r = sd_bus_message_open_container(m, 'a', "{sv}");

	if (r >= 0)
		r = sd_bus_message_append(m, "{sv}{sv}{sv}{sv}{sv}{sv}{sv}", "name", "s", plain(x->name), "kind", "s",
					  kinds[x->kind], "uuid", "s", plain(x->uuid), "model", "s", plain(x->model), "pci", "s",
					  plain(x->pci), "driver", "s", plain(x->driver), "state", "s", held[w->held]);
	if (r >= 0)
		r = append_holders(who, m, w);
	if (r >= 0)
		r = append_nodes(m, w);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_all(const struct caller *who, sd_bus_message *m, const struct gpu_answer *a, struct err *e)
{
	int r = sd_bus_message_open_container(m, 'a', "a{sv}");

	for (uint32_t i = 0; r >= 0 && i < a->n_devices; i++) {
		struct row w = { 0 };

		if (!*a->devices[i].name)
			continue;	/* another specification took its place */
		r = look(who->d, a, i, &w, e);
		if (r >= 0)
			r = append_row(who, m, &a->devices[i], &w);
	}
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_append(m, "s", a->warning);
}

int on_gpus(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct osh_gpu_ask ask = { .magic = OSH_GPU_MAGIC, .list = 1 };
	sd_bus_message *answer = NULL;
	struct gpu_answer a;
	int r = gpu_ask(who->d, &ask, &a, e);

	if (r < 0)
		return r;
	r = sd_bus_message_new_method_return(m, &answer);
	if (r >= 0)
		r = append_all(who, answer, &a, e);
	if (r >= 0)
		r = sd_bus_send(NULL, answer, NULL);
	sd_bus_message_unref(answer);
	gpu_answer_done(&a);
	return r < 0 && !e->text[0] ? fail(e, -r, "answer: %s", strerror(-r)) : r < 0 ? r : 0;
}
