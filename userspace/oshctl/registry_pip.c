/* SPDX-License-Identifier: Apache-2.0 */
/* pip: PIP_INDEX_URL and PIP_EXTRA_INDEX_URL, the user's pip.conf, the system's. */
#include <stdio.h>
#include <string.h>

#include "registry.h"

enum { PIP_INDEX, PIP_EXTRA, PIP_KEYS };

static const char *const pip_env[] = { "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL" };
static const char *const pip_keys[] = { "index-url", "extra-index-url" };

struct pip {
	struct registries *r;
	bool said[PIP_KEYS];		/* by a place of higher rank */
	char value[PIP_KEYS][INI_TEXT];	/* what was taken, for the client inside */
};

/* Packages lie beside the index, on a path of its own. */
static void beside_index(struct registries *r)
{
	static const char *const tails[] = { "/simple", "/+simple" };
	struct registry *v = r->v.v;

	for (int t = 0; r->v.n && t < 2; t++) {
		struct registry *last = v + r->v.n - 1;
		size_t n = strlen(last->path), tail = strlen(tails[t]);

		if (n >= tail && !strcmp(last->path + n - tail, tails[t]))
			last->path = arena_text(&r->a, last->path, n - tail);
		last->path = last->path ? last->path : "";
	}
}

static void pip_urls(struct pip *p, int key, const char *text, const char *from, unsigned line)
{
	char copy[INI_TEXT], *save = NULL;
	size_t n;

	if (strlen(text) >= sizeof(copy)) {
		registry_warn(p->r, from, line, "this list of registries is too long; it is not used");
		return;
	}
	strcpy(copy, text);
	for (char *url = strtok_r(copy, " \t", &save); url; url = strtok_r(NULL, " \t", &save)) {
		if (!registry_add(p->r, url, from, line))
			continue;
		beside_index(p->r);
		n = strlen(p->value[key]);
		if (n + strlen(url) + 2 < sizeof(p->value[key]))
			sprintf(p->value[key] + n, "%s%s", n ? " " : "", url);
	}
}

static void pip_file(struct pip *p, const struct client *c, const char *path)
{
	bool before[PIP_KEYS];
	struct ini it;

	memcpy(before, p->said, sizeof(before));
	if (!client_ini(c, path, false, true, &it))
		return;
	while (ini_next(&it)) {
		for (char *ch = it.key; *ch; ch++)
			*ch = *ch == '_' ? '-' : *ch;
		for (int k = 0; k < PIP_KEYS; k++) {
			if (strcmp(it.key, pip_keys[k]) || before[k] ||
			    (strcmp(it.section, "global") && strcmp(it.section, "install")))
				continue;
			p->said[k] = p->said[k] || *it.value;
			pip_urls(p, k, it.value, path, it.line);
		}
	}
}

void registry_pip(struct registries *r, const struct client *c)
{
	struct pip p = { .r = r };

	for (int k = 0; k < PIP_KEYS; k++) {
		const char *text = client_env(c, pip_env[k]);

		p.said[k] = text;
		if (text)
			pip_urls(&p, k, text, pip_env[k], 0);
	}
	pip_file(&p, c, "~/.config/pip/pip.conf");
	pip_file(&p, c, "~/.pip/pip.conf");
	pip_file(&p, c, "/etc/pip.conf");
	for (int k = 0; k < PIP_KEYS; k++)
		if (*p.value[k])
			registry_env(r, pip_env[k], p.value[k]);
	if (p.said[PIP_INDEX])
		return;
	registry_add_default(r, "pypi.org", "");
	registry_add_default(r, "files.pythonhosted.org", "");
}
