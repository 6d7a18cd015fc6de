/* SPDX-License-Identifier: Apache-2.0 */
/* What a reload must leave as it was: files, and the programs that some of them are for, which the kernel knows by number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include "../../userspace/oshd/fixed.h"
#include "../../userspace/oshd/sandbox.h"
#include "buf.h"
#include "own.h"
#include "policy.h"

#include <cmocka.h>			/* last: it defines a macro called fail */

#define FILES "version: 1\nfilesystem_policy: {read_only: [/usr, {path: /a, binaries: [/b/p, /b/q]}, {path: /c, binaries: [/b/r]}]}\n"
#define RULE(host, program) "network: [{host: " host ", binaries: [" program "]}]\n"

static void compiled(const char *text, struct buf *bytes, struct bundle *ret)
{
	struct diags d = { 0 };
	struct err e = { 0 };

	if (policy_compile((struct slice){ text, strlen(text) }, &d, bytes) < 0 || bundle_open_mem(ret, bytes->p, bytes->n, &e) < 0)
		fail_msg("%s%s: %s", d.n ? d.v[0].text : "", e.text, text);
	diags_done(&d);
}

static const struct {
	const char *was, *next, *key;	/* NULL: it may come */
} cases[] = {
	{ FILES, FILES, NULL },
	{ FILES, FILES RULE("x.test", "/a/first"), NULL },	/* numbers of files' lists stay as they are */
	{ FILES RULE("x.test", "/a/first"), FILES RULE("y.test", "/b/r"), NULL },
	{ FILES, "version: 1\nfilesystem_policy: {read_only: [/usr, {path: /a, binaries: [/b/p]}, {path: /c, binaries: [/b/r]}]}\n", "/a" },
	{ FILES, "version: 1\nfilesystem_policy: {read_only: [/usr, {path: /a, binaries: [/b/p, /b/x]}, {path: /c, binaries: [/b/r]}]}\n", "/a" },
	{ FILES, "version: 1\nfilesystem_policy: {read_only: [/usr, {path: /a, binaries: [/b/p, '/b/q*']}, {path: /c, binaries: [/b/r]}]}\n", "/a" },
	{ FILES, "version: 1\nfilesystem_policy: {read_only: [/usr, {path: /a, binaries: [/b/p, /b/q]}, /c]}\n", "/c" },
	{ FILES, "version: 1\nfilesystem_policy: {read_only: [/usr, {path: /a, binaries: [/b/p, /b/q]}, {path: /c, binaries: [/b/p, /b/q]}]}\n", "/c" },
};

static void programs_of_files_stay(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf was = { 0 }, next = { 0 };
		struct sandbox s = { .root_fd = -1, .creds_fd = -1 };
		struct bundle b = { 0 };
		struct err e = { 0 };
		int r;

		compiled(cases[i].was, &was, &s.bundle);
		compiled(cases[i].next, &next, &b);
		r = fixed_check(&s, &b, &e);
		if ((r == 0) != !cases[i].key || (cases[i].key && !strstr(e.text, cases[i].key)))
			fail_msg("row %zu: %d, %s", i, r, e.text);
		bundle_done(&s.bundle);
		bundle_done(&b);
		buf_done(&was);
		buf_done(&next);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(programs_of_files_stay) };

	return cmocka_run_group_tests_name("fixed", tests, NULL, NULL);
}
