/* SPDX-License-Identifier: Apache-2.0 */
/* Methods of policies and their revisions. */
#include "manager.h"
#include "methods.h"
#include "reload.h"

static void on_loaded(void *arg, uint32_t generation, const char *error)
{
	if (error)
		bus_answer_error(arg, error);
	else
		bus_answer_policy(arg, generation);
	sd_bus_message_unref(arg);
}

int on_policy_set(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct sandbox *s;
	const char *name;
	struct reload_request q = { .arg = m, .done = on_loaded };
	int x;

	if (sd_bus_message_read(m, "sha{sv}", &name, &q.bundle_fd, 0) < 0)
		return fail(e, EINVAL, "malformed call"); /* options included: none is known */
	x = bus_find_running(who, name, &s, e);
	if (x < 0)
		return x;
	sd_bus_message_ref(m);		/* on_loaded() may be called at once */
	x = reload_start(s, &q, e);
	if (x < 0)
		sd_bus_message_unref(m);
	return x;
}
