/* SPDX-License-Identifier: Apache-2.0 */
#include "profile.h"

#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "embed.h"

static int no_such(const char *type, struct err *e)
{
	struct buf b = { 0 };
	int r;

	for (size_t i = 0; embed_profile_name(i); i++)
		buf_printf(&b, "%s%s", i ? ", " : "", embed_profile_name(i));
	r = fail(e, ENOENT, "no type of provider is called '%.60s'; there are %.*s", type, (int)b.n, b.p ? b.p : "");
	buf_done(&b);
	return r;
}

static void texts(json_t *json, const char *key, const char *ret[PROFILE_LIST + 1])
{
	json_t *list = json_object_get(json, key);

	for (size_t i = 0; i < json_array_size(list) && i < PROFILE_LIST; i++)
		ret[i] = json_string_value(json_array_get(list, i));
}

int profile_open(struct profile *p, const char *type, struct err *e)
{
	struct slice text = embed_profile(type);
	json_error_t why;

	*p = (struct profile){ .type = type };
	if (!text.n)
		return no_such(type, e);
	p->json = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &why);
	p->record = json_object_get(p->json, "record");
	if (!json_is_object(p->record)) {
		profile_done(p);
		return fail(e, EINVAL, "profile '%s': %s", type, why.text);
	}
	p->secret = json_object_get(p->json, "secret");
	p->description = json_string_value(json_object_get(p->json, "description"));
	texts(p->json, "agents", p->agents);
	texts(p->json, "variables", p->variables);
	texts(p->json, "binaries", p->binaries);
	return 0;
}

bool profile_is_for(const char *type, const char *agent)
{
	struct slice text = embed_profile(type);
	struct profile p;
	bool found = false;

	if (!*agent || !memmem(text.p, text.n, agent, strlen(agent)) || profile_open(&p, type, &(struct err){ 0 }) < 0)
		return false;
	for (size_t i = 0; p.agents[i] && !found; i++)
		found = !strcmp(p.agents[i], agent);
	profile_done(&p);
	return found;
}

void profile_done(struct profile *p)
{
	json_decref(p->json);
	*p = (struct profile){ 0 };
}
