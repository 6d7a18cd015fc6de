/* SPDX-License-Identifier: Apache-2.0 */
/* Sections of osh's own: resources, gpu, credentials, process.exec. */
#include <string.h>

#include "amount.h"
#include "gpu.h"
#include "own.h"
#include "program.h"
#include "schema.h"

static bool scalar(struct reader *r, const struct node *n)
{
	return want_kind(r, n, NODE_SCALAR);
}

static void read_amount(struct reader *r, const struct node *n, void *obj)
{
	struct resources *to = obj;
	enum osh_resource what = 0;
	char why[AMOUNT_WHY];
	uint32_t count;

	while (strcmp(amounts[what].key, n->key->text))	/* its row below has brought us here */
		what++;
	if (amounts[what].kind == COUNT) {
		if (read_uint(r, n, (uint32_t)amounts[what].least, (uint32_t)amounts[what].most, &count))
			to->amount[what] = count;
		return;
	}
	if (scalar(r, n) && !amount_read(what, n->text, &to->amount[what], why))
		diag_add(r->d, DIAG_VALUE, n->at, NULL, "'%.40s' %s", n->text, why);
}

#define TYPE_PROCESSORS "amount"
#define TYPE_BYTES "amount"
#define TYPE_TIME "amount"
#define TYPE_COUNT "number"
const struct field resource_fields[] = {
#define RESOURCE(id, key, kind, least, most, text) { key, read_amount, FIELD_KEPT, 0, TYPE_##kind, text },
#include "osh/resources.def"
#undef RESOURCE
	{ 0 }
};

void read_resources(struct reader *r, const struct node *n, void *obj)
{
	(void)obj;
	r->p->resources.at = n->at;
	(void)read_map(r, n, resource_fields, "resources", &r->p->resources);
}

static void read_gpu_count(struct reader *r, const struct node *n, void *obj)
{
	(void)read_uint(r, n, 0, OSH_GPU_COUNT, &((struct gpu *)obj)->count);
}

/* An index may stand without quotes. */
static void read_devices(struct reader *r, const struct node *n, void *obj)
{
	if (!want_kind(r, n, NODE_LIST))
		return;
	for (const struct node *v = n->first; v; v = v->next) {
		const char **slot = scalar(r, v) ? list_push(r->a, &((struct gpu *)obj)->devices,
							     sizeof(*slot)) : NULL;

		if (slot && !gpu_name_ok(v->text))
			diag_add(r->d, DIAG_VALUE, v->at, "`oshctl gpu list` shows the names",
				 "no name of a device: %.60s", *v->text ? v->text : "(empty)");
		else if (slot)
			*slot = v->text;
	}
}

static void read_share(struct reader *r, const struct node *n, void *obj)
{
	(void)read_bool(r, n, &((struct gpu *)obj)->share);
}

const struct field gpu_fields[] = {
	{ "count", read_gpu_count, FIELD_KEPT, 0, "number", "any devices" },
	{ "devices", read_devices, FIELD_KEPT, 0, "[name | index]", "these devices: UUID, index or CDI name" },
	{ "share", read_share, FIELD_KEPT, 0, "bool", "others may use them too; default false" },
	{ 0 },
};

void read_gpu(struct reader *r, const struct node *n, void *obj)
{
	(void)obj;
	r->p->gpu.at = n->at;
	if (!read_map(r, n, gpu_fields, "gpu", &r->p->gpu))
		return;
	if (r->p->gpu.devices.n > OSH_GPU_NAMES)
		diag_add(r->d, DIAG_LIMIT, n->at, NULL, "more than %d devices are named", OSH_GPU_NAMES);
	if (map_get(n, "count") && map_get(n, "devices"))
		diag_add(r->d, DIAG_EXCLUSIVE, n->at, NULL, "'count' and 'devices' are mutually exclusive");
}

static void read_credential_provider(struct reader *r, const struct node *n, void *obj)
{
	(void)read_text(r, n, &((struct credential *)obj)->provider);
}

const struct field credential_fields[] = {
	{ "provider", read_credential_provider, FIELD_KEPT, FIELD_REQUIRED, "name", "provider record" },
	{ 0 },
};

void read_credentials(struct reader *r, const struct node *n, void *obj)
{
	(void)obj;
	if (!want_kind(r, n, NODE_MAP))
		return;
	for (const struct node *v = n->first; v; v = v->next) {
		struct credential *c, one = { .at = v->key->at, .name = v->key->text };

		if (!read_map(r, v, credential_fields, "credential", &one))
			continue;
		c = list_push(r->a, &r->p->credentials, sizeof(*c));
		if (c)
			*c = one;
	}
}

static void read_exec_mode(struct reader *r, const struct node *n, void *obj)
{
	static const char *const words[] = { [OSH_EXEC_OPEN] = "open", [OSH_EXEC_STRICT] = "strict", NULL };
	struct exec_policy *to = obj;
	unsigned v;

	if (read_word(r, n, words, &v))
		to->mode = (enum osh_b_execmode)v;
}

/* What is entered in the kernel is a file, or a directory with all that is below. */
static bool is_kept(const struct program *p)
{
	size_t n = strlen(p->path);

	return !p->glob || (n > 3 && !strcmp(p->path + n - 3, "/**") && strcspn(p->path, "*?") == n - 2);
}

static void read_exec_allow(struct reader *r, const struct node *n, void *obj)
{
	struct exec_policy *to = obj;

	if (!want_kind(r, n, NODE_LIST))
		return;
	for (const struct node *v = n->first; v; v = v->next)
		program_add(r, &(struct program_in){ .path = v }, &to->allow);
	programs_sort(&to->allow);
	for EACH (struct program, p, &to->allow)
		if (!is_kept(p))
			unkept(r, n->key->at, "a pattern in process.exec.allow that is not DIR/**");
	if (to->allow.n > OSH_LIST_MAX)
		unkept(r, n->key->at, "so many entries of process.exec.allow");
}

const struct field exec_fields[] = {
	{ "mode", read_exec_mode, FIELD_KEPT, 0, "open | strict", "strict: only what `allow` lists runs" },
	{ "allow", read_exec_allow, FIELD_KEPT, 0, "[path | DIR/**]", "programs that may run" },
	{ 0 },
};

void read_exec(struct reader *r, const struct node *n, void *obj)
{
	struct exec_policy *e = &r->p->exec;

	(void)obj;
	e->at = n->at;
	(void)read_map(r, n, exec_fields, "process.exec", e);
	if (e->mode == OSH_EXEC_STRICT && !e->allow.n)
		unkept(r, n->at, "process.exec.mode: strict without `allow`, under which nothing runs");
}
