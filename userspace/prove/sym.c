/* SPDX-License-Identifier: Apache-2.0 */
#include "sym.h"

static void open_dims(struct sym *s)
{
	dim_open(&s->host, &s->z, "host", LANG_HOST);
	dim_open(&s->program, &s->z, "program", LANG_FILE);
	dim_open(&s->ancestor, &s->z, "ancestor", LANG_FILE);
	dim_open(&s->digest, &s->z, "digest", LANG_TEXT);
	dim_open(&s->method, &s->z, "method", LANG_METHOD);
	dim_open(&s->path, &s->z, "path", LANG_PATH);
	dim_open(&s->op_name, &s->z, "op_name", LANG_TEXT);
	dim_open(&s->field, &s->z, "field", LANG_NAME);
	dim_open(&s->call, &s->z, "call", LANG_NAME);
	dim_open(&s->tool, &s->z, "tool", LANG_NAME);
	dim_open(&s->reader, &s->z, "reader", LANG_FILE);
	dim_open(&s->file, &s->z, "file", LANG_FILE);
}

static void open_bits(struct sym *s)
{
	s->port = z_bits(&s->z, "port", 16);
	s->addr = z_bits(&s->z, "addr", 128);
	s->dialled = z_bits(&s->z, "dialled", 128);
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
	z_assert(&s->z, z_not(&s->z, z_is(&s->z, s->op_type, 3)));
}

/* What a request always has, and what text of the policy is not: the names that a witness is best shown with. */
static void common_words(struct sym *s)
{
	static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" };

	for (unsigned i = 0; i < sizeof(methods) / sizeof(*methods); i++)
		(void)dim_word(&s->method, methods[i]);
	(void)dim_word(&s->op_name, "");
}

void sym_each_dim(struct sym *s, void (*fn)(struct dim *d))
{
	struct dim *const all[] = { &s->host, &s->program, &s->ancestor, &s->digest, &s->method, &s->path,
				    &s->op_name, &s->field, &s->call, &s->tool, &s->reader, &s->file };

	for (unsigned i = 0; i < sizeof(all) / sizeof(*all); i++)
		fn(all[i]);
	for (uint32_t i = 0; i < s->params.n; i++)
		fn(&((struct sym_param **)s->params.v)[i]->value);
}

void sym_open(struct sym *s, struct arena *a, const struct policy *p, const char *workdir,
	      const struct slices *slices, uint32_t slice)
{
	*s = (struct sym){ .p = p, .workdir = workdir, .slices = slices, .slice = slice, .no_files = !p->fs.n && !p->include_workdir };
	zed_open(&s->z, a);
	open_dims(s);
	open_bits(s);
	common_words(s);
	s->runs = z_or(&s->z, s->nobody, sym_exec(s, &s->program));
	s->reads = z_and(&s->z, sym_exec(s, &s->reader),
			 s->no_files ? z_true(&s->z) : sym_file(s, &s->file, &s->reader, false));
	/* Who started it ran, too. */
	z_assert(&s->z, z_imply(&s->z, s->has_ancestor, sym_exec(s, &s->ancestor)));
	sym_connect(s);
	sym_request(s);
	sym_each_dim(s, dim_close);
}

void sym_done(struct sym *s)
{
	sym_each_dim(s, dim_done);
	zed_close(&s->z);
}
