/* SPDX-License-Identifier: Apache-2.0 */
#include "witness.h"

#include <ctype.h>
#include <string.h>

#include "host.h"

static enum lang_answer take_params(struct sym *s, Z3_model m, struct witness *w)
{
	struct sym_param **v = s->params->v;
	enum lang_answer r = LANG_FOUND;

	w->n_params = 0;
	for (uint32_t i = 0; i < s->params->n && r == LANG_FOUND; i++) {
		if (!z_value(&s->z, m, v[i]->there))
			continue;
		if (w->n_params == WITNESS_PARAMS)
			return LANG_UNKNOWN;
		w->params[w->n_params].key = v[i]->key;
		r = dim_text(&v[i]->value, m, w->params[w->n_params++].value);
	}
	return r;
}

static enum lang_answer take_texts(struct sym *s, Z3_model m, struct witness *w)
{
	const struct {
		struct dim *d;
		char *to;
	} all[] = {
		{ s->host, w->host },         { s->program, w->program },
		{ s->ancestor, w->ancestor }, { s->digest, w->digest },
		{ s->method, w->method },     { s->path, w->path },
		{ s->op_name, w->op_name },   { s->field, w->field },
		{ s->call, w->call },         { s->tool, w->tool },
		{ s->model, w->model },       { s->reader, w->reader },
		{ s->file, w->file },
	};
	enum lang_answer worst = take_params(s, m, w);

	/* All of them, so that one round learns of all that cannot be. */
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		enum lang_answer r = dim_text(all[i].d, m, all[i].to);

		if (r == LANG_UNKNOWN || worst == LANG_UNKNOWN)
			worst = LANG_UNKNOWN;
		else if (r == LANG_NONE)
			worst = LANG_NONE;
	}
	return worst;
}

static void take_bits(struct sym *s, Z3_model m, struct witness *w)
{
	struct net at;

	w->port = (uint32_t)z_number(&s->z, m, s->port);
	w->nobody = z_value(&s->z, m, s->nobody);
	w->tainted = z_value(&s->z, m, s->tainted);
	w->has_ancestor = z_value(&s->z, m, s->has_ancestor);
	w->has_digest = z_value(&s->z, m, s->has_digest);
	w->graphql = z_value(&s->z, m, s->graphql);
	w->has_field = z_value(&s->z, m, s->has_field);
	w->has_call = z_value(&s->z, m, s->has_call);
	w->has_tool = z_value(&s->z, m, s->has_tool);
	w->stream = z_value(&s->z, m, s->stream);
	w->response = z_value(&s->z, m, s->response);
	w->has_model = z_value(&s->z, m, s->has_model);
	w->anthropic = z_value(&s->z, m, s->anthropic);
	w->op_type = (unsigned)z_number(&s->z, m, s->op_type);
	w->is_addr = z_value(&s->z, m, s->is_addr);
	at = cells_address(s->cells, (uint32_t)z_number(&s->z, m, s->dialled));
	net_text(&at, w->dialled);
	if (w->is_addr)
		net_text(&at, w->host);
}

static enum answer check(struct sym *s, const Z3_ast *facts, unsigned n, struct witness *w)
{
	for (;;) {
		Z3_lbool sat = Z3_solver_check_assumptions(s->z.c, s->z.s, n, facts);
		enum lang_answer r;
		Z3_model m;

		if (sat != Z3_L_TRUE)
			return sat == Z3_L_FALSE ? ANSWER_NO : ANSWER_UNKNOWN;
		m = Z3_solver_get_model(s->z.c, s->z.s);
		Z3_model_inc_ref(s->z.c, m);
		*w = (struct witness){ 0 };
		r = take_texts(s, m, w);
		if (r == LANG_FOUND)
			take_bits(s, m, w);
		Z3_model_dec_ref(s->z.c, m);
		if (r != LANG_NONE)
			return r == LANG_FOUND ? ANSWER_YES : ANSWER_UNKNOWN;
	}
}

/* A name for a formula, since assumptions are literals. */
static Z3_ast named(struct sym *s, Z3_ast fact)
{
	Z3_ast name = z_bool(&s->z, "fact");

	z_assert(&s->z, z_imply(&s->z, name, fact));
	return name;
}

#define FACTS 16

/* What nobody needs to make the point: left away all at once, or else each that can be. */
static Z3_ast plain(struct sym *s, size_t i)
{
	const Z3_ast odd[] = {
		s->nobody,
		s->tainted,
		s->is_addr,
		s->has_ancestor,
		s->has_digest,
		s->graphql,
		s->has_call,
		s->stream,
		s->response,
		s->anthropic,
		s->has_model,
		z_not(&s->z, dim_glob(s->reader, "**/bin/?*", '/')),
		z_not(&s->z, dim_glob(s->program, "**/bin/?*", '/')),
		dim_word(s->method, "HEAD"),
		dim_word(s->method, "WEBSOCKET_TEXT"),
		z_is(&s->z, s->method->id, 0),
	};

	if (i < sizeof(odd) / sizeof(*odd))
		return z_not(&s->z, odd[i]);
	i -= sizeof(odd) / sizeof(*odd);
	return i < s->params->n ? z_not(&s->z, ((struct sym_param **)s->params->v)[i]->there)
				: NULL;
}

static void name_plain(struct sym *s)
{
	struct terms all = { .z = &s->z };

	for (size_t i = 0; i < PLAIN && plain(s, i); i++) {
		s->plain[s->n_plain++] = named(s, plain(s, i));
		terms_add(&all, plain(s, i));
	}
	s->all_plain = named(s, terms_and(&all));
}

static void prefer(struct sym *s, Z3_ast *facts, unsigned n, struct witness *w)
{
	struct witness nicer;

	if (!s->n_plain)
		name_plain(s);
	facts[n] = s->all_plain;
	if (check(s, facts, n + 1, &nicer) == ANSWER_YES) {
		*w = nicer;
		return;
	}
	for (size_t i = 0; i < s->n_plain; i++) {
		facts[n] = s->plain[i];
		if (check(s, facts, n + 1, &nicer) == ANSWER_YES) {
			*w = nicer;
			n++;
		}
	}
}

enum answer sym_can(struct sym *s, const Z3_ast *facts, unsigned n)
{
	Z3_ast names[FACTS];
	struct witness w;

	for (unsigned i = 0; i < n && i < FACTS; i++)
		names[i] = named(s, facts[i]);
	return n > FACTS ? ANSWER_UNKNOWN : check(s, names, n, &w);
}

enum answer sym_ask(struct sym *s, const Z3_ast *facts, unsigned n, struct witness *w)
{
	Z3_ast names[FACTS + PLAIN + 1];
	enum answer r;

	if (n > FACTS)
		return ANSWER_UNKNOWN;
	for (unsigned i = 0; i < n; i++)
		names[i] = named(s, facts[i]);
	r = check(s, names, n, w);
	if (r == ANSWER_YES)
		prefer(s, names, n, w);
	return r;
}

bool witness_runs(struct sym *s, const char *program)
{
	/* Where the policy says nothing of files, the list alone decides: a root that may be read
	 * stands in. */
	static const struct fs_entry root = { .path = "/", .mode = OSH_FS_RO };
	struct policy p = *s->p;

	if (s->no_files)
		p.fs = (struct list){ (void *)&root, 1 };
	return eval_exec(&p, program, s->workdir).verdict == OSH_ALLOW;
}

/* An ancestor that may not run is none. */
static struct eval_connect connect_of(struct sym *s, const struct witness *w, const char **ancestor)
{
	*ancestor = w->ancestor;
	return (struct eval_connect){ .host = w->host,
				      .port = w->port,
				      .binary = w->nobody ? NULL : w->program,
				      .tainted = w->tainted,
				      .ancestors = ancestor,
				      .n_ancestors =
					  w->has_ancestor && witness_runs(s, w->ancestor),
				      .sha256 = w->has_digest ? w->digest : NULL };
}

bool witness_connects(struct sym *s, struct witness *w)
{
	const char *ancestor, *addr = w->dialled;
	struct eval_connect c = connect_of(s, w, &ancestor);
	struct decision d = eval_addr(s->p, &c, &addr, 1);

	w->rule = d.rule;
	w->line = d.line;
	w->inspected = eval_inspects(s->p, &c);
	return d.verdict == OSH_ALLOW && (w->nobody || witness_runs(s, w->program));
}

bool witness_reaches(struct sym *s, const struct witness *w)
{
	const char *ancestor;
	const struct eval_connect c = connect_of(s, w, &ancestor);

	return eval_connect(s->p, &c).verdict == OSH_ALLOW;
}

/* The first route that takes the call; `local`: of those alone. */
static const struct route *route_of(const struct policy *p, const struct witness *w, bool local)
{
	const struct eval_call_of_model call = { .method = w->method, .path = w->path,
						 .model = w->has_model ? w->model : NULL,
						 .anthropic = w->anthropic, .local = local };
	struct arena a = { 0 };
	struct eval_routed to;
	enum osh_reason why = eval_inference(p, &call, &a, &to);

	arena_done(&a);
	return why == OSH_WHY_ALLOWED ? to.route : NULL;
}

static bool forwards(struct sym *s, struct witness *w)
{
	static const char *const types[] = { "query", "mutation", "subscription", "" };
	const char *ancestor, *field = w->field, *values[WITNESS_PARAMS];
	const struct eval_operation op = { .type = types[w->op_type & 3],
					   .name = w->op_name,
					   .fields = &field,
					   .n_fields = w->has_field };
	const struct eval_graphql graphql = { false, &op, 1 };
	bool plain = !w->stream && !w->response;
	const struct eval_call call = { .method = plain ? w->call : NULL,
					.tool = w->has_tool ? w->tool : NULL,
					.response = w->response,
					.stream = w->stream };
	struct eval_param params[WITNESS_PARAMS];
	struct eval_request q = { .connect = connect_of(s, w, &ancestor),
				  .method = w->method,
				  .path = w->path,
				  .query = params,
				  .n_query = w->n_params,
				  .graphql = w->graphql ? &graphql : NULL,
				  .calls = &call,
				  .n_calls = w->has_call };
	struct decision d;

	for (uint32_t i = 0; i < w->n_params; i++) {
		values[i] = w->params[i].value;
		params[i] = (struct eval_param){ w->params[i].key, &values[i], 1 };
	}
	d = eval_request(s->p, &q);
	w->rule = d.rule;
	w->line = d.line;
	if (d.verdict != OSH_ALLOW || !d.inference)
		return d.verdict == OSH_ALLOW || d.audit;
	w->route = route_of(s->p, w, false);
	return w->route != NULL;
}

bool witness_sends(struct sym *s, struct witness *w)
{
	return witness_connects(s, w) && (!w->inspected || forwards(s, w));
}

bool witness_routed(struct sym *s, struct witness *w, const struct route *route)
{
	const struct list *all = &s->p->inference.routes;
	struct policy p = *s->p;

	if (!witness_sends(s, w) || !w->route)
		return false;
	if (!p.inference.fallback) {
		w->kept = w->route != route && sym_keeps_local(&p) && route_of(&p, w, true) == route;
		return w->kept || w->route == route;
	}
	/* Those before it may have failed. */
	p.inference.routes = (struct list){ (void *)(uintptr_t)route,
					    all->n - (uint32_t)(route - (const struct route *)all->v) };
	return route_of(&p, w, false) == route;
}

bool witness_reads(struct sym *s, const struct witness *w)
{
	return witness_runs(s, w->reader) &&
	       (s->no_files ||
		eval_file(s->p, w->file, s->workdir, w->reader, false).verdict == OSH_ALLOW);
}

static void put_place(const struct witness *w, struct buf *b, bool always)
{
	bool six = strchr(w->host, ':') != NULL;

	buf_printf(b, six ? "[%s]" : "%s", w->host);
	if (always || w->port != 443)
		buf_printf(b, ":%u", w->port);
}

/* As one word; `policy explain` reads "several words" in quotes. */
static void put_word(struct buf *b, const char *before, const char *text)
{
	buf_printf(b, !*text || strchr(text, ' ') ? "%s\"%s\"" : "%s%s", before, text);
}

/* A key or a value of a query: what means something else there is escaped. */
static void put_query(struct buf *b, char before, const char *text)
{
	buf_printf(b, "%c", before);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		buf_printf(b, isalnum(c) || strchr("-._~!$'()*,/:;@?[]", c) ? "%c" : "%%%02X", c);
	}
}

static void put_body(const struct witness *w, struct buf *b)
{
	static const char *const types[] = { "query", "mutation", "subscription", "" };

	if (w->graphql) {
		buf_printf(b, " graphql %s", types[w->op_type & 3]);
		put_word(b, " ", w->op_name);
		if (w->has_field)
			put_word(b, " ", w->field);
	} else if (w->has_call && !w->stream && !w->response) {
		put_word(b, " call ", w->call);
		if (w->has_tool)
			put_word(b, " ", w->tool);
	} else if (w->route && (w->has_model || w->anthropic)) {
		buf_printf(b, " model %s%s", w->has_model ? w->model : "-", w->anthropic ? " anthropic" : "");
	}
}

void witness_text(const struct witness *w, struct buf *b)
{
	if (!w->inspected) {
		buf_str(b, "connect ");
		if (!w->nobody) {
			put_word(b, "", w->program);
			buf_str(b, " ");
		}
		put_place(w, b, true);
		if (w->at)
			buf_printf(b, " at %s", w->dialled);
		return;
	}
	buf_printf(b, "%s https://", w->method);
	put_place(w, b, false);
	buf_str(b, w->path);
	for (uint32_t i = 0; i < w->n_params; i++) {
		put_query(b, i ? '&' : '?', w->params[i].key);
		put_query(b, '=', w->params[i].value);
	}
	put_body(w, b);
}
