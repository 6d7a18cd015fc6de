/* SPDX-License-Identifier: Apache-2.0 */
#include "bus_request.h"

#include <inttypes.h>
#include <stdlib.h>

#include "manager.h"
#include "own.h"
#include "state/state.h"

void request_init(struct run_request *r, const struct caller *who)
{
	*r = (struct run_request){ .uid = who->uid,
				   .gid = who->gid,
				   .n_groups = who->n_groups,
				   .bundle_fd = -1,
				   .control_fd = -1,
				   .workdir_fd = -1,
				   .log_fd = -1,
				   .summary_fd = -1,
				   .hosts_fd = -1,
				   .creds_fd = -1,
				   .ca_fd = -1 };
	memcpy(r->groups, who->groups, sizeof(r->groups));
}

int request_name(const char *name, struct err *e)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	if (name[n] || n >= OSH_SANDBOX_NAME || name[0] == '-')
		return fail(e, EINVAL, "a sandbox name is 1 to %d of a-z, 0-9 and '-'",
			    OSH_SANDBOX_NAME - 1);
	return 0;
}

/* As a policy names it. */
int request_provider(const char *name, struct err *e)
{
	size_t n = strlen(name);

	if (!n || n >= OSH_CRED_NAME ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != n)
		return fail(e, EINVAL, "a provider's name is 1 to %d of letters, digits, '_' and '-'", OSH_CRED_NAME - 1);
	return 0;
}

/* It is searched for in all that the sandbox sends, so a short one would refuse what has nothing to do with it. */
int request_placeholder(const char *text, struct err *e)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return fail(e, EINVAL, "a placeholder is visible ASCII");
	if (n < 16 || n >= OSH_CRED_PLACEHOLDER)
		return fail(e, EINVAL, "a placeholder has 16 to %d bytes", OSH_CRED_PLACEHOLDER - 1);
	return 0;
}

void request_done(struct run_request *r)
{
	free(r->uses);
	r->uses = NULL;
	r->n_uses = 0;
}

static const struct fd_option {
	const char *key;
	size_t off;
	const char
	    *trusts; /* osh-admin's to say, since it makes a host of an address; NULL = anybody's */
} fd_options[] = {
	{ MANAGER_OPT_LOG, offsetof(struct run_request, log_fd), NULL },
	{ MANAGER_OPT_SUMMARY, offsetof(struct run_request, summary_fd), NULL },
	{ MANAGER_OPT_HOSTS, offsetof(struct run_request, hosts_fd), "may trust addresses" },
	{ MANAGER_OPT_CREDS, offsetof(struct run_request, creds_fd), NULL },
	{ MANAGER_OPT_CA, offsetof(struct run_request, ca_fd), "may add a trust anchor" },
};

static int read_fd(sd_bus_message *m, const struct fd_option *o, const struct caller *who,
		   struct run_request *r, struct err *e)
{
	if (sd_bus_message_read(m, "v", "h", (int *)((char *)r + o->off)) < 0)
		return fail(e, EINVAL, "option '%s' wants a descriptor", o->key);
	if (o->trusts && !who->admin)
		return fail(e, EPERM,
			    "--%s: only root and members of " CALLER_ADMINS " %s on this daemon",
			    o->key, o->trusts);
	return 0;
}

static int read_workdir(sd_bus_message *m, struct run_request *r, struct err *e)
{
	const char *text;

	if (sd_bus_message_read(m, "v", "s", &text) < 0 || strlen(text) >= sizeof(r->workdir) ||
	    text[0] != '/')
		return fail(e, EINVAL, "option 'workdir' wants an absolute path below %zu bytes",
			    sizeof(r->workdir));
	strcpy(r->workdir, text);
	return 0;
}

static int read_use(struct run_request *r, const char *name, const char *placeholder, struct err *e)
{
	struct state_provider_use *u = &r->uses[r->n_uses];
	int x = request_provider(name, e);

	if (!x)
		x = request_placeholder(placeholder, e);
	for (size_t i = 0; !x && i < r->n_uses; i++)
		if (!strcmp(r->uses[i].name, name))
			x = fail(e, EINVAL, "provider '%s' is given twice", name);
	if (x < 0)
		return x;
	strcpy(u->name, name);
	strcpy(u->placeholder, placeholder);
	r->n_uses++;
	return 0;
}

/* Leaves an array and the variant around it. */
static bool left_both(sd_bus_message *m)
{
	return sd_bus_message_exit_container(m) >= 0 && sd_bus_message_exit_container(m) >= 0; // NOLINT(misc-redundant-expression)
}

static int read_uses(sd_bus_message *m, struct run_request *r, struct err *e)
{
	const char *name, *placeholder;
	int x = 0;

	if (r->uses || sd_bus_message_enter_container(m, 'v', "a(ss)") < 0 ||
	    sd_bus_message_enter_container(m, 'a', "(ss)") < 0)
		return fail(e, EINVAL, "option 'providers' wants names and placeholders, once");
	r->uses = calloc(OSH_CREDS, sizeof(*r->uses));
	if (!r->uses)
		return fail(e, ENOMEM, "out of memory");
	while (!x && sd_bus_message_read(m, "(ss)", &name, &placeholder) > 0)
		x = r->n_uses == OSH_CREDS ? fail(e, E2BIG, "more than %d providers", OSH_CREDS)
					   : read_use(r, name, placeholder, e);
	if (!x && !left_both(m))
		x = fail(e, EINVAL, "malformed providers");
	return x;
}

static int read_amount(const char *key, uint64_t v, uint64_t amount[OSH_RESOURCES], struct err *e)
{
	static const char *const keys[OSH_RESOURCES] = {
#define RESOURCE(id, key, kind, least, most, text) [OSH_RES_##id] = key,
#include "osh/resources.def"
#undef RESOURCE
	};

	for (int i = 0; i < OSH_RESOURCES; i++)
		if (!strcmp(keys[i], key)) {
			if (!v || amount[i] || !bundle_amount_ok(i, v))
				return fail(e, EINVAL, "resources.%s: %" PRIu64 " is beyond its bounds, or given twice", key, v);
			amount[i] = v;
			return 0;
		}
	return fail(e, EINVAL, "resources: '%.40s' is none", key);
}

int request_amounts(sd_bus_message *m, uint64_t amount[OSH_RESOURCES], struct err *e)
{
	const char *key;
	uint64_t v;
	int r = 0;

	if (sd_bus_message_enter_container(m, 'v', "a{st}") < 0 || sd_bus_message_enter_container(m, 'a', "{st}") < 0)
		return fail(e, EINVAL, "option 'resources' wants keys and amounts");
	while (!r && sd_bus_message_read(m, "{st}", &key, &v) > 0)
		r = read_amount(key, v, amount, e);
	if (!r && !left_both(m))
		r = fail(e, EINVAL, "malformed resources");
	return r;
}

static int read_option(sd_bus_message *m, const char *key, const struct caller *who,
		       struct run_request *r, request_option *more, void *data, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(fd_options); i++)
		if (!strcmp(key, fd_options[i].key))
			return read_fd(m, &fd_options[i], who, r, e);
	if (!strcmp(key, MANAGER_OPT_WORKDIR))
		return read_workdir(m, r, e);
	if (!strcmp(key, MANAGER_OPT_PROVIDERS))
		return read_uses(m, r, e);
	return more ? more(m, key, data, e) : fail(e, EINVAL, "unknown option '%s'", key);
}

int request_options(sd_bus_message *m, const struct caller *who, struct run_request *r,
		    request_option *more, void *data, struct err *e)
{
	const char *key;
	int x = sd_bus_message_enter_container(m, 'a', "{sv}");

	if (x < 0)
		return fail(e, EINVAL, "malformed call");
	while ((x = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		if (sd_bus_message_read(m, "s", &key) < 0)
			return fail(e, EINVAL, "malformed option");
		x = read_option(m, key, who, r, more, data, e);
		if (x < 0)
			return x;
		if (sd_bus_message_exit_container(m) < 0)
			return fail(e, EINVAL, "malformed option '%s'", key);
	}
	if (x < 0 || sd_bus_message_exit_container(m) < 0)
		return fail(e, EINVAL, "malformed options");
	return 0;
}
