/* SPDX-License-Identifier: Apache-2.0 */
/* Methods that start, find and end sandboxes. */
#include "bus_request.h"
#include "manager.h"
#include "methods.h"

/* Nobody but root takes what belongs to all: slots, and turns of the one that builds. */
static int fair_share(const struct daemon *d, uid_t uid, struct err *e)
{
	unsigned all = 0, starting = 0;

	for (uint32_t i = 0; uid && i < OSH_SLOTS; i++)
		if (d->slots[i] && d->slots[i]->uid == uid) {
			all++;
			starting += d->slots[i]->state <= SB_PREPARING;
		}
	if (all >= OSH_SLOTS_EACH)
		return fail(e, EAGAIN, "uid %u has %u sandboxes, no more than %d: end one first",
			    uid, all, OSH_SLOTS_EACH);
	if (starting >= OSH_STARTS_EACH)
		return fail(e, EAGAIN, "uid %u: %u sandboxes are being built already", uid,
			    starting);
	return 0;
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
	return request_options(m, who, r, e);
}

int on_run(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct daemon *d = who->d;
	struct run_request r;
	struct sandbox *s;
	int x;

	request_init(&r, who);
	x = read_run(m, who, &r, e);
	if (!x)
		x = fair_share(d, r.uid, e);
	for (uint32_t i = 0; !x && r.name[0] && i < OSH_SLOTS; i++)
		if (d->slots[i] && !strcmp(d->slots[i]->name, r.name))
			x = fail(e, EEXIST, "a sandbox named '%s' is alive; choose another name",
				 r.name);
	return x ? x : sandbox_run(d, &r, m, &s, e);
}

int bus_find_running(const struct caller *who, const char *name, struct sandbox **ret,
		     struct err *e)
{
	for (uint32_t i = 0; i < OSH_SLOTS; i++) {
		struct sandbox *s = who->d->slots[i];

		if (!s || strcmp(s->name, name) || s->state == SB_REPORTING ||
		    !caller_may(who, s->uid))
			continue;
		*ret = s;
		return 0;
	}
	return fail(e, ENOENT, "no sandbox of yours is called '%.*s'", OSH_SANDBOX_NAME, name);
}
