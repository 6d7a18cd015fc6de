/* SPDX-License-Identifier: Apache-2.0 */
/* Methods that start, find and end sandboxes. */
#include "bus_request.h"
#include "life.h"
#include "manager.h"
#include "methods.h"
#include "own.h"
#include "provider.h"

static int read_option(sd_bus_message *m, const char *key, void *data, struct err *e)
{
	struct run_request *r = data;

	return strcmp(key, MANAGER_OPT_RESOURCES) ? fail(e, EINVAL, "unknown option '%s'", key) : request_amounts(m, r->amount, e);
}

static int read_run(sd_bus_message *m, const struct caller *who, struct run_request *r,
		    struct err *e)
{
	const char *name;
	int x;

	if (sd_bus_message_read(m, "shhh", &name, &r->bundle_fd, &r->control_fd, &r->workdir_fd) <
	    0)
		return fail(e, EINVAL, "malformed call");
	x = request_name(name, e);
	if (x < 0)
		return x;
	strcpy(r->name, name);
	return request_options(m, who, r, read_option, r, e);
}

int on_run(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct daemon *d = who->d;
	struct run_request r;
	_close_ int set = -1;
	struct sandbox *s;
	int x;

	request_init(&r, who);
	x = read_run(m, who, &r, e);
	if (!x)
		x = sandbox_share(d, r.uid, OSH_STARTS_EACH, e);
	if (!x && r.name[0] && life_name_taken(d, r.name))
		x = fail(e, EEXIST, "the name '%s' is taken; choose another", r.name);
	r.session_flags = OSH_OPEN_ENDS | OSH_OPEN_TIED;
	if (!x && r.n_uses) {
		x = provider_compose(d, r.uid, r.creds_fd, r.uses, r.n_uses, &set, e);
		r.creds_fd = set;
	}
	if (!x)
		x = sandbox_run(d, &r, m, &s, e);
	request_done(&r);
	return x;
}

int bus_find_running(const struct caller *who, const char *name, struct sandbox **ret,
		     struct err *e)
{
	const struct life *l = life_find(who->d, name);

	for (uint32_t i = 0; i < OSH_SLOTS; i++) {
		struct sandbox *s = who->d->slots[i];

		if (!s || strcmp(s->name, name) || s->state == SB_REPORTING || s->over ||
		    !caller_may(who, s->uid))
			continue;
		*ret = s;
		return 0;
	}
	if (l && caller_may(who, l->uid))
		return fail(e, EBUSY, "sandbox '%s' is %s; start it with `oshctl sandbox start %s`", l->name,
			    life_state_name(l), l->name);
	return fail(e, ENOENT, "no sandbox of yours is called '%.*s'", OSH_SANDBOX_NAME, name);
}
