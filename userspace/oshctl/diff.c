/* SPDX-License-Identifier: Apache-2.0 */
#include "diff_parts.h"

#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "buf.h"
#include "host.h"

#define BUDGET (100ull << 20)		/* some seconds; the confined process has ten */
#define FOUND_MAX 1000
#define RANDOM_QUESTIONS 4000

#define EACH_WORD(var, w) \
	(uint32_t var##_i = 0; var##_i < (w)->cap; var##_i++) if ((w)->v[var##_i])

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static void keep(struct compare *c, bool allowed, const struct decision *by, const char *group,
		 const char *request, const char *binary)
{
	struct diff *d = c->d;
	uint32_t seen = c->seen.n;
	struct difference *one = d->found.v;

	words_add(&d->a, &c->seen, binary ? arena_printf(&d->a, "%s %s", request, binary) : request);
	if (c->seen.n == seen && !c->seen.full)
		return;
	for (uint32_t i = 0; i < d->found.n; i++)
		if (one[i].allowed == allowed && one[i].line == by->line &&
		    same_text(one[i].rule, by->rule) && !strcmp(one[i].group, group)) {
			one[i].more++;
			return;
		}
	one = d->found.n < FOUND_MAX ? list_push(&d->a, &d->found, sizeof(*one)) : NULL;
	if (!one) {
		d->incomplete = true;
		return;
	}
	*one = (struct difference){ allowed, by->rule, by->line, request, binary, 0, group };
}

unsigned diff_ask(struct compare *c, const char *group, const char *request)
{
	return diff_ask_as(c, group, request, NULL);
}

unsigned diff_ask_as(struct compare *c, const char *group, const char *request, const char *binary)
{
	static struct ask q;
	struct decision was, is;

	if (!group || !request || c->budget < c->cost ||
	    ask_parse(&q, request, binary, c->workdir, NULL) < 0) {
		c->d->incomplete = true;
		return 0;
	}
	c->budget -= c->cost;
	was = ask_eval(c->p[0], &q);
	is = ask_eval(c->p[1], &q);
	if ((was.verdict == OSH_ALLOW) != (is.verdict == OSH_ALLOW))
		keep(c, is.verdict == OSH_ALLOW, is.verdict == OSH_ALLOW ? &is : &was, group, request,
		     binary);
	return (was.verdict == OSH_ALLOW ? BY_OLD : 0) | (is.verdict == OSH_ALLOW ? BY_NEW : 0);
}

const char *diff_word(struct compare *c, const char *text)
{
	if (!strpbrk(text, " \t\""))
		return text;
	if (strchr(text, '"'))
		return NULL;
	return arena_printf(&c->d->a, "\"%s\"", text);
}

bool diff_covers(const struct endpoint *e, const struct eval_connect *what)
{
	struct rule rule = { .name = "", .any_program = true, .endpoints = { (void *)e, 1 } };
	const struct policy one = { .rules = { &rule, 1 } };

	return eval_connect(&one, what).verdict == OSH_ALLOW;
}

static void ask_addresses(struct compare *c, const char *group, const char *request)
{
	for EACH_WORD(addr, &c->addrs) {
		const char *text = c->addrs.v[addr_i];

		(void)diff_ask(c, arena_printf(&c->d->a, "%s at %s", group, text),
			       arena_printf(&c->d->a, "%s at %s", request, text));
	}
}

/*
 * One program at one place: bare, then with what may differ although both let it connect. A program
 * that a rule lists by name is a difference of its own, others are counted.
 */
static void ask_connect(struct compare *c, const char *host, uint32_t port, const char *program,
			bool listed)
{
	struct eval_connect at = { .host = host, .port = port, .binary = program };
	const char *word = program ? diff_word(c, program) : "";
	const char *group = arena_printf(&c->d->a, "%s:%u %s", host, port, listed && program ? program : "");
	const char *request = !word ? NULL :
		arena_printf(&c->d->a, strchr(host, ':') ? "connect %s%s[%s]:%u" : "connect %s%s%s:%u",
			     word, program ? " " : "", host, port);
	struct net addr;

	if (diff_ask(c, group, request) != BY_BOTH)
		return;
	if (program)
		(void)diff_ask(c, arena_printf(&c->d->a, "%s tainted", group),
			       arena_printf(&c->d->a, "%s tainted", request));
	if (!net_parse(host, &addr))
		ask_addresses(c, group, request);
	if (eval_inspects(c->p[0], &at) || eval_inspects(c->p[1], &at))
		diff_requests(c, &at);
}

static void ask_place(struct compare *c, const struct rule *rule, const char *host, uint32_t port)
{
	struct words mine = { 0 };
	bool wide = rule->any_program;

	for EACH (struct program, prog, &rule->programs)
		wide = wide || prog->glob || prog->inherit;
	sample_programs(&c->d->a, &rule->programs, &mine);
	if (rule->any_program) {
		ask_connect(c, host, port, NULL, false);
		words_add(&c->d->a, &mine, "/osh-x");
	}
	for EACH_WORD(prog, &mine)
		ask_connect(c, host, port, mine.v[prog_i], !wide);
	for EACH_WORD(other, wide ? &c->programs : &(struct words){ 0 })
		ask_connect(c, host, port, c->programs.v[other_i], false);
}

static void ask_endpoint(struct compare *c, const struct rule *rule, const struct endpoint *e)
{
	struct words mine = { 0 };

	sample_host(&c->d->a, &e->host, &mine);
	for EACH_WORD(host, e->host.kind == HOST_NAME ? &(struct words){ 0 } : &c->hosts) {
		const struct eval_connect at = { .host = c->hosts.v[host_i], .port = e->ports[0] };

		if (diff_covers(e, &at))
			words_add(&c->d->a, &mine, at.host);
	}
	for EACH_WORD(name, &mine) {
		const char *word = diff_word(c, mine.v[name_i]);
		const char *request = word ? arena_printf(&c->d->a, "dns %s", word) : NULL;
		struct net addr;

		if (!net_parse(mine.v[name_i], &addr))
			(void)diff_ask(c, request, request);
		for (uint32_t i = 0; i < e->n_ports; i++)
			ask_place(c, rule, mine.v[name_i], e->ports[i]);
	}
}

/* All that a plain rule means, as text; NULL = it has more to it. The control byte is in no value. */
static const char *plain_rule(struct compare *c, const struct rule *rule)
{
	struct buf b = { 0 };
	const char *text;
	char net[64];

	buf_printf(&b, "%d%d", rule->any_program, rule->taint_ok);
	for EACH (struct program, prog, &rule->programs) {
		b.bad = b.bad || prog->sha256 || prog->inherit;
		buf_printf(&b, "\001%d%s", prog->glob, prog->path);
	}
	for EACH (struct endpoint, e, &rule->endpoints) {
		b.bad = b.bad || endpoint_inspected(e) || e->host.kind == HOST_GLOB;
		net_text(&e->host.net, net);
		buf_printf(&b, "\002%d%s\001%s\001%d%d", e->host.kind, e->host.text, net, e->protocol,
			   e->tls_skip);
		for (uint32_t i = 0; i < e->n_ports; i++)
			buf_printf(&b, "\001%u", e->ports[i]);
		for (uint32_t i = 0; i < e->n_allowed; i++) {
			net_text(&e->allowed[i], net);
			buf_printf(&b, "\001%s", net);
		}
	}
	text = buf_ok(&b) ? arena_text(&c->d->a, b.p, b.n) : NULL;
	buf_done(&b);
	return text;
}

/* What a plain rule allows is allowed wherever the rule is: one that both have makes no difference. */
static void ask_rules(struct compare *c, const struct policy *p, const struct policy *other)
{
	struct words theirs = { 0 };

	for EACH (struct rule, r, &other->rules)
		words_add(&c->d->a, &theirs, plain_rule(c, r));
	for EACH (struct rule, rule, &p->rules) {
		const char *text = plain_rule(c, rule);

		if (text && words_has(&theirs, text))
			continue;
		for EACH (struct endpoint, e, &rule->endpoints)
			ask_endpoint(c, rule, e);
	}
}

static void collect(struct compare *c, const struct policy *p)
{
	struct arena *a = &c->d->a;

	for EACH (struct rule, rule, &p->rules) {
		sample_programs(a, &rule->programs, &c->programs);
		for EACH (struct endpoint, e, &rule->endpoints) {
			sample_host(a, &e->host, &c->hosts);
			for (uint32_t i = 0; i < e->n_allowed; i++)
				sample_net(a, &e->allowed[i], &c->addrs);
			c->cost++;
		}
	}
	sample_programs(a, &p->exec.allow, &c->programs);
	for EACH (struct fs_entry, f, &p->fs) {
		const char *root = *f->path == '/' || !c->workdir ? "" :
				   arena_printf(a, "%s/", c->workdir);

		sample_programs(a, &f->programs, &c->programs);
		c->cost++;
		if (f->mode != OSH_FS_DENY)
			words_add(a, &c->files, f->path);
		for EACH (text_t, alt, &f->glob.alts) {
			const char *text = sample_glob(a, *alt, "osh-x");

			if (text && root)
				words_add(a, &c->files, arena_printf(a, "%s%s", root, text));
		}
	}
}

/* What is below a path, and execution, which follows from reading, are counted with the path itself. */
static void ask_file(struct compare *c, const char *path, const char *root)
{
	static const struct {
		const char *verb, *access, *group;
	} kinds[] = { { "open", " read", "read" }, { "open", " write", "write" }, { "exec", "", "read" } };
	const char *word = diff_word(c, path);

	for (int i = 0; i < 3; i++)
		(void)diff_ask(c, arena_printf(&c->d->a, "%s %s", kinds[i].group, root),
			       !word ? NULL : arena_printf(&c->d->a, "%s %s%s", kinds[i].verb, word,
							   kinds[i].access));
}

static void ask_files(struct compare *c)
{
	if (c->workdir)
		words_add(&c->d->a, &c->files, c->workdir);
	for EACH_WORD(file, &c->files) {
		const char *path = c->files.v[file_i];
		const char *below = arena_printf(&c->d->a, "%s/osh-x", strcmp(path, "/") ? path : "");

		ask_file(c, path, path);
		if (below)
			ask_file(c, below, path);
	}
	for EACH_WORD(program, &c->programs)
		ask_file(c, c->programs.v[program_i], c->programs.v[program_i]);
}

static const char *any_word(const struct words *w, uint32_t r)
{
	for (uint32_t i = 0; i < w->cap; i++)
		if (w->v[(r + i) % w->cap])
			return w->v[(r + i) % w->cap];
	return "osh-x";
}

/* Each name and pattern that one of them lets in. */
static void ask_serves(struct compare *c, const struct policy *p)
{
	for EACH (struct serve, s, &p->serves)
		for EACH (text_t, to, &s->to) {
			const char *name = sample_glob(&c->d->a, *to, "osh-x");
			const char *request = name ? arena_printf(&c->d->a, "serve %u %s", s->port, name) : NULL;

			(void)diff_ask(c, request, request);
		}
}

/* Mixtures that nobody thought of. The same ones every time. */
static void ask_random(struct compare *c)
{
	static const uint32_t ports[] = { 22, 53, 80, 443, 8080, 8443 };
	uint32_t r = 1;

	for (int i = 0; i < RANDOM_QUESTIONS && c->budget > BUDGET / 2; i++) {
		r = r * 1664525 + 1013904223;
		ask_connect(c, any_word(&c->hosts, r >> 8), ports[(r >> 4) % 6],
			    any_word(&c->programs, r >> 12), false);
	}
}

static int by_place(const void *pa, const void *pb)
{
	const struct difference *a = pa, *b = pb;

	if (a->allowed != b->allowed)
		return a->allowed ? -1 : 1;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return strcmp(a->request, b->request);
}

void diff_policies(const struct policy *old, const struct policy *new, const char *workdir,
		   struct diff *ret)
{
	struct compare c = { .p = { old, new }, .d = ret, .workdir = workdir, .budget = BUDGET, .cost = 4 };

	*ret = (struct diff){ 0 };
	words_add(&ret->a, &c.addrs, "9.9.9.9");
	words_add(&ret->a, &c.addrs, "10.9.9.9");
	words_add(&ret->a, &c.addrs, "fd00::9");
	for (int i = 0; i < 2; i++)
		collect(&c, c.p[i]);
	ask_files(&c);
	ask_serves(&c, old);
	ask_serves(&c, new);
	ask_rules(&c, old, new);
	ask_rules(&c, new, old);
	if (c.hosts.n && c.programs.n)
		ask_random(&c);
	diff_settings(&c);
	if (ret->a.bad || c.hosts.full || c.programs.full || c.seen.full || c.files.full)
		ret->incomplete = true;
	if (ret->found.n)
		qsort(ret->found.v, ret->found.n, sizeof(struct difference), by_place);
}

void diff_done(struct diff *d)
{
	arena_done(&d->a);
	*d = (struct diff){ 0 };
}
