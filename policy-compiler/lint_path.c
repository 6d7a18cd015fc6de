/* SPDX-License-Identifier: Apache-2.0 */
/* Globs that stop where one does not expect it: `*` at '/' in paths, at '.' in queries and tool names. */
#include <string.h>

#include "lint_parts.h"
#include "own.h"

/* APIs that name a repository by two segments. `words`: what may follow OWNER/REPO, never a REPO. */
static const struct {
	const char *host, *prefix, *words;
	bool bare;			/* PREFIX* with nothing after it is no request either */
} apis[] = {
	{ "api.github.com", "/repos/",
	  " actions assignees branches collaborators comments commits contents deployments events forks git hooks "
	  "issues labels merges milestones pulls readme releases statuses tags topics ",
	  true },
	{ "github.com", "/",
	  " info git-upload-pack git-receive-pack issues pull pulls releases archive raw blob tree commits ", false },
	{ "raw.githubusercontent.com", "/", " HEAD main master refs ", false },
	{ "codeload.github.com", "/", " zip tar.gz legacy.zip legacy.tar.gz ", false },
	{ "gitlab.com", "/", " - info git-upload-pack git-receive-pack ", false },
	{ "bitbucket.org", "/", " info git-upload-pack git-receive-pack src ", false },
	{ "api.bitbucket.org", "/2.0/repositories/", " commits issues pullrequests refs src ", false },
	{ "huggingface.co", "/", " blob raw resolve tree ", false },
};

static bool word_in(const char *words, const char *s, size_t n)
{
	for (const char *w = words + 1; *w; w = strchr(w, ' ') + 1)
		if (strcspn(w, " ") == n && !memcmp(w, s, n))
			return true;
	return false;
}

/* Does one `*` stand where OWNER/REPO is meant? */
static bool misses(const char *path, const char *prefix, const char *words, bool bare)
{
	size_t n = strlen(prefix);
	const char *owner = path + n, *next;

	if (strncmp(path, prefix, n) || *owner != '*' || owner[1] == '*')
		return false;
	next = owner + strcspn(owner, "/");
	return *next ? word_in(words, next + 1, strcspn(next + 1, "/")) : bare;
}

static void check_segments(struct lint *l, const struct endpoint *e, const struct l7_rule *rule, bool deny)
{
	const char *const *alt = rule->path.alts.v;

	for (size_t i = 0; i < ARRAY_SIZE(apis); i++) {
		struct host api = { .kind = HOST_NAME, .text = apis[i].host };

		if (!host_holds(&e->host, &api))
			continue;
		for (uint32_t k = 0; k < rule->path.alts.n; k++) {
			if (!misses(alt[k], apis[i].prefix, apis[i].words, apis[i].bare))
				continue;
			diag_add(l->d, DIAG_SEGMENT, rule->at,
				 arena_printf(&l->p->arena, "write %s*/%.100s", apis[i].prefix,
					      alt[k] + strlen(apis[i].prefix)),
				 "'%.100s' %s: '*' is one segment, and %s names a repository by two, OWNER/REPO",
				 alt[k], deny ? "denies nothing" : "allows nothing", apis[i].host);
			return;
		}
	}
}

void lint_segments(struct lint *l)
{
	for (uint32_t i = 0; i < l->n_refs; i++) {
		const struct endpoint *e = l->refs[i].e;

		for EACH (struct l7_rule, allow, &e->l7.rules)
			if (allow->has_path)
				check_segments(l, e, allow, false);
		for EACH (struct l7_rule, deny, &e->l7.deny)
			if (deny->has_path)
				check_segments(l, e, deny, true);
	}
}

static void check_dots(struct lint *l, struct place at, const char *what, const struct list *patterns,
		       const char *effect)
{
	for EACH (struct pattern, p, patterns)
		if (lone_star(p->text))
			diag_add(l->d, DIAG_DOTS, at, "'**' crosses dots",
				 "'*' in %s '%.60s' stops at a '.': %s", what, p->text, effect);
}

/* In deny rules a query's `*` does cross dots; a tool's does not, and such a deny rule has a hole. */
void lint_dots(struct lint *l)
{
	for (uint32_t i = 0; i < l->n_refs; i++) {
		for EACH (struct l7_rule, allow, &l->refs[i].e->l7.rules)
			for EACH (struct query_match, q, &allow->query)
				check_dots(l, q->at, "query value", &q->any, "v1.* does not allow v1.2.3");
		for EACH (struct l7_rule, deny, &l->refs[i].e->l7.deny)
			check_dots(l, deny->at, "tool", &deny->tools, "a tool with more dots is not denied");
	}
}
