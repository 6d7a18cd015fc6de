/* SPDX-License-Identifier: Apache-2.0 */
/* Requests at one place: the methods, paths and queries that the rules there tell apart. */
#include "diff_parts.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define EACH_WORD(var, w) \
	(uint32_t var##_i = 0; var##_i < (w)->cap; var##_i++) if ((w)->v[var##_i])

static const char *encoded(struct arena *a, const char *text)
{
	char *out = arena_zalloc(a, 3 * strlen(text) + 1), *at = out;

	for (; out && *text; text++)
		at += isalnum((unsigned char)*text) || strchr("-._~", *text) ?
			sprintf(at, "%c", *text) : sprintf(at, "%%%02X", (unsigned char)*text);
	return out;
}

/* One value a key, as each matcher wants it. */
static const char *query_of(struct arena *a, const struct l7_rule *rule)
{
	const char *text = "?";

	for EACH (struct query_match, m, &rule->query) {
		const struct pattern *p = m->any.v;
		const char *value = m->any.n && p->alts.n ?
			sample_glob(a, *(char *const *)p->alts.v, "osh-x") : NULL;
		const char *key = encoded(a, m->key);

		value = value ? encoded(a, value) : NULL;
		text = text && key && value ? arena_printf(a, "%s%s=%s&", text, key, value) : NULL;
	}
	return rule->query.n ? text : NULL;
}

static void add_rules(struct arena *a, const struct list *rules, struct words *methods,
		      struct words *paths, struct words *queries)
{
	for EACH (struct l7_rule, rule, rules) {
		if (rule->method && isupper((unsigned char)*rule->method))
			words_add(a, methods, rule->method);
		if (rule->has_path)
			sample_pattern(a, &rule->path, '/', paths);
		words_add(a, queries, query_of(a, rule));
	}
}

void diff_requests(struct compare *c, const struct eval_connect *at)
{
	static const char *const usual[] = { "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE" };
	struct words methods = { 0 }, paths = { 0 }, queries = { 0 };
	struct arena *a = &c->d->a;

	for (int i = 0; i < 7; i++)
		words_add(a, &methods, usual[i]);
	words_add(a, &paths, "/");
	words_add(a, &paths, "/osh-x/y");
	words_add(a, &queries, "");
	for (int i = 0; i < 2; i++)
		for EACH (struct rule, rule, &c->p[i]->rules)
			for EACH (struct endpoint, e, &rule->endpoints) {
				if (!endpoint_inspected(e) || !diff_covers(e, at))
					continue;
				if (e->l7.weight)
					sample_pattern(a, &e->l7.path, '/', &paths);
				add_rules(a, &e->l7.rules, &methods, &paths, &queries);
				add_rules(a, &e->l7.deny, &methods, &paths, &queries);
			}
	for EACH_WORD(m, &methods)
		for EACH_WORD(p, &paths)
			for EACH_WORD(q, &queries) {
				const char *path = paths.v[p_i];
				const char *url = *path != '/' || strpbrk(path, " \t?#\"") ? NULL :
					arena_printf(a, strchr(at->host, ':') ? "%s https://[%s]:%u%s%s"
									      : "%s https://%s:%u%s%s",
						     methods.v[m_i], at->host, at->port, path,
						     queries.v[q_i]);

				const char *group = arena_printf(a, "%s %s:%u", methods.v[m_i],
								 at->host, at->port);

				if (url)
					(void)diff_ask_as(c, group, url, at->binary);
			}
}
