/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_put.h"

#include <fcntl.h>

#include "manager.h"
#include "manager_call.h"
#include "own.h"
#include "policy.h"
#include "policy_source.h"
#include "provider_call.h"
#include "provider_set.h"

static int compile(const char *file, int source, int *ret_bundle, struct err *e)
{
	struct diags d = { 0 };
	int r = policy_compile_fd(source, &d, ret_bundle, e);

	policy_print_diags(&d, stderr, file, source);
	if (r < 0 && !e->text[0])
		r = fail(e, -r, "the policy has errors; the old one stays in force");
	diags_done(&d);
	return r;
}

static int ask(sd_bus *bus, const char *name, int bundle, int source, struct policy_put *ret, struct err *e)
{
	sd_bus_message *m = NULL, *answer = NULL;
	int r = manager_new(bus, MANAGER_POLICY_SET, &m, e);

	if (!r)
		r = manager_filled(sd_bus_message_append(m, "sha{sv}", name, bundle, 1, MANAGER_OPT_SOURCE, "h", source), e);
	if (!r)
		r = manager_call(bus, m, &answer, e);
	if (!r && sd_bus_message_read(answer, MANAGER_POLICY_SET_OUT, &ret->generation, &ret->revision) < 0)
		r = fail(e, EBADMSG, "oshd sent an answer that makes no sense");
	sd_bus_message_unref(m);
	sd_bus_message_unref(answer);
	return r;
}

int policy_put(sd_bus *bus, const char *sandbox, const char *file, int *source, struct policy_put *ret, struct err *e)
{
	struct provider_set providers = { .fd = -1 };
	_close_ int bundle = -1;
	int r = provider_fill_set(bus, sandbox, &providers, e);	/* its hosts take what the sandbox has, as at its start */

	if (!r)
		r = provider_set_seal(&providers, e);
	if (!r)
		r = policy_source_seal(source, e);
	if (!r)
		r = compile(file, *source, &bundle, e);
	provider_set_done(&providers);
	return r ? r : ask(bus, sandbox, bundle, *source, ret, e);
}

static int has_text(sd_bus_message *m, const char *key, void *data)
{
	return strcmp(key, "text") ? sd_bus_message_skip(m, "v") : sd_bus_message_read(m, "v", "b", (int *)data);
}

/* -1 in *ret: no text. */
static int text_in_force(sd_bus *bus, const char *sandbox, int *ret, struct err *e)
{
	sd_bus_message *m = NULL, *answer = NULL;
	int r = manager_new(bus, MANAGER_POLICY_GET, &m, e), fd = -1, text = 0;

	if (!r)
		r = manager_filled(sd_bus_message_append(m, "su", sandbox, 0), e);
	if (!r)
		r = manager_call(bus, m, &answer, e);
	if (!r && (sd_bus_message_read(answer, "h", &fd) < 0 || manager_row(answer, has_text, &text) < 0))
		r = fail(e, EBADMSG, "oshd sent an answer that makes no sense");
	if (!r && text && (*ret = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0)
		r = fail(e, errno, "duplicate a descriptor: %s", strerror(errno));
	sd_bus_message_unref(m);
	sd_bus_message_unref(answer);
	return r;
}

int policy_put_again(sd_bus *bus, const char *sandbox, struct policy_put *ret, struct err *e)
{
	_close_ int source = -1;
	int r;

	if (text_in_force(bus, sandbox, &source, &(struct err){ 0 }) < 0 || source < 0)
		return 0;
	r = policy_put(bus, sandbox, "the policy in force", &source, ret, e);
	return r < 0 ? r : 1;
}
