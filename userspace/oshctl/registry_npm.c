/* SPDX-License-Identifier: Apache-2.0 */
/* npm: NPM_CONFIG_REGISTRY, .npmrc of the project, ~/.npmrc; one registry and one a scope. */
#include <stdio.h>
#include <string.h>

#include "registry.h"

#define PROJECT "this project's file names a registry, and whoever can write here can change it"

struct npm {
	struct registries *r;
	char scopes[REGISTRIES_MAX][128];
	unsigned n_scopes;
	bool have;			/* the registry of everything that has no scope */
	bool inside;			/* npm in the sandbox reads the same file */
};

static bool new_scope(struct npm *n, const char *key)
{
	for (unsigned i = 0; i < n->n_scopes; i++)
		if (!strcmp(n->scopes[i], key))
			return false;
	if (n->n_scopes == REGISTRIES_MAX)
		return false;
	strcpy(n->scopes[n->n_scopes++], key);
	return true;
}

static void npm_file(struct npm *n, const struct client *c, const char *path, bool project)
{
	struct ini it;

	if (!client_ini(c, path, project, false, &it))
		return;
	while (ini_next(&it)) {
		size_t len = strlen(it.key);
		bool scope = *it.key == '@' && len > 10 && !strcmp(it.key + len - 9, ":registry");
		bool plain = !strcmp(it.key, "registry") && !n->have;

		if (*it.section || (!plain && !(scope && new_scope(n, it.key))))
			continue;
		n->have = n->have || plain;	/* a bad value is no reason to ask another one */
		if (!registry_add(n->r, it.value, path, it.line))
			continue;
		if (project)
			registry_warn(n->r, path, it.line, PROJECT);
		else if (plain)
			registry_env(n->r, "npm_config_registry", it.value);
		else
			registry_warn(n->r, path, it.line, "npm in the sandbox reads registries of scopes from the project's .npmrc alone");
	}
}

void registry_npm(struct registries *r, const struct client *c)
{
	const char *url = client_env(c, "NPM_CONFIG_REGISTRY");
	const char *name = url ? "NPM_CONFIG_REGISTRY" : "npm_config_registry";
	struct npm n = { .r = r };

	url = url ? url : client_env(c, name);
	if (url) {
		n.have = true;
		if (registry_add(r, url, name, 0))
			registry_env(r, "npm_config_registry", url);
	}
	npm_file(&n, c, ".npmrc", true);
	npm_file(&n, c, "~/.npmrc", false);
	if (!n.have)
		registry_add_default(r, "registry.npmjs.org", "");
}
