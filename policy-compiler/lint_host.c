/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts that reach further than they look: wildcards as a channel, plain TLS beside rules. */
#include <string.h>

#include "lint_parts.h"

#define NAME_BYTES 253u
#define LABEL_BYTES 63u

/* What one made-up name can carry to whoever serves the zone. */
static uint32_t name_bytes(const struct host *h)
{
	uint32_t fixed = 0, free;

	for (const char *p = h->kind == HOST_GLOB ? h->glob.text : h->text; *p; p++)
		fixed += *p != '*';
	free = fixed < NAME_BYTES ? NAME_BYTES - fixed : 0;
	return h->kind == HOST_ONE && free > LABEL_BYTES ? LABEL_BYTES : free;
}

void lint_channels(struct lint *l)
{
	uint32_t names = l->p->wildcard_names;

	for (uint32_t i = 0; i < l->n_refs; i++) {
		const struct host *h = &l->refs[i].e->host;
		const char *stars = h->kind == HOST_ONE ? "*" : h->kind == HOST_DEEP ? "**" : "";
		uint32_t bytes = name_bytes(h);

		if ((h->kind != HOST_ONE && h->kind != HOST_DEEP && h->kind != HOST_GLOB) || !names)
			continue;
		diag_add(l->d, DIAG_CHANNEL, l->refs[i].e->at, "list the names, or lower dns.wildcard_names",
			 "names under '%s%.80s' can carry data out: at most %u names of %u bytes, %llu bytes in "
			 "a sandbox's life",
			 stars, h->kind == HOST_GLOB ? h->glob.text : h->text, names, bytes,
			 (unsigned long long)names * bytes);
	}
}

static void say_broad(struct lint *l, struct ref *plain, const struct ref *inspected)
{
	if (plain->told || !ports_meet(plain->e, inspected->e))
		return;
	plain->told = true;
	diag_add(l->d, DIAG_BROAD, plain->e->at, "give both the same protocol and rules",
		 "rule '%.50s' lets its programs reach %.80s uninspected, which rule '%.50s' inspects (line %u)",
		 plain->rule->name, inspected->e->host.text, inspected->rule->name, inspected->e->at.line);
}

/* Whose programs they are does not matter: what one may not say, another may. */
static void broad(struct lint *l, struct ref *self, struct ref *other)
{
	bool a = endpoint_inspected(self->e), b = endpoint_inspected(other->e);

	if (a != b)
		say_broad(l, a ? other : self, a ? self : other);
}

void lint_broad(struct lint *l)
{
	for (uint32_t i = 0; i < l->n_refs; i++)
		lint_wider(l, &l->refs[i], broad);
}
