/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Denials -> additions that eval has judged. Nothing is proposed because it looks right: the new
 * text is read as a policy, each addition is put to eval as the request that was denied, and what
 * does not answer as it should is left out.
 */
#include "learn.h"

#include <stdlib.h>
#include <string.h>

#include "own.h"
#include "policy.h"

#define FAILURES 64 /* additions that did not do, before the rest is left */
#define ROUNDS   8

static const struct {
	const char *id, *text;
} whys[] = {
	{ "PROPOSED", "proposed" },
#define WHY(id, text) { #id, text },
#include "learn.def"
#undef WHY
};

static const char *const kinds[] = {
	"dns", "connect", "request", "read", "write", "exec", "other"
};

const char *learn_why_id(enum learn_why why)
{
	return whys[why].id;
}

const char *learn_why_text(enum learn_why why)
{
	return whys[why].text;
}

const char *learn_kind_text(enum learn_kind kind)
{
	return kinds[kind];
}

/* Only a path that is its own canonical form is what a rule would be matched against. */
static bool request_question(const struct learn_item *it, struct ask *ret)
{
	size_t n = strlen(it->path);

	ret->method = it->method;
	if (n >= sizeof(ret->text))
		return false;
	memcpy(ret->text, it->path, n + 1);
	return ask_target(ret, ret->text, NULL) == 0 && ret->bad_path == CANON_OK &&
	       !ret->n_query && !strcmp(ret->canonical, it->path);
}

bool learn_question(const struct learn *l, const struct learn_item *it, struct ask *ret)
{
	static const enum ask_kind as[] = { ASK_DNS,  ASK_CONNECT, ASK_REQUEST,
					    ASK_FILE, ASK_FILE,    ASK_EXEC };

	if (it->kind == LEARN_OTHER)
		return false;
	*ret = (struct ask){ .kind = as[it->kind],
			     .workdir = l->workdir,
			     .write = it->kind == LEARN_WRITE };
	ret->connect = (struct eval_connect){ .host = it->host,
					      .port = it->port,
					      .binary = *it->binary ? it->binary : NULL };
	ret->path = it->path;
	return it->kind != LEARN_REQUEST || request_question(it, ret);
}

static struct decision judge_by(const struct learn *l, const struct policy *p,
				const struct learn_item *it)
{
	static struct ask q;
	struct decision d = { .why = OSH_WHY_INTERNAL };

	return learn_question(l, it, &q) ? ask_eval(p, &q) : d;
}

/* A deny rule wins whatever is added. */
static enum learn_why denied_for_good(const struct learn_item *it, const struct decision *d)
{
	if (d->why == OSH_WHY_REQUEST_DENIED)
		return LEARN_DENY_RULE;
	if (d->rule && !strcmp(d->rule, "filesystem_policy.deny"))
		return LEARN_RESERVED;
	return it->kind == LEARN_EXEC && d->why == OSH_WHY_EXEC_TREE ? LEARN_NOT_A_RULE
								     : LEARN_PROPOSED;
}

static void judge(struct learn *l, struct learn_item *it)
{
	enum learn_why text = learn_guard_text(l, it), good;
	struct decision d;

	if (text && !it->why)
		it->why = text;
	if (text || it->kind == LEARN_OTHER || (it->why && it->why != LEARN_DENY_RULE))
		return;
	d = judge_by(l, l->p, it);
	it->allowed = d.verdict == OSH_ALLOW;
	good = denied_for_good(it, &d);
	if (it->allowed)
		it->why = LEARN_PROPOSED;
	else if (good)
		it->why = good, it->line = d.line;
	else if (!it->why)
		it->why = learn_guard(l, it, &it->line);
}

static int by_place(const void *pa, const void *pb)
{
	const struct learn_item *a = *(struct learn_item *const *)pa,
				*b = *(struct learn_item *const *)pb;
	int net = (a->kind > LEARN_REQUEST) - (b->kind > LEARN_REQUEST), order;

	if (net || (order = strcmp(a->binary, b->binary)) || (order = strcmp(a->host, b->host)))
		return net ? net : order;
	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	order = strcmp(a->path, b->path);
	if (!order)
		order = strcmp(a->method, b->method);
	return order ? order : (a->why > b->why) - (a->why < b->why);
}

static bool proposed(const struct learn_item *it)
{
	return !it->why && !it->allowed;
}

/* A name that is connected to has its port on record: nothing is taken for granted then. */
static void cover_names(struct learn *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		for (uint32_t k = 0; k < l->n && proposed(l->items[i]) &&
				     l->items[i]->kind == LEARN_DNS && !l->items[i]->covered;
		     k++)
			l->items[i]->covered = proposed(l->items[k]) &&
					       l->items[k]->kind != LEARN_DNS &&
					       l->items[k]->kind <= LEARN_REQUEST &&
					       !strcmp(l->items[k]->host, l->items[i]->host);
}

/* Rules are sorted by name: all that were there are still there, and what else there is was learnt.
 */
static bool only_more(const struct policy *was, const struct policy *is)
{
	const struct rule *a = was->rules.v, *b = is->rules.v;
	uint32_t at = 0;

	for (uint32_t i = 0; i < is->rules.n; i++) {
		if (at < was->rules.n && !strcmp(a[at].name, b[i].name) &&
		    a[at].endpoints.n == b[i].endpoints.n && a[at].programs.n == b[i].programs.n)
			at++;
		else if (strncmp(b[i].name, "learnt_", 7) || b[i].any_program)
			return false;
	}
	return at == was->rules.n && is->asserts.n == was->asserts.n &&
	       is->unkept.n <= was->unkept.n;
}

static bool answers(const struct learn *l, const struct policy *is)
{
	uint32_t files = 0;

	for (uint32_t i = 0; i < l->n; i++) {
		struct learn_item *it = l->items[i], connect = *it;

		if (!it->chosen)
			continue;
		files += it->kind == LEARN_READ || it->kind == LEARN_WRITE;
		if (judge_by(l, is, it).verdict != OSH_ALLOW)
			return false;
		connect.kind = LEARN_CONNECT;
		if (it->kind == LEARN_DNS && !it->covered &&
		    judge_by(l, is, &connect).verdict != OSH_ALLOW)
			return false;
	}
	return is->fs.n == l->p->fs.n + files;
}

/* Builds the text with what is chosen. 0: *is says what it should; -EINVAL with *e empty: it does
 * not. */
static int build(struct learn *l, struct policy *is, enum learn_why *ret_why, struct err *e)
{
	struct diags d = { 0 };
	int r;

	*is = (struct policy){ 0 };
	l->made.n = 0;
	buf_put(&l->made, l->text.p, l->text.n);
	r = learn_write(l, e);
	if (r < 0)
		return r;
	*ret_why = LEARN_CONTRADICTS;
	r = policy_read(is, (struct slice){ l->made.p, l->made.n }, &d);
	diags_done(&d);
	if (r == 0 && !only_more(l->p, is))
		r = -EINVAL;
	if (r == 0 && !answers(l, is)) {
		*ret_why = LEARN_UNPROVED;
		r = -EINVAL;
	}
	return r;
}

static int try_build(struct learn *l, enum learn_why *ret_why, struct err *e)
{
	struct policy is;
	int r = build(l, &is, ret_why, e);

	policy_done(&is);
	return r;
}

static void choose(struct learn_item *const *it, uint32_t n, bool yes)
{
	for (uint32_t i = 0; i < n; i++)
		it[i]->chosen = yes;
}

/* As many as do: what fails together is tried in halves. Only a place in the text that is not found
 * is an error. */
static int settle(struct learn *l, struct learn_item *const *it, uint32_t n, unsigned *failures,
		  struct err *e)
{
	enum learn_why why = LEARN_MANY;
	int r = *failures < FAILURES ? 0 : -EINVAL;

	if (!n)
		return 0;
	choose(it, n, true);
	if (r == 0)
		r = try_build(l, &why, e);
	if (r == 0 || e->code)
		return r;
	choose(it, n, false);
	if (n > 1 && why != LEARN_MANY) {
		r = settle(l, it, n / 2, failures, e);
		return r < 0 ? r : settle(l, it + n / 2, n - n / 2, failures, e);
	}
	for (uint32_t i = 0; i < n; i++)
		it[i]->why = why;
	++*failures;
	return 0;
}

static int settle_all(struct learn *l, struct err *e)
{
	struct learn_item **wanted = calloc(l->n + 1, sizeof(*wanted));
	unsigned failures = 0;
	uint32_t n = 0;
	int r;

	if (!wanted)
		return fail(e, ENOMEM, "out of memory");
	for (uint32_t i = 0; i < l->n; i++)
		if (proposed(l->items[i]))
			wanted[n++] = l->items[i];
	r = settle(l, wanted, n, &failures, e);
	free(wanted);
	return r;
}

/* Takes back every addition for a host or path of which something must stay denied. */
static void take_back(struct learn *l, const struct learn_item *because)
{
	for (uint32_t i = 0; i < l->n; i++) {
		struct learn_item *it = l->items[i];

		if (!it->chosen || strcmp(it->host, because->host) ||
		    (!*because->host && strcmp(it->path, because->path)))
			continue;
		it->chosen = false;
		it->why = LEARN_WIDENS;
	}
}

/* Is it no harm that an addition allows it, too? One that is looked into is less than its requests;
 * others were to be allowed. */
static bool harmless(const struct learn_item *it)
{
	return it->why == LEARN_INSPECTED ||
	       (it->kind == LEARN_DNS && it->why == LEARN_NO_PROGRAM) ||
	       it->why == LEARN_CONTRADICTS || it->why == LEARN_UNPROVED || it->why == LEARN_MANY;
}

/* A name is answered whoever asks; that it was left out for its program is about the connection,
 * which has rules of its own. */
static bool about_program(const struct learn_item *it)
{
	return it->kind == LEARN_DNS &&
	       (it->why == LEARN_PROGRAM_WRITABLE || it->why == LEARN_PROGRAM_UNLISTED ||
		it->why == LEARN_PATTERN);
}

/* What was left out is still denied. True: something had to be taken back. */
static bool hold_left_out(struct learn *l, const struct policy *is)
{
	bool changed = false;

	for (uint32_t i = 0; i < l->n; i++) {
		struct learn_item *it = l->items[i];

		if (!it->why || it->chosen || about_program(it) || learn_guard_text(l, it) ||
		    judge_by(l, is, it).verdict != OSH_ALLOW ||
		    judge_by(l, l->p, it).verdict == OSH_ALLOW)
			continue;
		if (harmless(it)) {
			it->why = LEARN_PROPOSED;
			it->covered = true;
			continue;
		}
		take_back(l, it);
		changed = true;
	}
	return changed;
}

int learn_all(struct learn *l, struct err *e)
{
	bool changed = true;
	int r;

	*e = (struct err){ 0 };
	l->made.limit = OSH_POLICY_BYTES;
	learn_count_names(l);
	for (uint32_t i = 0; i < l->n; i++)
		judge(l, l->items[i]);
	qsort(l->items, l->n, sizeof(*l->items), by_place);
	cover_names(l);
	r = settle_all(l, e);
	for (int round = 0; r == 0 && changed && round < ROUNDS; round++) {
		enum learn_why why;
		struct policy is;

		r = build(l, &is, &why, e);
		changed = r == 0 && hold_left_out(l, &is);
		policy_done(&is);
	}
	if ((r < 0 || changed) && !e->code)
		return fail(e, EINVAL,
			    "the additions do not say what they should: this is a bug of osh");
	return r;
}

void learn_done(struct learn *l)
{
	buf_done(&l->made);
	buf_done(&l->added);
	arena_done(&l->a);
}
