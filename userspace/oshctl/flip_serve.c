/* SPDX-License-Identifier: Apache-2.0 */
/* Candidates about `serve`: one name more at a port, or what lets a sandbox in there less. */
#include "flip_parts.h"

#include <string.h>

#include "osh/limits.h"

static struct serve *at_port(struct work *w)
{
	struct serve *s = w->now.serves.v;

	for (uint32_t i = 0; i < w->now.serves.n; i++)
		if (s[i].port == w->q->connect.port)
			return s + i;
	return NULL;
}

/* A whole entry, or names of one that has others besides. */
static const char *names_yaml(struct work *w, bool whole, const char *names)
{
	return arena_printf(w->a, whole ? "serve:\n  - {port: %u, to: [%s]}\n" : "serve:\n  - port: %u\n    to: [%s]\n",
			    w->q->connect.port, names);
}

static bool has_room(const struct policy *p)
{
	uint32_t n = 0;

	for EACH (struct serve, s, &p->serves)
		n += s->to.n;
	return n < OSH_SERVES;
}

/* The name alone: where it has '*' or '?' it is no name, and as a pattern it would let in more. */
bool flip_add_served(struct work *w)
{
	const char *name = w->q->kind == ASK_SERVE ? flip_quote(w->a, w->q->connect.host) : NULL, **slot;
	const struct policy *with = name && !strpbrk(name, "*?") ? flip_read(w, names_yaml(w, true, name)) : NULL;
	struct serve *s = at_port(w);

	if (!with || !with->serves.n || !has_room(&w->now))
		return false;
	w->c = (struct change){ "add", s ? s->at.line : 0, names_yaml(w, !s, name) };
	if (!s) {
		s = list_push(w->a, &w->now.serves, sizeof(*s));
		if (s)
			*s = *(const struct serve *)with->serves.v;
		return s;
	}
	slot = list_push(w->a, &s->to, sizeof(*slot));
	if (slot)
		*slot = w->q->connect.host;
	return slot;
}

bool flip_drop_served(struct work *w)
{
	struct serve *s = w->q->kind == ASK_SERVE ? at_port(w) : NULL;
	const char **to = s ? s->to.v : NULL, *names = "", *one;
	uint32_t n = 0;

	for (uint32_t i = 0; names && s && i < s->to.n; i++) {
		if (!glob_match(to[i], w->q->connect.host)) {
			to[n++] = to[i];
			continue;
		}
		one = flip_quote(w->a, to[i]);
		names = one ? arena_printf(w->a, "%s%s%s", names, *names ? ", " : "", one) : NULL;
	}
	if (!names || !*names)
		return false;
	w->c = (struct change){ "remove", s->at.line, names_yaml(w, !n, names) };
	s->to.n = n;
	if (!n)
		flip_drop(&w->now.serves, sizeof(*s), s);
	return true;
}
