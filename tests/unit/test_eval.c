/* SPDX-License-Identifier: Apache-2.0 */
/* The reference meaning, question by question, and the globs that it uses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "eval.h"
#include "own.h"
#include "policy.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

static const char text[] =
	"version: 1\n"
	"filesystem_policy:\n"
	"  include_workdir: true\n"
	"  read_only: [/usr, /w/p/.git, /tmp/ro]\n"
	"  read_write: [/tmp, /usr/local/var]\n"
	"network:\n"
	"  - {host: open.example.com}\n"
	"  - {host: 9.9.9.0/24, ports: [53, 443]}\n"
	"network_policies:\n"
	"  b_git:\n"
	"    endpoints: [{host: GitHub.com., port: 443}]\n"
	"    binaries: [{path: /usr/bin/git}]\n"
	"  a_sh:\n"
	"    endpoints: [{host: github.com, port: 443}, {host: '*.one.example.com', port: 80}]\n"
	"    binaries: [{path: /bin/mysh}]\n"
	"  glob:\n"
	"    endpoints: [{host: '**.deep.example.com', ports: [80, 443]}]\n"
	"    binaries: [{path: '/opt/*/bin/{x,y}'}, {path: '/opt/all/**'}]\n"
	"  lax:\n"
	"    endpoints: [{host: lax.example.com, port: 1}]\n"
	"    binaries: [{path: /usr/bin/lax}]\n"
	"    taint: ignore\n";

#define A OSH_WHY_ALLOWED
static const struct {
	const char *host;
	uint32_t port;
	const char *binary;
	bool tainted;
	enum osh_reason why;
	const char *rule;
} cases[] = {
/* clang-format off */
	{ "open.example.com", 443, NULL, false, A, "network[0]" },
	{ "OPEN.example.com.", 443, "/x", true, A, "network[0]" },
	{ "open.example.com", 80, NULL, false, OSH_WHY_PORT, "network[0]" },
	{ "x.open.example.com", 443, NULL, false, OSH_WHY_DEST_UNKNOWN, NULL },
	{ "open.example.com..", 443, NULL, false, OSH_WHY_NAME_BAD, NULL },
	{ "", 443, NULL, false, OSH_WHY_NAME_BAD, NULL },
	{ "9.9.9.9", 53, "/x", false, A, "network[1]" },
	{ "::ffff:9.9.9.9", 53, "/x", false, A, "network[1]" },
	{ "9.9.10.9", 53, "/x", false, OSH_WHY_DEST_UNKNOWN, NULL },
	{ "github.com", 443, "/usr/bin/git", false, A, "b_git" },
	{ "github.com", 443, "/usr/lib/git-core/git-remote-https", false, A, "b_git" },
	{ "github.com", 443, "/usr/lib/git-core/git-other", false, OSH_WHY_BINARY, "a_sh" },
	{ "github.com", 443, "/bin/mysh", false, A, "a_sh" },
	{ "github.com", 443, "/usr/bin/mysh", false, A, "a_sh" },
	{ "github.com", 443, "/usr/bin/git", true, OSH_WHY_TAINTED, "b_git" },
	{ "github.com", 443, NULL, false, OSH_WHY_NO_IDENTITY, "a_sh" },
	{ "a.one.example.com", 80, "/bin/mysh", false, A, "a_sh" },
	{ "a.b.one.example.com", 80, "/bin/mysh", false, OSH_WHY_DEST_UNKNOWN, NULL },
	{ "one.example.com", 80, "/bin/mysh", false, OSH_WHY_DEST_UNKNOWN, NULL },
	{ "a.b.deep.example.com", 80, "/opt/p/bin/x", false, A, "glob" },
	{ "deep.example.com", 80, "/opt/p/bin/x", false, OSH_WHY_DEST_UNKNOWN, NULL },
	{ "xdeep.example.com", 80, "/opt/p/bin/x", false, OSH_WHY_DEST_UNKNOWN, NULL },
	{ "a.deep.example.com", 443, "/opt/p/q/bin/x", false, OSH_WHY_BINARY, "glob" },
	{ "a.deep.example.com", 443, "/opt/p/bin/z", false, OSH_WHY_BINARY, "glob" },
	{ "a.deep.example.com", 443, "/opt/all/p/q/z", false, A, "glob" },
	{ "lax.example.com", 1, "/usr/bin/lax", true, A, "lax" },
	{ "evil%2eexample.com", 443, "/x", false, OSH_WHY_NAME_BAD, NULL },
/* clang-format on */
};

static struct policy policy_of(const char *yaml)
{
	struct diags d = { 0 };
	struct policy p;

	if (policy_read(&p, slice_of(yaml), &d) < 0) {
		diags_print(&d, stderr, "policy", slice_of(yaml), false);
		fail_msg("policy is wrong");
	}
	diags_done(&d);
	return p;
}

static void decides_connections(void **state)
{
	struct policy p = policy_of(text);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct eval_connect c = { cases[i].host, cases[i].port, cases[i].binary,
					  cases[i].tainted };
		struct decision d = eval_connect(&p, &c);

		if (d.why != cases[i].why || (d.verdict == OSH_ALLOW) != (d.why == A) ||
		    !d.rule != !cases[i].rule || (d.rule && strcmp(d.rule, cases[i].rule)))
			fail_msg("%s:%u by %s: reason %d, rule %s", c.host, c.port,
				 c.binary ? c.binary : "-", d.why, d.rule ? d.rule : "-");
	}
	policy_done(&p);
}

static void decides_names(void **state)
{
	struct policy p = policy_of(text);

	(void)state;
	assert_int_equal(eval_dns(&p, "Github.COM").verdict, OSH_ALLOW);
	assert_int_equal(eval_dns(&p, "x.y.deep.example.com").verdict, OSH_ALLOW);
	assert_int_equal(eval_dns(&p, "deep.example.com").why, OSH_WHY_NAME_UNKNOWN);
	assert_int_equal(eval_dns(&p, "9.9.9.9").why, OSH_WHY_NAME_BAD);
	assert_int_equal(eval_dns(&p, "a..b").why, OSH_WHY_NAME_BAD);
	policy_done(&p);
}

static void decides_files(void **state)
{
	enum { EVAL_NONE, EVAL_READ, EVAL_WRITE };
	static const struct {
		const char *path;
		int access;
	} files[] = {
		{ "/usr", EVAL_READ },		{ "/usr/bin/git", EVAL_READ },
		{ "/usrx", EVAL_NONE },		{ "/usr/local/var/x", EVAL_WRITE },
		{ "/tmp/a", EVAL_WRITE },	{ "/tmp/ro/a", EVAL_READ },
		{ "/w/p", EVAL_WRITE },		{ "/w/p/src", EVAL_WRITE },
		{ "/w/p/.git/config", EVAL_READ }, { "/w", EVAL_NONE },
		{ "/", EVAL_NONE },		{ "/etc/shadow", EVAL_NONE },
	};
	struct policy p = policy_of(text);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		bool reads = eval_file(&p, files[i].path, "/w/p", NULL, false).verdict == OSH_ALLOW;
		bool writes = eval_file(&p, files[i].path, "/w/p", NULL, true).verdict == OSH_ALLOW;

		if (reads != (files[i].access >= EVAL_READ) || writes != (files[i].access == EVAL_WRITE))
			fail_msg("%s: read %d, write %d", files[i].path, reads, writes);
	}
	policy_done(&p);
}

/* The definition, spelled out: tries everything. */
static bool naive(const char *p, const char *t)
{
	if (!*p)
		return !*t;
	if (p[0] == '*' && p[1] == '*')
		return naive(p + 2, t) || (*t && naive(p, t + 1));
	if (*p == '*')
		return naive(p + 1, t) || (*t && *t != '/' && naive(p, t + 1));
	if (*p == '?')
		return *t && *t != '/' && naive(p + 1, t + 1);
	return *p == *t && naive(p + 1, t + 1);
}

static void globs_equal_their_definition(void **state)
{
	unsigned hits = 0;

	(void)state;
	srandom(7);
	for (int i = 0; i < 400000; i++) {
		char p[12], t[14];
		int np = (int)(random() % 9), nt = (int)(random() % 11);

		for (int k = 0; k < np; k++)
			p[k] = "ab/*?*"[random() % 6];
		for (int k = 0; k < nt; k++)
			t[k] = "ab/"[random() % 3];
		p[np] = t[nt] = 0;
		if (glob_match(p, t) != naive(p, t))
			fail_msg("'%s' on '%s': %d", p, t, glob_match(p, t));
		hits += naive(p, t);
	}
	assert_true(hits > 4000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decides_connections),
		cmocka_unit_test(decides_names),
		cmocka_unit_test(decides_files),
		cmocka_unit_test(globs_equal_their_definition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
