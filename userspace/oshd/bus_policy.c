/* SPDX-License-Identifier: Apache-2.0 */
/* Methods of policies and their revisions. */
#include "manager.h"
#include "methods.h"
#include "reload.h"

int on_policy_set(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct sandbox *s;
	const char *name;
	int bundle, x;

	if (sd_bus_message_read(m, "sha{sv}", &name, &bundle, 0) < 0)
		return fail(e, EINVAL, "malformed call"); /* options included: none is known */
	x = bus_find_running(who, name, &s, e);
	return x ? x : reload_start(s, bundle, m, e);
}
