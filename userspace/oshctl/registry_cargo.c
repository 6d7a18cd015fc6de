/* SPDX-License-Identifier: Apache-2.0 */
/* cargo: what replaces crates-io in ~/.cargo/config.toml, and registries with names of their own. */
#include <stdio.h>
#include <string.h>

#include "registry.h"

#define SOURCES 32

struct source {
	char name[128], url[INI_TEXT], next[128];
	unsigned line, next_line;
};

struct cargo {
	struct registries *r;
	struct source v[SOURCES];
	unsigned n;
};

static struct source *source_of(struct cargo *c, const char *name)
{
	for (unsigned i = 0; i < c->n; i++)
		if (!strcmp(c->v[i].name, name))
			return &c->v[i];
	if (c->n == SOURCES || strlen(name) >= sizeof(c->v->name))
		return NULL;
	c->v[c->n] = (struct source){ 0 };
	strcpy(c->v[c->n].name, name);
	return &c->v[c->n++];
}

/* An index that is fetched as files, over https; a git index has hosts of its own that nobody lists. */
static void cargo_url(struct cargo *c, const char *url, const char *path, unsigned line)
{
	struct registry *last;

	if (strncmp(url, "sparse+", 7)) {
		registry_warn(c->r, path, line, "this registry is no sparse+https URL; it is not used");
		return;
	}
	if (!registry_add(c->r, url + 7, path, line))
		return;
	last = (struct registry *)c->r->v.v + c->r->v.n - 1;
	last->path = "";		/* the index says where on the host its files lie */
}

/* "source.NAME.replace-with", whether the section or the key holds the dots. */
static void cargo_line(struct cargo *c, const struct ini *it, const char *path)
{
	char full[260], *key;
	struct source *s;

	snprintf(full, sizeof(full), "%s%s%s", it->section, *it->section ? "." : "", it->key);
	for (char *from = full, *to = full; ; from++)
		if (*from != '"' && !(*to++ = *from))
			break;
	key = strrchr(full, '.');
	if (!key)
		return;
	*key++ = 0;
	if (!strncmp(full, "registries.", 11) && !strcmp(key, "index"))
		cargo_url(c, it->value, path, it->line);
	if (strncmp(full, "source.", 7))
		return;
	s = source_of(c, full + 7);
	if (s && !strcmp(key, "registry")) {
		strcpy(s->url, it->value);
		s->line = it->line;
	} else if (s && !strcmp(key, "replace-with") && strlen(it->value) < sizeof(s->next)) {
		strcpy(s->next, it->value);
		s->next_line = it->line;
	}
}

/* Where crates-io ends up; false = nobody replaces it. */
static bool cargo_replaced(struct cargo *c, const char *path)
{
	struct source *s = source_of(c, "crates-io");

	if (!s || !*s->next)
		return false;
	for (unsigned i = 0; s && *s->next && i < SOURCES; i++)
		s = source_of(c, s->next);
	if (!s || *s->next)
		registry_warn(c->r, path, 0, "the sources replace one another in a circle, or are too many; none is used");
	else if (!*s->url)
		registry_warn(c->r, path, 0, "crates-io is replaced by a source without a registry; none is listed");
	else
		cargo_url(c, s->url, path, s->line);
	return true;
}

void registry_cargo(struct registries *r, const struct client *client)
{
	static const char *const paths[] = { "~/.cargo/config.toml", "~/.cargo/config" };
	static struct cargo c;
	const char **file;
	struct ini it;

	for (int i = 0; i < 2; i++) {
		if (!client_ini(client, paths[i], false, false, &it))
			continue;
		c = (struct cargo){ .r = r };
		while (ini_next(&it))
			cargo_line(&c, &it, paths[i]);
		file = list_push(&r->a, &r->files, sizeof(*file));
		if (file)
			*file = paths[i];	/* what cargo inside has to read as well */
		if (cargo_replaced(&c, paths[i]))
			return;
		break;			/* cargo reads the first of them alone */
	}
	registry_add_default(r, "index.crates.io", "");
	registry_add_default(r, "static.crates.io", "");
}
