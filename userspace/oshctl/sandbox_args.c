/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox_args.h"

#include <stdlib.h>
#include <string.h>

#include "manager.h"
#include "manager_call.h"
#include "provider_set.h"
#include "say.h"
#include "verbs.h"

void args_add(struct args *a, char *value)
{
	char **more = reallocarray(a->v, a->n + 2, sizeof(*more));

	if (!more) {
		say_error("out of memory");
		exit(EXIT_REFUSED);
	}
	a->v = more;
	a->v[a->n++] = value;
	a->v[a->n] = NULL;
}

char **args_list(struct args *a)
{
	static char *none[1];

	return a->v ? a->v : none;
}

bool args_pairs(struct args *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i][0] == '=' || !strchr(a->v[i], '=')) {
			say_error("label '%s': want NAME=VALUE", a->v[i]);
			return false;
		}
	return true;
}

void args_done(struct args *a)
{
	free(a->v);
	*a = (struct args){ 0 };
}

int sandbox_add_given(sd_bus_message *m, int creds, int hosts, int ca, int log)
{
	int r = manager_add_fd(m, MANAGER_OPT_CREDS, creds);

	if (r >= 0)
		r = manager_add_fd(m, MANAGER_OPT_HOSTS, hosts);
	if (r >= 0)
		r = manager_add_fd(m, MANAGER_OPT_CA, ca);
	return r < 0 ? r : manager_add_fd(m, MANAGER_OPT_LOG, log);
}

int sandbox_add_stored(sd_bus_message *m, const struct provider_set *s)
{
	int r = s->n_stored ? sd_bus_message_open_container(m, 'e', "sv") : 0;

	if (!s->n_stored)
		return 0;
	if (r >= 0)
		r = sd_bus_message_append(m, "s", MANAGER_OPT_PROVIDERS);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "a(ss)");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(ss)");
	for (uint32_t i = 0; r >= 0 && i < s->n_stored; i++)
		r = sd_bus_message_append(m, "(ss)", s->stored[i].name, s->stored[i].placeholder);
	for (int i = 0; r >= 0 && i < 3; i++)
		r = sd_bus_message_close_container(m);
	return r;
}
