/* SPDX-License-Identifier: Apache-2.0 */
#include "takes.h"

#include <string.h>

#include "amount.h"
#include "manager.h"
#include "own.h"
#include "say.h"

bool takes_option(int opt)
{
	return opt >= TAKES_FIRST && opt < TAKES_FIRST + OSH_RESOURCES;
}

bool takes_read(int opt, const char *text, uint64_t amount[OSH_RESOURCES])
{
	enum osh_resource what = (enum osh_resource)(opt - TAKES_FIRST);
	char why[AMOUNT_WHY], name[32];

	if (amount_read(what, text, &amount[what], why))
		return true;
	snprintf(name, sizeof(name), "%s", amounts[what].key);
	for (char *c = name; (c = strchr(c, '_'));)
		*c = '-';
	say_error("--%s: '%.40s' %s", name, text, why);
	return false;
}

int takes_add(sd_bus_message *m, const uint64_t amount[OSH_RESOURCES])
{
	bool any = false;
	int r;

	for (int i = 0; i < OSH_RESOURCES; i++)
		any |= amount[i] != 0;
	if (!any)
		return 0;
	r = sd_bus_message_open_container(m, 'e', "sv");
	if (r >= 0)
		r = sd_bus_message_append(m, "s", MANAGER_OPT_RESOURCES);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "a{st}");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "{st}");
	for (int i = 0; r >= 0 && i < OSH_RESOURCES; i++)
		if (amount[i])
			r = sd_bus_message_append(m, "{st}", amounts[i].key, amount[i]);
	for (int i = 0; r >= 0 && i < 3; i++)
		r = sd_bus_message_close_container(m);
	return r;
}
