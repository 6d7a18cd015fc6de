/* SPDX-License-Identifier: Apache-2.0 */
/* Every lint of `policy check`: a policy that triggers it, and its neighbour that does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

#define RULE "version: 1\nnetwork_policies:\n  r:\n    binaries: [{path: /usr/bin/curl}]\n    endpoints:\n"
#define REST(host, rest) RULE "      - {host: " host ", port: 443, protocol: rest, " rest "}\n"
#define MCP(rest) RULE "      - {host: mcp.example.com, port: 443, protocol: mcp, " rest "}\n"
#define ALLOW(path) "rules: [{allow: {method: GET, path: \"" path "\"}}]"
#define FS(rest) "version: 1\nfilesystem_policy: {" rest "}\n"
#define PROGRAM(path) "network: [{host: a.example.com, binaries: [" path "]}]\n"

/* `want`: "CODE:LINE" of every 2xx but 207 (the runtime's state is no lint), in order of place. */
static const struct {
	const char *name, *text, *want;
} cases[] = {
/* clang-format off */
	{ "segment: issues of a repository", REST("api.github.com", ALLOW("/repos/*/issues")), "211:6" },
	{ "segment: two are right", REST("api.github.com", ALLOW("/repos/*/*/issues")), "" },
	{ "segment: any owner of one name", REST("api.github.com", ALLOW("/repos/*/osh")), "" },
	{ "segment: no repository has one", REST("api.github.com", ALLOW("/repos/*")), "211:6" },
	{ "segment: everything below", REST("api.github.com", ALLOW("/repos/**")), "" },
	{ "segment: another host", REST("api.example.com", ALLOW("/repos/*/issues")), "" },
	{ "segment: an alternative", REST("api.github.com", ALLOW("/{zen,repos/*/pulls}")), "211:6" },
	{ "segment: git", REST("github.com", ALLOW("/*/info/refs")), "211:6" },
	{ "segment: git, right", REST("github.com", ALLOW("/*/*/info/refs")), "" },
	{ "segment: a deny with a hole",
	  REST("api.github.com", "access: full, deny_rules: [{method: POST, path: \"/repos/*/pulls/*/reviews\"}]"), "211:6" },
	{ "segment: short form", "network: [{host: api.github.com, paths: [/repos/*/issues]}]\n", "211:1" },

	{ "dots: a version", REST("a.example.com", "rules: [{allow: {method: GET, path: /x, query: {v: \"v1.*\"}}}]"), "212:6" },
	{ "dots: any version", REST("a.example.com", "rules: [{allow: {method: GET, path: /x, query: {v: \"v1.**\"}}}]"), "" },
	{ "dots: one of several", REST("a.example.com", "rules: [{allow: {method: GET, path: /x, query: {v: {any: [a, \"b*\"]}}}}]"), "212:6" },
	{ "dots: deny crosses them",
	  REST("a.example.com", "access: full, deny_rules: [{method: GET, path: /x, query: {v: \"v1.*\"}}]"), "" },
	{ "dots: a tool that is denied", MCP("rules: [{allow: {method: tools/call}}], deny_rules: [{tool: \"write*\"}]"), "212:6" },
	{ "dots: a tool by name", MCP("rules: [{allow: {method: tools/call}}], deny_rules: [{tool: write}]"), "" },

	{ "shadowed: a narrower rule",
	  REST("a.example.com", "rules: [{allow: {method: GET, path: /a/b}}, {allow: {method: \"*\", path: \"/a/**\"}}]"), "213:6" },
	{ "shadowed: one segment is not many",
	  REST("a.example.com", "rules: [{allow: {method: GET, path: \"/a/**\"}}, {allow: {method: GET, path: \"/*/b\"}}]"), "" },
	{ "shadowed: another method",
	  REST("a.example.com", "rules: [{allow: {method: POST, path: /a}}, {allow: {method: GET, path: \"/**\"}}]"), "" },
	{ "shadowed: HEAD by GET",
	  REST("a.example.com", "rules: [{allow: {method: HEAD, path: /a}}, {allow: {method: GET, path: /a}}]"), "213:6" },
	{ "shadowed: a query narrows",
	  REST("a.example.com", "rules: [{allow: {method: GET, path: /a}}, {allow: {method: GET, path: /b, query: {k: v}}}]"), "" },
	{ "shadowed: the same twice is said once", "network:\n  - host: a.example.com\n  - host: a.example.com\n", "213:3" },
	{ "shadowed: any program beside one", "network:\n  - {host: a.example.com, binaries: [/usr/bin/curl]}\n  - host: a.example.com\n", "213:2" },
	{ "shadowed: a name costs nothing of the wildcard's",
	  "network:\n  - host: a.example.com\n  - host: \"*.example.com\"\ndns: {wildcard_names: 0}\n", "" },
	{ "shadowed: a wildcard above",
	  "network:\n  - host: \"*.example.com\"\n  - host: \"**.example.com\"\ndns: {wildcard_names: 0}\n", "213:2" },
	{ "shadowed: the wildcard's own name",
	  "network:\n  - host: example.com\n  - host: \"*.example.com\"\ndns: {wildcard_names: 0}\n", "" },
	{ "shadowed: another port", "network:\n  - {host: a.example.com, port: 80}\n  - host: a.example.com\n", "" },
	{ "shadowed: another program",
	  "network:\n  - {host: a.example.com, binaries: [/usr/bin/curl]}\n  - {host: a.example.com, binaries: [/usr/bin/wget]}\n", "" },

	{ "denied: all of it",
	  REST("a.example.com", "rules: [{allow: {method: GET, path: /a/b}}, {allow: {method: GET, path: /c}}], "
	       "deny_rules: [{method: \"*\", path: \"/a/**\"}]"), "214:6" },
	{ "denied: part of it",
	  REST("a.example.com", "rules: [{allow: {method: GET, path: \"/a/**\"}}], deny_rules: [{method: GET, path: /a/b}]"), "" },
	{ "denied: with a query",
	  REST("a.example.com", "rules: [{allow: {method: GET, path: /a}}], deny_rules: [{method: GET, path: /a, query: {k: v}}]"), "" },
	{ "denied: a preset", REST("a.example.com", "access: full, deny_rules: [{method: \"*\", path: \"/**\"}]"), "214:6" },

	{ "channel: one label", "network: [{host: \"*.example.com\"}]\n", "215:1" },
	{ "channel: many labels", "network: [{host: \"**.example.com\"}]\n", "215:1" },
	{ "channel: a name", "network: [{host: a.example.com}]\n", "" },

	{ "interpreter: a shell", PROGRAM("/bin/bash"), "203:1" },
	{ "interpreter: with a version", PROGRAM("/usr/bin/python3.11"), "203:1" },
	{ "interpreter: a glob over one", PROGRAM("\"/usr/bin/*\""), "203:1" },
	{ "interpreter: node in a tree", PROGRAM("/opt/x/bin/node"), "203:1" },
	{ "interpreter: a name that begins alike", PROGRAM("/usr/bin/shfmt"), "" },
	{ "interpreter: no program is", PROGRAM("/usr/bin/curl"), "" },

	{ "writable: system programs", FS("read_write: [/usr/local/bin]"), "216:2" },
	{ "writable: a tree of its own", FS("read_write: [/tmp], read_only: [/usr]"), "" },
	{ "writable: a program in it",
	  FS("read_write: [/tmp]") PROGRAM("/tmp/tool"), "216:3" },
	{ "writable: read-only below it",
	  FS("read_write: [/srv], read_only: [/srv/bin]") PROGRAM("/srv/bin/tool"), "" },
	{ "writable: a glob in it", FS("read_write: [/srv]") PROGRAM("\"/srv/**/tool\""), "216:3" },
	{ "writable: pinned by content",
	  FS("read_write: [/srv]") "network_policies: {r: {endpoints: [{host: a.example.com, port: 443}], binaries: [{path: /srv/tool, "
	  "sha256: \"0000000000000000000000000000000000000000000000000000000000000000\"}]}}\n", "" },
	{ "writable: strict exec",
	  FS("read_write: [/tmp]") "process: {exec: {mode: strict, allow: [\"/tmp/**\"]}}\n", "216:3" },

	{ "broad: plain beside rules",
	  REST("api.github.com", "access: read-only") "  s:\n    binaries: [{path: /usr/bin/wget}]\n    endpoints: [{host: api.github.com, port: 443}]\n",
	  "217:9" },
	{ "broad: a wildcard beside rules",
	  REST("api.github.com", "access: read-only") "  s:\n    binaries: [{path: /usr/bin/wget}]\n    endpoints: [{host: \"*.github.com\", port: 443}]\n"
	  "dns: {wildcard_names: 0}\n", "217:9" },
	{ "broad: another port",
	  REST("api.github.com", "access: read-only") "  s:\n    binaries: [{path: /usr/bin/wget}]\n    endpoints: [{host: api.github.com, port: 22}]\n", "" },

	{ "audit", REST("a.example.com", "access: full, enforcement: audit"), "210:6" },
	{ "audit: enforce", REST("a.example.com", "access: full, enforcement: enforce"), "" },
/* clang-format on */
};

static void say(const struct diags *d, char *to, size_t max)
{
	size_t n = 0;

	*to = '\0';
	for (uint32_t i = 0; i < d->n; i++)
		if (d->v[i].code != DIAG_RUNTIME)
			n += (size_t)snprintf(to + n, max - n, "%s%u:%u", n ? " " : "", d->v[i].code,
					      d->v[i].at.line);
}

static void test_lints(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct diags d = { 0 };
		char got[1024];

		(void)policy_check((struct slice){ cases[i].text, strlen(cases[i].text) }, &d);
		say(&d, got, sizeof(got));
		if (strcmp(got, cases[i].want)) {
			bad++;
			print_error("%s: got '%s', want '%s'\n%s", cases[i].name, got, cases[i].want, cases[i].text);
		}
		diags_done(&d);
	}
	assert_int_equal(bad, 0);
}

/* The bound of a channel is part of the message: names × bytes. */
static void test_bound(void **state)
{
	static const char text[] = "network: [{host: \"*.example.com\"}]\ndns: {wildcard_names: 10}\n";
	struct diags d = { 0 };

	(void)state;
	assert_int_equal(policy_check((struct slice){ text, strlen(text) }, &d), 0);
	assert_int_equal(d.n, 1);
	assert_non_null(strstr(d.v[0].text, "10 names of 63 bytes, 630 bytes"));
	diags_done(&d);
}

/* What costs most, a pair: programs of one list against those of another, and against writable trees. */
static void test_dear(void **state)
{
	struct buf b = { 0 };
	struct diags d = { 0 };

	(void)state;
	buf_printf(&b, "version: 1\nfilesystem_policy:\n  read_write: [/srv/x");
	for (int i = 0; i < 200; i++)
		buf_printf(&b, ", /srv/%d", i);
	buf_printf(&b, "]\nnetwork_policies:\n");
	for (int i = 0; i < 1000; i++) {
		buf_printf(&b, "  r%d: {endpoints: [{host: a.example.com, port: %d}], binaries: [/opt/a", i, 20000 + i % 3);
		for (int k = 0; k < 20; k++)
			buf_printf(&b, ", \"/opt/%d/**/b%d*/c\"", i, k);
		buf_printf(&b, "]}\n");
	}
	assert_int_equal(policy_check((struct slice){ b.p, b.n }, &d), 0);
	assert_int_equal(d.n_warnings, 0);
	diags_done(&d);
	buf_done(&b);
}

/* Ten thousand rules, most of them about one host: the lints give up before they take long. */
static void test_many(void **state)
{
	struct buf b = { 0 };
	struct diags d = { 0 };

	(void)state;
	buf_printf(&b, "network:\n");
	for (int i = 0; i < 10000; i++)
		buf_printf(&b, "  - {host: a.example.com, port: %d}\n", 20000 + i);
	assert_int_equal(policy_check((struct slice){ b.p, b.n }, &d), 0);
	assert_int_equal(d.n_warnings, 0);
	diags_done(&d);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lints),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_dear),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
