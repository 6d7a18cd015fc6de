/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any configuration of a package client: whatever registries come out are names on https ports with
 * paths of plain bytes, and a preset with them is a policy that compiles. The first byte says which
 * client, and whether the text is a variable's or a file's.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/oshctl/ini.c"
#include "../../userspace/oshctl/registry_url.c"
#include "../../userspace/oshctl/registry_npm.c"
#include "../../userspace/oshctl/registry_pip.c"
#include "../../userspace/oshctl/registry_cargo.c"
#include "../../userspace/oshctl/registry_go.c"
#include "../../userspace/oshctl/registry.c"
#include "home.h"
#include "policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct input {
	uint8_t how;
	char *text;
	size_t n;
};

void say_error(const char *fmt, ...)
{
	(void)fmt;
}

static const char *fuzz_env(const struct client *c, const char *name)
{
	const struct input *in = c->arg;

	(void)name;
	return in->how & 4 ? in->text : NULL;
}

static bool fuzz_file(const struct client *c, const char *path, bool project, struct slice *ret)
{
	const struct input *in = c->arg;

	(void)path;
	if (project && !(in->how & 8))
		return false;
	*ret = (struct slice){ in->text, in->n };
	return !(in->how & 4);
}

static void must(int ok)
{
	if (!ok)
		__builtin_trap();
}

/* A preset with what was found between its marks, as oshctl writes it. */
static void check_policy(const struct registries *r, size_t client)
{
	static const char preset[] =
		"version: 1\nfilesystem_policy:\n  read_only:\n    - /usr\n    # <files>\n    # </files>\n"
		"process:\n  env:\n    set:\n      X: \"1\"\n      # <environment>\n      # </environment>\n"
		"network_policies:\n  x:\n    binaries: [/x]\n    endpoints:\n      # <registries>\n      # </registries>\n";
	struct diags d = { 0 };
	struct buf b = { 0 };
	struct policy p;

	fill(&b, slice_of(preset), r, client, true);
	must(policy_read(&p, (struct slice){ b.p, b.n }, &d) == 0 || !r->v.n);
	policy_done(&p);
	diags_done(&d);
	buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static registry_fn *const all[] = { registry_npm, registry_pip, registry_cargo, registry_go };
	struct registries r = { .quiet = true };
	struct input in;
	struct client c = { fuzz_env, fuzz_file, &in };

	if (!n || n > CLIENT_FILE_MAX)
		return 0;
	must(policy_home("/home/u"));
	in = (struct input){ data[0], malloc(n), n - 1 };
	must(in.text != NULL);
	memcpy(in.text, data + 1, n - 1);
	in.text[n - 1] = 0;
	all[in.how & 3](&r, &c);
	must(r.v.n <= REGISTRIES_MAX);
	check_policy(&r, in.how & 3);
	registries_done(&r);
	free(in.text);
	return 0;
}
