/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does an addition meet what an entry of `assert` says must never be? Asked more widely than the
 * prover does, which looks at the whole policy: here a doubt is enough to leave the addition out.
 */
#include <string.h>
#include <strings.h>

#include "learn.h"

typedef const char *text_of;

static bool reaches(const struct assertion *as, const struct learn_item *it)
{
	const uint32_t port = it->port;
	struct endpoint e = { .host = as->host, .ports = &port, .n_ports = 1 };
	struct rule rule = { .name = "",
			     .any_program = !as->programs.n,
			     .programs = as->programs,
			     .endpoints = { &e, 1 } };
	const struct policy one = { .rules = { &rule, 1 } };
	const struct eval_connect c = { .host = it->host,
					.port = port,
					.binary = *it->binary ? it->binary : NULL };

	return (!as->port || as->port == port) && eval_connect(&one, &c).verdict == OSH_ALLOW;
}

/* A connection that nobody looks into is every request. */
static bool asks(const struct assertion *as, const struct learn_item *it)
{
	bool met = !as->methods.n;

	if (it->kind != LEARN_REQUEST)
		return true;
	for EACH (text_of, method, &as->methods)
		met = met || !strcmp(*method, "*") || !strcasecmp(*method, it->method) ||
		      (!strcasecmp(*method, "HEAD") &&
		       !strcmp(it->method, "GET")); /* a rule for GET is one for HEAD */
	return met && (!as->path.text || pattern_match(&as->path, it->path, 0));
}

/* May anything be read that the entry speaks of? */
static bool readable(const struct learn *l, const struct assertion *as)
{
	struct arena a = { 0 };
	bool met = false;

	for EACH (struct fs_entry, f, &l->p->fs) {
		const char *tree =
		    f->mode == OSH_FS_DENY ? NULL : arena_printf(&a, "%s/**", f->path);
		struct pattern p = { .text = tree, .alts = { .v = &tree, .n = 1 } };

		met = met || (tree && (pattern_overlaps(&p, &as->read) ||
				       pattern_match(&as->read, f->path, 0)));
	}
	if (l->p->include_workdir && l->workdir) {
		const char *tree = arena_printf(&a, "%s/**", l->workdir);
		struct pattern p = { .text = tree, .alts = { .v = &tree, .n = 1 } };

		met = met || !tree || pattern_overlaps(&p, &as->read);
	}
	arena_done(&a);
	return met;
}

static bool forbids(const struct learn *l, const struct assertion *as, const struct learn_item *it)
{
	bool net = it->kind <= LEARN_REQUEST;

	switch (as->kind) {
	case ASSERT_NEVER:
		return net && reaches(as, it) && asks(as, it);
	case ASSERT_NEVER_REACH:
		return net && reaches(as, it);
	case ASSERT_NEVER_READ_AND_SEND:
		if (!as->read.text)
			return true;
		return net ? reaches(as, it) && readable(l, as)
			   : pattern_match(&as->read, it->path, 0);
	case ASSERT_NEVER_LEAVE:
		return net && reaches(as, it);
	case ASSERT_NEVER_CALL: /* of routes, and none is ever added */
		break;
	}
	return false;
}

uint32_t learn_forbidden(const struct learn *l, const struct learn_item *it)
{
	for EACH (struct assertion, as, &l->p->asserts)
		if (forbids(l, as, it))
			return as->at.line;
	return 0;
}
