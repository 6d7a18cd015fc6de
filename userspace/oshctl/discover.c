/* SPDX-License-Identifier: Apache-2.0 */
#include "discover.h"

#include <stdlib.h>

#include "embed.h"
#include "profile.h"
#include "say.h"

/* The first of them that is set: the order in the file is the agents' own. */
static const char *variable_of(const struct profile *p)
{
	for (size_t i = 0; p->variables[i]; i++) {
		const char *v = getenv(p->variables[i]);

		if (v && *v)
			return p->variables[i];
	}
	return NULL;
}

/* What ps(1) and /proc show of us is the same memory. */
static void forget(const struct profile *p)
{
	for (size_t i = 0; p->variables[i]; i++) {
		char *v = getenv(p->variables[i]);

		if (v)
			explicit_bzero(v, strlen(v));
		unsetenv(p->variables[i]);
	}
}

static void say(const struct profile *p, const char *variable)
{
	json_t *hosts = json_object_get(p->record, "hosts");
	size_t n = json_array_size(hosts);

	say_error("%s stays outside: the sandbox gets a placeholder, and the key goes to %s%s alone "
		  "(--no-providers leaves that out)", variable, json_string_value(json_array_get(hosts, 0)),
		  n > 1 ? " and others of its provider" : "");
}

static int take(struct provider_set *s, const struct profile *p, const char *variable, const char *sandbox, bool adds,
		struct err *e)
{
	const char *value = getenv(variable);
	struct provider_item it = { .name = p->type, .profile = p, .variable = variable,
				    .secret = { value, strlen(value) }, .adds = adds };

	return provider_set_add(s, &it, sandbox, e);
}

/*
 * Two passes: one variable may be several profiles' (a token of GitHub's), and what was forgotten for the first is
 * not there for the second.
 */
int discover(struct provider_set *s, const char *argv0, const char *sandbox, bool adds, struct err *e)
{
	const char *slash = strrchr(argv0, '/'), *agent = slash ? slash + 1 : argv0, *type;
	struct profile p;
	int r = 0;

	for (size_t i = 0; !r && (type = embed_profile_name(i)); i++) {
		const char *variable;

		if (!profile_is_for(type, agent))
			continue;
		r = profile_open(&p, type, e);
		variable = r ? NULL : variable_of(&p);
		if (variable && !provider_set_near(s, &p)) {
			r = take(s, &p, variable, sandbox, adds, e);
			if (!r)
				say(&p, variable);
		}
		profile_done(&p);
	}
	for (size_t i = 0; !r && (type = embed_profile_name(i)); i++)
		if (profile_is_for(type, agent) && profile_open(&p, type, e) == 0) {
			forget(&p);
			profile_done(&p);
		}
	return r;
}
