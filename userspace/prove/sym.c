/* SPDX-License-Identifier: Apache-2.0 */
#include "sym.h"

#include <stdlib.h>

#include "sym_parts.h"

static struct dim *open_dim(struct sym *s, const char *name, enum lang_base base)
{
	struct dim *d = arena_zalloc(s->z.a, sizeof(*d));

	if (!d)
		abort();
	dim_open(d, &s->z, name, base);
	return d;
}

static void open_dims(struct sym *s)
{
	s->host = open_dim(s, "host", LANG_HOST);
	s->program = open_dim(s, "program", LANG_FILE);
	s->ancestor = open_dim(s, "ancestor", LANG_FILE);
	s->digest = open_dim(s, "digest", LANG_TEXT);
	s->method = open_dim(s, "method", LANG_METHOD);
	s->path = open_dim(s, "path", LANG_PATH);
	s->op_name = open_dim(s, "op_name", LANG_TEXT);
	s->field = open_dim(s, "field", LANG_NAME);
	s->call = open_dim(s, "call", LANG_NAME);
	s->tool = open_dim(s, "tool", LANG_NAME);
	s->model = open_dim(s, "model", LANG_MODEL);
	s->reader = open_dim(s, "reader", LANG_FILE);
	s->file = open_dim(s, "file", LANG_FILE);
	s->params = arena_zalloc(s->z.a, sizeof(*s->params));
	if (!s->params)
		abort();
}

static void open_bits(struct sym *s)
{
	unsigned bits = 1;

	s->port = z_bits(&s->z, "port", 16);
	while (s->cells->n_kinds >> bits)
		bits++;
	s->dialled = z_bits(&s->z, "dialled", bits);
	z_assert(&s->z, z_within(&s->z, s->dialled, 0, s->cells->n_kinds));
	s->op_type = z_bits(&s->z, "op_type", 2);
	s->is_addr = z_bool(&s->z, "is_addr");
	s->nobody = z_bool(&s->z, "nobody");
	s->tainted = z_bool(&s->z, "tainted");
	s->has_ancestor = z_bool(&s->z, "has_ancestor");
	s->has_digest = z_bool(&s->z, "has_digest");
	s->graphql = z_bool(&s->z, "graphql");
	s->has_field = z_bool(&s->z, "has_field");
	s->has_call = z_bool(&s->z, "has_call");
	s->has_tool = z_bool(&s->z, "has_tool");
	s->stream = z_bool(&s->z, "stream");
	s->response = z_bool(&s->z, "response");
	s->has_model = z_bool(&s->z, "has_model");
	s->anthropic = z_bool(&s->z, "anthropic");
	z_assert(&s->z, z_not(&s->z, z_is(&s->z, s->op_type, 3)));
}

/* What a request always has, and what text of the policy is not: the names that a witness is best shown with. */
static void common_words(struct sym *s)
{
	static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" };

	for (unsigned i = 0; i < sizeof(methods) / sizeof(*methods); i++)
		(void)dim_word(s->method, methods[i]);
	(void)dim_word(s->op_name, "");
}

void sym_each_dim(struct sym *s, void (*fn)(struct dim *d))
{
	struct dim *const all[] = { s->host, s->program, s->ancestor, s->digest, s->method, s->path,
				    s->op_name, s->field, s->call, s->tool, s->model, s->reader, s->file };

	for (unsigned i = 0; i < sizeof(all) / sizeof(*all); i++)
		fn(all[i]);
	for (uint32_t i = 0; i < s->params->n; i++)
		fn(&((struct sym_param **)s->params->v)[i]->value);
}

/* What one policy says of the attempt. */
static void say(struct sym *s)
{
	s->no_files = !s->p->fs.n && !s->p->include_workdir;
	s->runs = z_or(&s->z, s->nobody, sym_exec(s, s->program));
	s->ran = z_and(&s->z, s->has_ancestor, sym_exec(s, s->ancestor));
	s->reads = z_and(&s->z, sym_exec(s, s->reader),
			 s->no_files ? z_true(&s->z) : sym_file(s, s->file, s->reader, false));
	s->writes = s->no_files ? s->reads : z_and(&s->z, s->reads, sym_file(s, s->file, s->reader, true));
	sym_connect(s);
	sym_request(s);
}

/* plan: NULL for the same policy. */
static struct sym *beside(const struct sym *s, const struct policy *p, const struct sym_plan *plan, bool less)
{
	struct sym *other = arena_zalloc(s->z.a, sizeof(*other));

	if (!other)
		return NULL;
	*other = *s;
	other->p = p;
	other->first = plan ? plan->slices->endpoints : 0;
	if (plan && plan->base_workdir)
		other->workdir = plan->base_workdir;
	other->endpoints = other->routes = (struct list){ 0 };
	if (less && !(other->parts = arena_zalloc(s->z.a, sizeof(*other->parts))))
		return NULL;
	say(other);
	return other;
}

/* Hosts that no endpoint of this model is asked about are another model's: here not all is known of them. */
static void only_asked(struct sym *s)
{
	const struct sym_endpoint *v = s->endpoints.v;
	struct terms here = { .z = &s->z };

	for (uint32_t i = 0; i < s->endpoints.n; i++)
		if (v[i].asked)
			terms_add(&here, v[i].host);
	if (s->endpoints.n && s->slices)
		z_assert(&s->z, terms_or(&here));
}

void sym_open(struct sym *s, struct arena *a, const struct sym_plan *plan)
{
	struct sym *base = NULL, *less = NULL;

	*s = (struct sym){ .p = plan->p, .workdir = plan->workdir, .slices = plan->slices, .slice = plan->slice, .cells = plan->cells,
			   .gone = plan->gone };
	zed_open(&s->z, a);
	open_dims(s);
	open_bits(s);
	common_words(s);
	say(s);
	only_asked(s);
	if (plan->base && !(base = beside(s, plan->base, plan, false)))
		a->bad = true;
	if (plan->less && !(less = beside(s, plan->p, NULL, true)))
		a->bad = true;
	s->base = base;
	s->less = less;
	sym_each_dim(s, dim_close);
}

void sym_done(struct sym *s)
{
	sym_each_dim(s, dim_done);
	if (s->less)
		sym_parts_done(s->less->parts);
	zed_close(&s->z);
}
