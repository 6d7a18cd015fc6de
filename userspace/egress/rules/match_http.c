/* SPDX-License-Identifier: Apache-2.0 */
/* Rules about method, path and query: protocols rest and websocket. */
#include <strings.h>

#include "osh/bundle.h"
#include "parts.h"

/* A rule for GET is also one for HEAD, which gives less. */
static bool method_meets(const char *rule, const char *method)
{
	if (rule[0] == '*' && !rule[1])
		return true;
	if (!strcasecmp(rule, method))
		return true;
	return !strcmp(rule, "GET") && !strcasecmp(method, "HEAD");
}

/* In deny rules a subtree includes its root: `/x/` is below `/x/`, so the root is tried with a slash. */
static bool root_of_subtree(const struct bundle *b, struct osh_b_range paths, struct slice path)
{
	char below[PATH_BYTES + 1];

	if (path.n >= sizeof(below))
		return true;
	memcpy(below, path.p, path.n);
	below[path.n] = '/';
	for (uint32_t i = 0; i < paths.n; i++) {
		const char *p = bundle_str(b, b->patterns[paths.first + i]);
		size_t n = strlen(p);

		if (n >= 3 && !strcmp(p + n - 3, "/**") &&
		    text_meets(p, (struct slice){ below, path.n + 1 }, '/'))
			return true;
	}
	return false;
}

static bool path_meets(const struct asked *a, struct osh_b_range paths, bool deny)
{
	return !paths.n || text_meets_one(a->b, paths, a->path, '/') ||
	       (deny && root_of_subtree(a->b, paths, a->path));
}

static bool meets(const struct asked *a, const struct osh_b_match *m, bool deny)
{
	if (!m->method || !method_meets(bundle_str(a->b, m->method), a->method) ||
	    !path_meets(a, m->path, deny))
		return false;
	for (uint32_t i = 0; i < m->query.n; i++)
		if (!params_meet(a->b, &a->b->queries[m->query.first + i], a->query, deny))
			return false;
	return true;
}

const struct osh_b_match *http_denial(const struct asked *a, const struct osh_b_l7 *l7)
{
	const struct osh_b_match *m = a->b->matches + l7->deny.first;

	for (uint32_t i = 0; i < l7->deny.n; i++)
		if (meets(a, &m[i], true))
			return &m[i];
	return NULL;
}

static struct ruling by_rules(const struct asked *a, const struct osh_b_l7 *l7)
{
	const struct osh_b_match *m = a->b->matches + l7->allow.first;

	for (uint32_t i = 0; i < l7->allow.n; i++)
		if (meets(a, &m[i], false))
			return (struct ruling){ OSH_WHY_ALLOWED, m[i].line, false };
	return (struct ruling){ OSH_WHY_REQUEST, 0, false };
}

/* What the presets allow: the first three read; DELETE is in none but full. */
static const char *const methods[] = { "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH" };
static const uint32_t n_methods[] = {
	[OSH_ACCESS_NONE] = 0, [OSH_ACCESS_READ_ONLY] = 3, [OSH_ACCESS_READ_WRITE] = 6, [OSH_ACCESS_FULL] = 0,
};

struct ruling http_ruling(const struct asked *a, const struct osh_b_l7 *l7)
{
	bool ok = l7->access == OSH_ACCESS_FULL;

	for (uint32_t i = 0; !ok && i < n_methods[l7->access]; i++)
		ok = !strcasecmp(methods[i], a->method);
	return ok ? (struct ruling){ OSH_WHY_ALLOWED, l7->access_line, false } : by_rules(a, l7);
}

/* Where a rule is about operations, a client's messages are GraphQL and nothing else. */
struct ruling websocket_ruling(const struct asked *a, const struct osh_b_l7 *l7)
{
	bool text = !strcasecmp(a->method, "WEBSOCKET_TEXT"), ok;

	if (text && (l7->flags & OSH_L7_OPERATIONS))
		return graphql_ruling(a, l7);
	switch ((enum osh_b_access)l7->access) {
	case OSH_ACCESS_FULL:
		ok = true;
		break;
	case OSH_ACCESS_READ_WRITE:
		ok = text || method_meets("GET", a->method);
		break;
	case OSH_ACCESS_READ_ONLY:
		ok = method_meets("GET", a->method);
		break;
	case OSH_ACCESS_NONE:
	default:
		ok = false;
	}
	return ok ? (struct ruling){ OSH_WHY_ALLOWED, l7->access_line, false } : by_rules(a, l7);
}
