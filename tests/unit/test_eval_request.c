/* SPDX-License-Identifier: Apache-2.0 */
/* Requests by the reference meaning: every protocol, who wins, audit mode; then addresses and programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "eval.h"
#include "own.h"
#include "policy.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

#define HEAD "version: 1\nnetwork_policies:\n"
#define RULE(name, endpoint) "  " name ": {binaries: [/x], endpoints: [{host: h.test, port: 1, " endpoint "}]}\n"

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

struct asked {
	const char *yaml, *method, *path, *key, *value;	/* query KEY=VALUE */
	enum osh_reason why;
	const char *rule;
	bool audit;
};

#define OK OSH_WHY_ALLOWED
#define NO OSH_WHY_REQUEST
#define DENIED OSH_WHY_REQUEST_DENIED
static const char rest[] =
	HEAD RULE("b", "protocol: rest, rules: [{allow: {method: GET, path: '/a/*'}}, {allow: {method: POST, path: /q, "
		       "query: {v: 1.*}}}], deny_rules: [{method: '*', path: '/a/secret/**'}, {method: GET, path: /a/no}]")
	RULE("a", "protocol: rest, rules: [{allow: {method: GET, path: '/a/*'}}, {allow: {method: PUT, path: '/a/secret'}}]");
static const char audit[] =
	HEAD RULE("r", "protocol: rest, enforcement: audit, access: read-only, deny_rules: [{method: GET, path: /no}]");
static const char socket[] = HEAD RULE("w", "protocol: websocket, access: read-only");
static const char mixed[] =
	HEAD RULE("all", "protocol: rest, access: full, deny_rules: [{method: DELETE, path: /g}]")
	RULE("gql", "path: /g, protocol: graphql, access: read-only");

static const struct asked requests[] = {
/* clang-format off */
	{ rest, "GET", "/a/b", NULL, NULL, OK, "a", false },
	{ rest, "get", "/a/b", NULL, NULL, OK, "a", false },
	{ rest, "HEAD", "/a/b", NULL, NULL, OK, "a", false },
	{ rest, "OPTIONS", "/a/b", NULL, NULL, NO, "a", false },
	{ rest, "GET", "/a/b/c", NULL, NULL, NO, "a", false },
	{ rest, "GET", "/a/no", NULL, NULL, DENIED, "b", false },
	{ rest, "HEAD", "/a/no", NULL, NULL, DENIED, "b", false },
	{ rest, "PUT", "/a/secret", NULL, NULL, DENIED, "b", false },
	{ rest, "POST", "/q", "v", "1.2", OK, "b", false },
	{ rest, "POST", "/q", "v", "1.2.3", NO, "a", false },
	{ rest, "POST", "/q", "V", "1.2", NO, "a", false },
	{ rest, "POST", "/q", NULL, NULL, NO, "a", false },
	{ rest, "", "/a/b", NULL, NULL, OSH_WHY_TARGET_BAD, NULL, false },
	{ rest, "GET", "a/b", NULL, NULL, OSH_WHY_TARGET_BAD, NULL, false },
	{ audit, "GET", "/x", NULL, NULL, OK, "r", false },
	{ audit, "POST", "/x", NULL, NULL, NO, "r", true },
	{ audit, "GET", "/no", NULL, NULL, DENIED, "r", true },
	{ audit, "GET", "/a%2Fb", NULL, NULL, NO, NULL, false },
	{ socket, "GET", "/c", NULL, NULL, OK, "w", false },
	{ socket, "WEBSOCKET_TEXT", "/c", NULL, NULL, NO, "w", false },
	{ mixed, "DELETE", "/x", NULL, NULL, OK, "all", false },
	{ mixed, "POST", "/g", NULL, NULL, OSH_WHY_PROTOCOL, "gql", false },
	{ mixed, "DELETE", "/g", NULL, NULL, DENIED, "all", false },
	{ HEAD RULE("r", "tls: skip"), "GET", "/", NULL, NULL, OSH_WHY_NOT_INSPECTED, "r", false },
	{ HEAD RULE("r", "protocol: rest, access: typo"), "GET", "/", NULL, NULL, NO, "r", false },
/* clang-format on */
};

static struct eval_request request_of(const char *method, const char *path)
{
	return (struct eval_request){ .connect = { .host = "h.test", .port = 1, .binary = "/x" },
				      .method = method, .path = path };
}

static void check(const char *what, const struct decision *d, enum osh_reason why, const char *rule,
		  bool audited)
{
	if (d->why != why || (d->verdict == OSH_ALLOW) != (why == OK) || d->audit != audited ||
	    !d->rule != !rule || (rule && strcmp(rule, d->rule)))
		fail_msg("%s: %s by %s%s", what, d->verdict == OSH_ALLOW ? "allowed" : "denied",
			 d->rule ? d->rule : "-", d->audit ? ", audit" : "");
}

static void decides_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		const struct asked *a = &requests[i];
		struct policy p = policy_of(a->yaml);
		struct eval_request q = request_of(a->method, a->path);
		struct eval_param param = { a->key, &a->value, 1 };
		struct decision d;
		char what[80];

		q.query = &param;
		q.n_query = a->key != NULL;
		d = eval_request(&p, &q);
		snprintf(what, sizeof(what), "%zu: %s %s", i, a->method, a->path);
		check(what, &d, a->why, a->rule, a->audit);
		q.connect.binary = "/y";
		assert_int_equal(eval_request(&p, &q).why, OSH_WHY_BINARY);
		policy_done(&p);
	}
}

static void decides_graphql(void **state)
{
	static const char yaml[] = HEAD RULE(
		"g", "protocol: graphql, persisted_queries: allow_registered, graphql_persisted_queries: {h: "
		     "{operation_type: mutation, fields: [a]}}, rules: [{allow: {operation_type: query, fields: ['a*']}}, "
		     "{allow: {operation_type: mutation, operation_name: Ok}}], deny_rules: [{operation_name: Bad, "
		     "fields: [a]}]");
	static const struct {
		const char *type, *name, *field, *hash;
		enum osh_reason why;
	} ops[] = {
		{ "query", "", "ab", NULL, OK },
		{ "QUERY", "", "ab", NULL, OK },
		{ "query", "", "b", NULL, OSH_WHY_GRAPHQL },
		{ "", "", "ab", NULL, OSH_WHY_GRAPHQL },
		{ "mutation", "Ok", "z", NULL, OK },
		{ "mutation", "", "z", NULL, OSH_WHY_GRAPHQL },
		{ "query", "Bad", "a", NULL, OSH_WHY_GRAPHQL },
		{ "", "", "", "nobody", OSH_WHY_GRAPHQL_UNKNOWN },
		/* A name that the client made up does not stand for the registered one... */
		{ "", "Ok", "", "h", OSH_WHY_GRAPHQL },
		/* ...but is believed when it is denied. */
		{ "", "Bad", "", "h", OSH_WHY_GRAPHQL },
	};
	struct policy p = policy_of(yaml);
	struct eval_request q = request_of("POST", "/");
	struct eval_graphql g = { .n = 1 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		struct eval_operation op = { ops[i].type, ops[i].name, &ops[i].field, 1,
					     ops[i].hash != NULL, ops[i].hash };

		g.operations = &op;
		q.graphql = &g;
		if (eval_request(&p, &q).why != ops[i].why)
			fail_msg("operation %zu: %d", i, eval_request(&p, &q).why);
	}
	g = (struct eval_graphql){ .error = true };
	assert_int_equal(eval_request(&p, &q).why, OSH_WHY_GRAPHQL_BAD);
	policy_done(&p);
}

static void decides_calls(void **state)
{
	static const char rpc[] = HEAD RULE("r", "protocol: json-rpc, rules: [{allow: {method: a}}]");
	static const char mcp[] = HEAD RULE("m", "protocol: mcp, rules: [{allow: {method: 'tools/*'}}, {allow: {method: x}}], "
					    "deny_rules: [{tool: 'rm.*'}]");
	static const char known[] = HEAD RULE("k", "protocol: mcp, mcp: {allow_all_known_mcp_methods: true, "
					      "strict_tool_names: false}");
	static const struct {
		const char *yaml, *http;
		struct eval_call call;
		enum osh_reason why;
	} calls[] = {
		{ rpc, "POST", { .method = "a" }, OK },
		{ rpc, "POST", { .method = "A" }, NO },
		{ rpc, "GET", { .method = "a" }, OSH_WHY_PROTOCOL },
		{ rpc, "GET", { .stream = true }, OSH_WHY_PROTOCOL },
		{ rpc, "POST", { .response = true }, OSH_WHY_PROTOCOL },
		{ rpc, "POST", { .method = "a", .error = true }, OSH_WHY_PROTOCOL },
		{ rpc, "POST", { 0 }, OSH_WHY_PROTOCOL },
		{ mcp, "POST", { .method = "tools/call", .tool = "t" }, OK },
		{ mcp, "POST", { .method = "tools/list" }, OK },
		{ mcp, "POST", { .method = "tools/call" }, NO },
		{ mcp, "POST", { .method = "tools/call", .tool = "no good" }, NO },
		{ mcp, "POST", { .method = "tools/call", .tool = "rm.a.b" }, DENIED },
		{ mcp, "POST", { .method = "x" }, OK },
		{ mcp, "POST", { .method = "initialize" }, NO },
		{ mcp, "GET", { .stream = true }, OK },
		{ mcp, "POST", { .stream = true }, OSH_WHY_PROTOCOL },
		{ mcp, "POST", { .response = true }, OK },
		{ mcp, "POST", { .response = true, .method = "x" }, OSH_WHY_PROTOCOL },
		{ known, "POST", { .method = "initialize" }, OK },
		{ known, "POST", { .method = "tools/call", .tool = "any thing" }, OK },
		{ known, "POST", { .method = "other" }, NO },
	};
	struct eval_call batch[] = { { .method = "a" }, { .method = "b" } };
	struct policy p;
	struct eval_request q;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		p = policy_of(calls[i].yaml);
		q = request_of(calls[i].http, "/");
		q.calls = &calls[i].call;
		q.n_calls = 1;
		if (eval_request(&p, &q).why != calls[i].why)
			fail_msg("call %zu: %d", i, eval_request(&p, &q).why);
		q.n_calls = 0;
		assert_int_equal(eval_request(&p, &q).why, OSH_WHY_PROTOCOL);
		policy_done(&p);
	}
	p = policy_of(rpc);
	q = request_of("POST", "/");
	q.calls = batch;
	q.n_calls = 2;
	assert_int_equal(eval_request(&p, &q).why, NO);
	batch[1].method = "a";
	assert_int_equal(eval_request(&p, &q).why, OK);
	policy_done(&p);
}

static void decides_addresses(void **state)
{
	static const char yaml[] =
		"network:\n  - {host: a.test}\n  - {host: b.test, allowed_ips: [10.0.0.0/8, 9.9.9.9]}\n"
		"  - {host: 10.0.0.1}\n  - {host: 127.0.0.1}\n  - {host: k.test, port: 6443}\n"
		"  - {host: 10.1.0.0/16, allowed_ips: [10.1.0.0/16]}\n";
	static const struct {
		const char *host, *addr;
		enum osh_reason why;
		uint32_t port;
	} cases[] = {
		{ "a.test", "93.184.216.34", OK, 443 },
		{ "a.test", "10.0.0.1", OSH_WHY_ADDR_PRIVATE, 443 },
		{ "a.test", "fd00::1", OSH_WHY_ADDR_PRIVATE, 443 },
		{ "a.test", "::1", OSH_WHY_ADDR_FORBIDDEN, 443 },
		{ "a.test", "0.0.0.0", OSH_WHY_ADDR_FORBIDDEN, 443 },
		{ "a.test", "198.18.0.9", OSH_WHY_ADDR_FORBIDDEN, 443 },
		{ "a.test", "nonsense", OSH_WHY_RESOLVE, 443 },
		{ "b.test", "10.200.0.1", OK, 443 },
		{ "b.test", "9.9.9.9", OK, 443 },
		{ "b.test", "9.9.9.8", OSH_WHY_ADDR_NOT_LISTED, 443 },
		{ "b.test", "127.0.0.1", OSH_WHY_ADDR_FORBIDDEN, 443 },
		{ "10.0.0.1", "10.0.0.1", OSH_WHY_ADDR_PRIVATE, 443 },
		{ "10.1.2.3", "10.1.2.3", OK, 443 },
		{ "127.0.0.1", "127.0.0.1", OSH_WHY_ADDR_FORBIDDEN, 443 },
		{ "k.test", "93.184.216.34", OSH_WHY_PORT_FORBIDDEN, 6443 },
		{ "c.test", "93.184.216.34", OSH_WHY_DEST_UNKNOWN, 443 },
	};
	struct policy p = policy_of(yaml);
	static const char *const mixture[] = { "93.184.216.34", "10.0.0.1" };
	struct eval_connect both = { .host = "a.test", .port = 443 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct eval_connect c = { .host = cases[i].host, .port = cases[i].port };
		struct decision d = eval_addr(&p, &c, &cases[i].addr, 1);

		if (d.why != cases[i].why || (d.verdict == OSH_ALLOW) != (d.why == OK))
			fail_msg("%s at %s: %d", c.host, cases[i].addr, d.why);
		assert_int_not_equal(eval_addr(&p, &c, NULL, 0).verdict, OSH_ALLOW);
	}
	assert_int_equal(eval_addr(&p, &both, mixture, 2).why, OSH_WHY_ADDR_PRIVATE);
	policy_done(&p);
}

static void decides_identities(void **state)
{
	static const char yaml[] =
		"network:\n  - {host: i.test, binaries: [{path: '/opt/*', inherit: true}]}\n"
		"  - {host: s.test, binaries: [{path: /x, sha256: "
		"\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"}]}\n"
		"  - {host: c.test, binaries: ['/bin/[ab]']}\n";
	static const char *const above[] = { "/bin/sh", "/opt/a" };
	struct policy p = policy_of(yaml);
	struct eval_connect c = { .host = "i.test", .port = 443, .binary = "/bin/ls" };

	(void)state;
	assert_int_equal(eval_connect(&p, &c).why, OSH_WHY_BINARY);
	c.ancestors = above;
	c.n_ancestors = 1;
	assert_int_equal(eval_connect(&p, &c).why, OSH_WHY_BINARY);
	c.n_ancestors = 2;
	assert_int_equal(eval_connect(&p, &c).why, OK);
	c = (struct eval_connect){ .host = "s.test", .port = 443, .binary = "/x" };
	assert_int_equal(eval_connect(&p, &c).why, OSH_WHY_BINARY);
	c.sha256 = "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff";
	assert_int_equal(eval_connect(&p, &c).why, OK);
	c = (struct eval_connect){ .host = "c.test", .port = 443, .binary = "/usr/bin/b" };
	assert_int_equal(eval_connect(&p, &c).why, OK);
	policy_done(&p);
}

static void decides_programs_and_holes(void **state)
{
	static const char yaml[] =
		"version: 1\nfilesystem_policy: {include_workdir: true, read_only: [/usr, {path: /d, binaries: [/t]}], "
		"deny: ['.git/hooks/**', '*.pem', /usr/x]}\nprocess: {exec: {mode: strict, allow: ['/usr/bin/*', /w/run]}}\n";
	enum { NONE, READ, WRITE };
	static const struct {
		const char *path, *binary;
		int want;
	} files[] = {		/* what is denied is still read */
		{ "/w/a", NULL, WRITE },	  { "/w/.git/hooks", NULL, READ },
		{ "/w/.git/hooks/a/b", NULL, READ }, { "/w/.git", NULL, WRITE },
		{ "/w/k.pem", NULL, READ },	  { "/w/d/k.pem", NULL, WRITE },
		{ "/w/k.pem/x", NULL, READ },	  { "/usr/x/y", NULL, READ },
		{ "/usr/xy", NULL, READ },	  { "/d/a", NULL, NONE },
		{ "/d/a", "/t", READ },		  { "/d/a", "/u", NONE },
	};
	struct policy p = policy_of(yaml);
	struct decision d = eval_file(&p, "/w/.git/hooks/a", "/w", NULL, true);

	(void)state;
	assert_string_equal(d.rule, "filesystem_policy.deny");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if ((eval_file(&p, files[i].path, "/w", files[i].binary, false).verdict == OSH_ALLOW) !=
			    (files[i].want >= READ) ||
		    (eval_file(&p, files[i].path, "/w", files[i].binary, true).verdict == OSH_ALLOW) !=
			    (files[i].want == WRITE))
			fail_msg("%s by %s", files[i].path, files[i].binary ? files[i].binary : "-");
	assert_int_equal(eval_exec(&p, "/usr/bin/ls", "/w").why, OK);
	assert_int_equal(eval_exec(&p, "/w/run", "/w").why, OK);
	assert_int_equal(eval_exec(&p, "/w/other", "/w").why, OSH_WHY_EXEC_STRICT);
	assert_int_equal(eval_exec(&p, "/opt/a", "/w").why, OSH_WHY_EXEC_TREE);
	policy_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decides_requests),  cmocka_unit_test(decides_graphql),
		cmocka_unit_test(decides_calls),     cmocka_unit_test(decides_addresses),
		cmocka_unit_test(decides_identities), cmocka_unit_test(decides_programs_and_holes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
