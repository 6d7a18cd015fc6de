/* SPDX-License-Identifier: Apache-2.0 */
/* Sections of osh's own: resources, gpu, credentials, inference, process.exec. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "own.h"
#include "program.h"
#include "schema.h"

static bool scalar(struct reader *r, const struct node *n)
{
	return want_kind(r, n, NODE_SCALAR);
}

static void bad_amount(struct reader *r, const struct node *n, const char *want)
{
	diag_add(r->d, DIAG_VALUE, n->at, NULL, "'%.40s' is no %s", n->text, want);
}

/* Digits, at most `digits` of them; what follows is in *ret_rest. */
static bool whole(const char *s, size_t digits, uint64_t *ret, const char **ret_rest)
{
	size_t n = strspn(s, "0123456789");

	if (!n || n > digits)
		return false;
	*ret = strtoull(s, NULL, 10);
	*ret_rest = s + n;
	return true;
}

/* "2", "0.5", "250m": thousandths of a processor. */
static void read_cpu(struct reader *r, const struct node *n, void *obj)
{
	struct resources *to = obj;
	uint64_t v, part = 0;
	const char *rest;

	if (!scalar(r, n))
		return;
	if (!whole(n->text, 6, &v, &rest)) {
		bad_amount(r, n, "number of processors such as \"2\", \"0.5\" or \"250m\"");
		return;
	}
	if (!strcmp(rest, "m")) {
		to->cpu_milli = (uint32_t)v;
		rest++;
	} else {
		unsigned unit = 100;

		if (*rest == '.' && rest[1])
			for (rest++; isdigit((unsigned char)*rest) && unit; rest++, unit /= 10)
				part += (unsigned)(*rest - '0') * unit;
		to->cpu_milli = (uint32_t)(v * 1000 + part);
	}
	if (*rest || !to->cpu_milli)
		bad_amount(r, n, "number of processors such as \"2\", \"0.5\" or \"250m\"");
}

static void read_memory(struct reader *r, const struct node *n, void *obj)
{
	static const struct {
		const char *suffix;
		uint64_t unit;
	} units[] = {
		{ "", 1 },	       { "Ki", 1ull << 10 }, { "Mi", 1ull << 20 }, { "Gi", 1ull << 30 },
		{ "Ti", 1ull << 40 },  { "K", 1000 },	     { "M", 1000000 },	   { "G", 1000000000 },
	};
	struct resources *to = obj;
	const char *rest;
	uint64_t v;

	if (!scalar(r, n))
		return;
	if (whole(n->text, 6, &v, &rest) || (whole(n->text, 15, &v, &rest) && !*rest))
		for (size_t i = 0; i < ARRAY_SIZE(units); i++)
			if (!strcmp(rest, units[i].suffix))
				to->memory = v * units[i].unit;
	if (!to->memory)
		bad_amount(r, n, "size such as 4Gi or 512Mi");
}

static void read_pids(struct reader *r, const struct node *n, void *obj)
{
	(void)read_uint(r, n, 1, 4194304, &((struct resources *)obj)->pids);
}

static void read_files(struct reader *r, const struct node *n, void *obj)
{
	(void)read_uint(r, n, 3, 1048576, &((struct resources *)obj)->files);
}

static void read_wall(struct reader *r, const struct node *n, void *obj)
{
	static const char suffixes[] = "smhd";
	static const uint32_t seconds[] = { 1, 60, 3600, 86400 };
	struct resources *to = obj;
	const char *rest, *unit;
	uint64_t v;

	if (!scalar(r, n))
		return;
	if (whole(n->text, 4, &v, &rest) && *rest && !rest[1] && (unit = strchr(suffixes, *rest)))
		to->wall_s = (uint32_t)v * seconds[unit - suffixes];
	if (!to->wall_s)
		bad_amount(r, n, "time such as 2h, 30m or 90s");
}

/* clang-format off */
const struct field resource_fields[] = {
	{ "cpu",    read_cpu,    FIELD_KEPT,   0, "amount",                    "processors: 2, 0.5 or 250m" },
	{ "memory", read_memory, FIELD_KEPT,   0, "amount",                 "bytes: 4Gi, 512Mi" },
	{ "pids",   read_pids,   FIELD_KEPT,   0, "number",                 "tasks" },
	{ "files",  read_files,  FIELD_PARSED, 0, "number",                 "open files of one process" },
	{ "wall",   read_wall,   FIELD_PARSED, 0, "amount",                 "time until the sandbox ends: 2h, 30m, 90s" },
	{ 0 }
};
/* clang-format on */

void read_resources(struct reader *r, const struct node *n, void *obj)
{
	(void)obj;
	r->p->resources.at = n->at;
	(void)read_map(r, n, resource_fields, "resources", &r->p->resources);
}

static void read_gpu_count(struct reader *r, const struct node *n, void *obj)
{
	(void)read_uint(r, n, 0, 64, &((struct gpu *)obj)->count);
}

/* An index may stand without quotes. */
static void read_devices(struct reader *r, const struct node *n, void *obj)
{
	if (!want_kind(r, n, NODE_LIST))
		return;
	for (const struct node *v = n->first; v; v = v->next) {
		const char **slot = scalar(r, v) ? list_push(r->a, &((struct gpu *)obj)->devices,
							     sizeof(*slot)) : NULL;

		if (slot && !*v->text)
			diag_add(r->d, DIAG_VALUE, v->at, NULL, "a device needs a name");
		else if (slot)
			*slot = v->text;
	}
}

static void read_share(struct reader *r, const struct node *n, void *obj)
{
	(void)read_bool(r, n, &((struct gpu *)obj)->share);
}

const struct field gpu_fields[] = {
	{ "count", read_gpu_count, FIELD_PARSED, 0, "number", "any devices" },
	{ "devices", read_devices, FIELD_PARSED, 0, "[name | index]", "these devices: UUID, index or CDI name" },
	{ "share", read_share, FIELD_PARSED, 0, "bool", "others may use them too; default false" },
	{ 0 },
};

void read_gpu(struct reader *r, const struct node *n, void *obj)
{
	(void)obj;
	r->p->gpu.at = n->at;
	if (read_map(r, n, gpu_fields, "gpu", &r->p->gpu) && map_get(n, "count") && map_get(n, "devices"))
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

static void read_route_name(struct reader *r, const struct node *n, void *obj)
{
	(void)read_text(r, n, &((struct route *)obj)->name);
}

static void read_route_provider(struct reader *r, const struct node *n, void *obj)
{
	(void)read_text(r, n, &((struct route *)obj)->provider);
}

static void read_route_model(struct reader *r, const struct node *n, void *obj)
{
	(void)read_text(r, n, &((struct route *)obj)->model);
}

static const struct field route_fields[] = {
	{ "name", read_route_name, FIELD_PARSED, FIELD_REQUIRED, "name", "of the route" },
	{ "provider", read_route_provider, FIELD_PARSED, FIELD_REQUIRED, "name", "provider record" },
	{ "model", read_route_model, FIELD_PARSED, 0, "glob", "models that it serves" },
	{ 0 },
};

static void read_routes(struct reader *r, const struct node *n, void *obj)
{
	(void)obj;
	if (!want_kind(r, n, NODE_LIST))
		return;
	for (const struct node *v = n->first; v; v = v->next) {
		struct route *to, one = { .at = v->at };

		if (!read_map(r, v, route_fields, "route", &one))
			continue;
		for EACH (struct route, o, &r->p->routes)
			if (one.name && o->name && !strcmp(one.name, o->name))
				diag_add(r->d, DIAG_DUPLICATE, v->at, NULL,
					 "route '%.60s' was given before, on line %u", one.name, o->at.line);
		to = list_push(r->a, &r->p->routes, sizeof(*to));
		if (to)
			*to = one;
	}
}

const struct field inference_fields[] = {
	{ "routes", read_routes, FIELD_PARSED, FIELD_REQUIRED, "[{name, provider, model}]", "models", route_fields },
	{ 0 },
};

void read_inference(struct reader *r, const struct node *n, void *obj)
{
	(void)read_map(r, n, inference_fields, "inference", obj);
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
