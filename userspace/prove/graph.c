/* SPDX-License-Identifier: Apache-2.0 */
#include "graph.h"

#include <stdio.h>
#include <string.h>

struct edge {
	const char *program, *where, *how, *credential;
};

static bool known(const struct prover *pr, const struct edge *e)
{
	for EACH (struct edge, x, &pr->edges)
		if (!strcmp(x->program, e->program) && !strcmp(x->where, e->where) &&
		    !strcmp(x->how, e->how) && !strcmp(x->credential, e->credential))
			return true;
	return false;
}

static void add(struct prover *pr, const struct edge *e)
{
	struct edge *slot = known(pr, e) ? NULL : list_push(pr->a, &pr->edges, sizeof(*slot));

	if (slot)
		*slot = *e;
}

static const char *how(const struct endpoint *e)
{
	return !endpoint_inspected(e) ? "unseen" : e->l7.audit ? "audited" : "by rules";
}

/* Is there a request of this program that goes there, to a host of the credential where there is
 * one? */
static bool goes(struct prover *pr, const struct sym_endpoint *se, Z3_ast who, Z3_ast where)
{
	struct sym *s = pr->s;
	const Z3_ast facts[] = { endpoint_inspected(se->e) ? s->sends : s->dials,
				 endpoint_inspected(se->e) ? z_and(&s->z, se->dial, se->covers)
							   : se->dial,
				 who, where };
	enum answer r = sym_can(s, facts, 4);

	if (r == ANSWER_UNKNOWN)
		find_unknown(pr, "a question met the solver's bound");
	return r != ANSWER_NO;
}

static void from(struct prover *pr, const struct sym_endpoint *se, const char *program, Z3_ast who)
{
	struct sym *s = pr->s;
	const char *own = se->e->l7.credential ? se->e->l7.credential : se->e->l7.binding;
	struct edge e = { program, find_place(pr, se), how(se->e), own ? own : "" };

	if (!goes(pr, se, who, z_true(&s->z)))
		return;
	add(pr, &e);
	for EACH (struct credential_in, c, &pr->credentials) {
		struct terms hosts = { .z = &s->z };

		for EACH (struct host, h, &c->hosts)
			terms_add(&hosts, sym_host(s, h));
		e.credential = c->name;
		if (goes(pr, se, who, terms_or(&hosts)))
			add(pr, &e);
	}
	for EACH (struct sym_route, r, &s->routes)
		if (se->e->l7.inference && goes(pr, se, who, r->takes)) {
			const char *to = arena_printf(pr->a, "%s:%u", r->route->host, r->route->port);

			add(pr, &(struct edge){ program, to, "by a route", r->route->provider ? r->route->provider : "" });
		}
}

void find_graph(struct prover *pr)
{
	struct sym *s = pr->s;
	const struct sym_endpoint *all = s->endpoints.v;

	for (uint32_t i = 0; i < s->endpoints.n; i++) {
		if (!all[i].asked)
			continue;
		if (all[i].rule->any_program)
			from(pr, &all[i], "any program", z_true(&s->z));
		for EACH (struct program, p, &all[i].rule->programs)
			from(pr, &all[i], p->path,
			     z_and(&s->z, z_not(&s->z, s->nobody), sym_is_program(s->program, p)));
	}
}

/* ---- what is drawn ------------------------------------------------------------------------ */

struct names {
	const char **v;
	uint32_t n;
};

static uint32_t number(struct names *of, const char *name)
{
	uint32_t i = 0;

	while (i < of->n && strcmp(of->v[i], name))
		i++;
	if (i == of->n)
		of->v[of->n++] = name;
	return i;
}

struct picture {
	struct names programs, places;
};

static bool gather(const struct prover *pr, struct picture *p)
{
	p->programs.v = arena_zalloc(pr->a, (pr->edges.n + 1) * sizeof(*p->programs.v));
	p->places.v = arena_zalloc(pr->a, (pr->edges.n + 1) * sizeof(*p->places.v));
	if (!p->programs.v || !p->places.v)
		return false;
	for EACH (struct edge, e, &pr->edges) {
		(void)number(&p->programs, e->program);
		(void)number(&p->places, e->where);
	}
	return true;
}

/* Names are a stranger's: nothing but printable ASCII, and none of what the format reads. */
static void put(const char *text, const char *escape)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c > 0x7e)
			putchar('?');
		else if (!strchr(escape, c))
			putchar(c);
		else if (*escape == '"')
			printf("\\%c", c);
		else
			printf("&#%u;", c);
	}
}

#define DOT "\"\\"
#define XML "<>&\"'"

static bool is_found(const struct prover *pr, const char *where)
{
	for EACH (struct finding, f, &pr->found)
		if (f->where && !strcmp(f->where, where))
			return true;
	return false;
}

void graph_dot(const struct prover *pr, const char *file)
{
	struct picture p = { 0 };

	if (!gather(pr, &p))
		return;
	fputs("digraph \"", stdout);
	put(file, DOT);
	puts("\" {\n\trankdir=LR;\n\tnode [shape=box];");
	for (uint32_t i = 0; i < p.programs.n; i++) {
		printf("\tp%u [label=\"", i);
		put(p.programs.v[i], DOT);
		puts("\"];");
	}
	for (uint32_t i = 0; i < p.places.n; i++) {
		printf("\te%u [label=\"", i);
		put(p.places.v[i], DOT);
		printf("\"%s];\n", is_found(pr, p.places.v[i]) ? ", color=red" : "");
	}
	for EACH (struct edge, e, &pr->edges) {
		printf("\tp%u -> e%u [label=\"", number(&p.programs, e->program),
		       number(&p.places, e->where));
		put(e->how, DOT);
		fputs(*e->credential ? ", " : "", stdout);
		put(e->credential, DOT);
		puts("\"];");
	}
	puts("}");
}

enum { BOX = 360, GAP = 320, ROW = 34, HEIGHT = 24, EDGE = 10 };

static unsigned middle(uint32_t row)
{
	return EDGE + row * ROW + HEIGHT / 2;
}

static void box(unsigned x, uint32_t row, const char *text, bool found)
{
	printf("<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" fill=\"%s\" "
	       "stroke=\"%s\"/><text x=\"%u\" y=\"%u\">",
	       x, EDGE + row * ROW, (unsigned)BOX, (unsigned)HEIGHT, "#fff",
	       found ? "#c00" : "#333", x + 6, middle(row) + 4);
	put(text, XML);
	puts("</text>");
}

void graph_svg(const struct prover *pr, const char *file)
{
	struct picture p = { 0 };
	uint32_t rows, n = 0;

	if (!gather(pr, &p))
		return;
	rows = p.programs.n > p.places.n ? p.programs.n : p.places.n;
	printf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" "
	       "font-family=\"monospace\" font-size=\"11\">\n<title>",
	       2 * BOX + GAP + 2 * EDGE, 2 * EDGE + rows * ROW);
	put(file, XML);
	puts("</title>");
	for EACH (struct edge, e, &pr->edges) {
		unsigned from_y = middle(number(&p.programs, e->program)),
			 to_y = middle(number(&p.places, e->where));
		unsigned at =
		    25 +
		    n++ % 3 * 25; /* per cent of the way: labels of neighbours keep apart */

		printf("<line x1=\"%u\" y1=\"%u\" x2=\"%u\" y2=\"%u\" stroke=\"%s\"/><text "
		       "x=\"%u\" y=\"%d\" fill=\"#555\">",
		       EDGE + BOX, from_y, EDGE + BOX + GAP, to_y,
		       *e->credential ? "#06c" : "#999", EDGE + BOX + GAP * at / 100,
		       (int)from_y + ((int)to_y - (int)from_y) * (int)at / 100 - 3);
		put(e->how, XML);
		fputs(*e->credential ? ", " : "", stdout);
		put(e->credential, XML);
		puts("</text>");
	}
	for (uint32_t i = 0; i < p.programs.n; i++)
		box(EDGE, i, p.programs.v[i], false);
	for (uint32_t i = 0; i < p.places.n; i++)
		box(EDGE + BOX + GAP, i, p.places.v[i], is_found(pr, p.places.v[i]));
	puts("</svg>");
}
