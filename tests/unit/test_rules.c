/* SPDX-License-Identifier: Apache-2.0 */
/* The readers behind the judgement of requests: GraphQL documents, bodies, calls; what is never read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "emit.h"
#include "own.h"
#include "policy.h"
#include "rules/rules.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

static const char policy[] =
	"version: 1\n"
	"network_policies:\n"
	"  r:\n"
	"    binaries: [/x]\n"
	"    endpoints:\n"
	"      - {host: a.x.test, port: 80, protocol: rest, path: '/rest/**', rules: [{allow: {method: GET, path: '/rest/**', query: {k: 'v*'}}}, {allow: {method: '*', path: '/rest/any'}}]}\n"
	"      - {host: a.x.test, port: 80, protocol: rest, path: '/post/**', rules: [{allow: {method: POST, path: '/post/**'}}]}\n"
	"      - {host: a.x.test, port: 80, protocol: graphql, path: '/gql', graphql_max_body_bytes: 70000,\n"
	"         rules: [{allow: {operation_type: query, fields: [viewer, node]}}, {allow: {operation_type: mutation, operation_name: 'Get*', fields: [add]}}],\n"
	"         deny_rules: [{operation_type: '*', fields: [secret]}],\n"
	"         persisted_queries: allow_registered, graphql_persisted_queries: {abc: {operation_type: query, fields: [viewer]}}}\n"
	"      - {host: a.x.test, port: 80, protocol: mcp, path: '/mcp', rules: [{allow: {tool: 'read_*'}}, {allow: {method: initialize}}]}\n"
	"      - {host: a.x.test, port: 80, protocol: json-rpc, path: '/rpc', rules: [{allow: {method: sum}}]}\n"
	"      - {host: a.x.test, port: 80, protocol: websocket, path: '/ws', rules: [{allow: {method: GET, path: '/ws'}}, {allow: {operation_type: subscription, fields: [news]}}]}\n"
	"      - {host: a.x.test, port: 80, protocol: websocket, path: '/chat', access: read-only}\n"
	"      - {host: skip.x.test, port: 443, tls: skip}\n"
	"      - {host: plain.x.test, port: 443}\n";

static struct buf bytes;
static struct bundle b;
static struct target all;

/* Everything that the policy has, or one host's part of it. */
static int start(void **state)
{
	struct tables t = { 0 };
	struct diags d = { 0 };
	struct policy p;
	struct err e;

	(void)state;
	if (rules_init() < 0 || policy_read(&p, slice_of(policy), &d) < 0 || merge_policy(&p, &t, &d) < 0 ||
	    emit_bundle(&p, &t, slice_of(policy), &d, &bytes) < 0 ||
	    bundle_open_mem(&b, bytes.p, bytes.n, &e) < 0) {
		diags_print(&d, stderr, "policy", slice_of(policy), false);
		return -1;
	}
	for (uint32_t i = 0; i < b.n_rules; i++)
		all.rules[all.n_rules++] = i;
	policy_done(&p);
	diags_done(&d);
	return 0;
}

static struct rules_answer ask(struct rules_request q)
{
	struct rules_answer a;

	rules_judge(&b, &all, &q, &a);
	return a;
}

static enum osh_reason post(const char *target, const char *body)
{
	return ask((struct rules_request){ .method = "POST", .target = slice_of(target), .body = slice_of(body),
					   .content_type = SLICE("application/json") }).why;
}

static enum osh_reason get(const char *target)
{
	return ask((struct rules_request){ .method = "GET", .target = slice_of(target) }).why;
}

static enum osh_reason document(const char *text)
{
	struct buf body = { 0 };
	enum osh_reason why;

	buf_str(&body, "{\"query\":\"");
	for (; *text; text++)
		buf_printf(&body, "\\u%04x", (unsigned char)*text);
	buf_put(&body, "\"}", 3);
	why = post("/gql", body.p);
	buf_done(&body);
	return why;
}

#define YES OSH_WHY_ALLOWED
#define NO OSH_WHY_GRAPHQL
#define BAD OSH_WHY_GRAPHQL_BAD

static void documents(void **state)
{
	static const struct {
		const char *text;
		enum osh_reason want;
	} cases[] = {
		{ "{viewer}", YES },
		{ "{viewer node}", YES },
		{ "{viewer,secret}", NO },
		{ "{other}", NO },
		{ "{viewer:other}", NO },
		{ "{other:viewer}", YES },
		{ "query{viewer}", YES },
		{ "query Q{viewer}", YES },
		{ "query($a:[Int!]!=[1,2],$b:T={x:{y:\"}\"}}){viewer(a:$a,b:\"\"\"}{ \\\"\"\" \"\"\")}", YES },
		{ "query Q @d(x: 1) {viewer @skip(if: true) {a b c {d}}}", YES },
		{ "mutation GetX {add}", YES },
		{ "mutation X {add}", NO },
		{ "mutation {add}", NO },
		{ "subscription {viewer}", NO },
		{ "{...{viewer}}", YES },
		{ "{...{secret}}", NO },
		{ "{... on Q{viewer ...@include(if:true){secret}}}", NO },
		{ "{...F} fragment F on Q{viewer}", YES },
		{ "{...F} fragment F on Q{viewer ...G} fragment G on Q{secret}", NO },
		{ "{...F} fragment F on Q{viewer ...F}", YES },
		{ "fragment F on Q{secret} {viewer}", YES },
		{ "{viewer{...F}} fragment F on Q{secret}", YES },
		{ "{viewer # secret}\n}", YES },
		{ "{viewer # a\rsecret}", NO },
		{ "{viewer(a: 1, b: -0.5e+10, c: E, d: null, e: [], f: {})}", YES },
		{ "{viewer(a: \"\\u00e9\\\"}\")}", YES },
		{ "\n\t ,,, {viewer} ,", YES },
		{ "", BAD },
		{ " ", BAD },
		{ "{}", BAD },
		{ "{viewer", BAD },
		{ "viewer", BAD },
		{ "{viewer}}", BAD },
		{ "{...Missing}", BAD },
		{ "{...on}", BAD },
		{ "{viewer()}", BAD },
		{ "{viewer(a:01)}", BAD },
		{ "{viewer(a:1x)}", BAD },
		{ "{viewer(a:\"\n\")}", BAD },
		{ "{viewer(a:\"x)}", BAD },
		{ "{viewer(a:\"\\x\")}", BAD },
		{ "{viewer(a:\"\"\"x\"\")}", BAD },
		{ "{viewer} {node}", BAD },
		{ "{viewer} query Q{node}", BAD },
		{ "query A{viewer} query B{viewer}", BAD },
		{ "query A{viewer} query A{viewer}", BAD },
		{ "{...F} fragment F on Q{viewer} fragment F on Q{node}", BAD },
		{ "fragment on on Q{viewer} {viewer}", BAD },
		{ "fragment F on Q{viewer}", BAD },
		{ "type Q {viewer: Int}", BAD },
		{ "extend type Q {a: Int} {viewer}", BAD },
		{ "\"doc\" {viewer}", BAD },
		{ "{v\xc3\xad" "ewer}", BAD },
		{ "\xef\xbb\xbf{viewer}", BAD },
		{ "{viewer # \xe2\x80\xa8 secret\n}", BAD },
		{ "{viewer\x01}", BAD },
		{ "query Q(){viewer}", BAD },
		{ "{viewer ... F} fragment F(x: 1) on Q {node}", BAD },
		{ "{viewer..F} fragment F on Q {node}", BAD },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum osh_reason got = document(cases[i].text);

		if (got == OSH_WHY_REQUEST_DENIED)
			got = NO;
		if (got != cases[i].want)
			fail_msg("'%s': reason %u, not %u", cases[i].text, got, cases[i].want);
	}
}

static void documents_have_bounds(void **state)
{
	struct buf deep = { 0 }, wide = { 0 };

	(void)state;
	for (int i = 0; i < 100; i++)
		buf_str(&deep, "{viewer");
	for (int i = 0; i < 100; i++)
		buf_str(&deep, "}");
	buf_put(&deep, "", 1);
	assert_int_equal(document(deep.p), BAD);
	buf_str(&wide, "{");
	for (int i = 0; i < 600; i++)
		buf_str(&wide, "viewer ");
	buf_put(&wide, "}", 2);
	assert_int_equal(document(wide.p), BAD);
	buf_done(&deep);
	buf_done(&wide);
}

static void bodies(void **state)
{
	static const struct {
		const char *body;
		enum osh_reason want;
	} cases[] = {
		{ "{\"query\":\"{viewer}\"}", YES },
		{ "{\"query\":\"{viewer}\",\"variables\":null,\"operationName\":null,\"extensions\":{}}", YES },
		{ "{\"query\":\"query A{viewer} query B{secret}\",\"operationName\":\"A\"}", YES },
		{ "{\"query\":\"query A{viewer} query B{secret}\",\"operationName\":\"B\"}", NO },
		{ "{\"query\":\"query A{viewer} query B{secret}\",\"operationName\":\"C\"}", BAD },
		{ "[{\"query\":\"{viewer}\"},{\"query\":\"{node}\"}]", YES },
		{ "[{\"query\":\"{viewer}\"},{\"query\":\"{other}\"}]", NO },
		{ "[{\"query\":\"{viewer}\"},{}]", BAD },
		{ "[]", BAD },
		{ "", BAD },
		{ "null", BAD },
		{ "\"{viewer}\"", BAD },
		{ "{\"query\":\"{viewer}\"} x", BAD },
		{ "{\"query\":\"{viewer}\",\"query\":\"{secret}\"}", BAD },
		{ "{\"query\":\"{viewer}\",\"Query\":\"{secret}\"}", BAD },
		{ "{\"query\":\"{viewer}\",\"extension\xc5\xbf\":{}}", BAD },
		{ "{\"query\":\"{viewer}\",\"id\":\"abc\"}", BAD },
		{ "{\"query\":\"{viewer}\",\"documentId\":\"abc\"}", BAD },
		{ "{\"query\":5}", BAD },
		{ "{\"query\":\"{viewer}\",\"variables\":[]}", BAD },
		{ "{\"operationName\":\"x\"}", BAD },
		{ "{\"extensions\":{\"persistedQuery\":{\"sha256Hash\":\"abc\"}}}", YES },
		{ "{\"extensions\":{\"persistedQuery\":{\"sha256Hash\":\"def\"}}}", OSH_WHY_GRAPHQL_UNKNOWN },
		{ "{\"extensions\":{\"persistedQuery\":{\"sha256Hash\":7}}}", BAD },
		{ "{\"extensions\":{\"persistedQuery\":{\"SHA256Hash\":\"abc\"}}}", BAD },
		{ "{\"query\":\"{viewer}\",\"extensions\":{\"persistedQuery\":{\"sha256Hash\":\"abc\"}}}", BAD },
		{ "{\"query\":\"{viewer}\",\"extensions\":{\"persistedQuery\":{\"sha256Hash\":"
		  "\"6c1358d167943758b4d42060c70eb270bc2df178458db8d53fca49aa9079a0fc\"}}}", YES },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum osh_reason got = post("/gql", cases[i].body);

		if (got == OSH_WHY_REQUEST_DENIED)
			got = NO;
		if (got != cases[i].want)
			fail_msg("%s: reason %u, not %u", cases[i].body, got, cases[i].want);
	}
}

/* Whatever a server could take from a second place is not read at all. */
static void second_places(void **state)
{
	struct rules_request q = { .method = "POST", .target = SLICE("/gql"), .body = SLICE("{\"query\":\"{viewer}\"}") };
	static const struct {
		const char *type;
		enum osh_reason want;
	} types[] = {
		{ "application/json", YES },
		{ "Application/JSON; charset=UTF-8", YES },
		{ "application/json ;charset=\"utf-8\"", YES },
		{ "application/graphql+json", YES },
		{ "application/json; charset=utf-16", BAD },
		{ "application/json; charset=utf-8; charset=utf-7", BAD },
		{ "application/x-www-form-urlencoded", BAD },
		{ "multipart/form-data; boundary=x", BAD },
		{ "text/plain", BAD },
		{ "", BAD },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		q.content_type = slice_of(types[i].type);
		if (ask(q).why != types[i].want)
			fail_msg("%s", types[i].type);
	}
	assert_int_equal(post("/gql?query={node}", "{\"query\":\"{viewer}\"}"), BAD);
	assert_int_equal(post("/gql?%71uery={node}", "{\"query\":\"{viewer}\"}"), BAD);
	assert_int_equal(post("/gql?operationName=x", "{\"query\":\"{viewer}\"}"), BAD);
	assert_int_equal(post("/gql?trace=1", "{\"query\":\"{viewer}\"}"), YES);
	assert_int_equal(get("/gql?query=%7Bviewer%7D"), YES);
	assert_int_equal(get("/gql?query={viewer}&x=1"), YES);
	assert_int_equal(get("/gql?query={viewer}&query={viewer}"), BAD);
	assert_int_equal(get("/gql?query={viewer}&id=1"), BAD);
	assert_int_equal(get("/gql?query={viewer}&x=%zz"), BAD);
	assert_int_equal(get("/gql"), BAD);
	q = (struct rules_request){ .method = "GET", .target = SLICE("/gql?query={viewer}"), .body = SLICE("x") };
	assert_int_equal(ask(q).why, BAD);
	q.method = "PUT";
	assert_int_equal(ask(q).why, OSH_WHY_PROTOCOL);
}

static void calls(void **state)
{
	static const struct {
		const char *target, *body;
		enum osh_reason want;
	} cases[] = {
		{ "/rpc", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sum\",\"params\":[1,2]}", YES },
		{ "/rpc", "{\"jsonrpc\":\"2.0\",\"method\":\"sub\"}", OSH_WHY_REQUEST },
		{ "/rpc", "[{\"jsonrpc\":\"2.0\",\"method\":\"sum\"},{\"jsonrpc\":\"2.0\",\"method\":\"sub\"}]", OSH_WHY_REQUEST },
		{ "/rpc", "[{\"jsonrpc\":\"2.0\",\"method\":\"sum\"},[{\"jsonrpc\":\"2.0\",\"method\":\"sum\"}]]", OSH_WHY_PROTOCOL },
		{ "/rpc", "[]", OSH_WHY_PROTOCOL },
		{ "/rpc", "", OSH_WHY_PROTOCOL },
		{ "/rpc", "{\"jsonrpc\":\"2.0\",\"method\":\"sum\",\"Method\":\"sub\"}", OSH_WHY_PROTOCOL },
		{ "/rpc", "{\"jsonrpc\":\"2.0\",\"method\":\"sum\",\"method\":\"sub\"}", OSH_WHY_PROTOCOL },
		{ "/rpc", "{\"jsonrpc\":\"1.0\",\"method\":\"sum\"}", OSH_WHY_PROTOCOL },
		{ "/rpc", "{\"method\":\"sum\"}", OSH_WHY_PROTOCOL },
		{ "/rpc", "{\"jsonrpc\":\"2.0\",\"method\":5}", OSH_WHY_PROTOCOL },
		{ "/rpc", "{\"jsonrpc\":\"2.0\",\"method\":\"\"}", OSH_WHY_PROTOCOL },
		{ "/rpc", "{\"jsonrpc\":\"2.0\",\"method\":\"sum\\u0000\"}", OSH_WHY_PROTOCOL },
		{ "/rpc", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", OSH_WHY_PROTOCOL },
		{ "/mcp", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", YES },
		{ "/mcp", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"method\":\"initialize\"}", OSH_WHY_PROTOCOL },
		{ "/mcp", "{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{\"name\":\"read_x\"}}", YES },
		{ "/mcp", "{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{\"name\":\"read_x\",\"NAME\":\"rm\"}}", OSH_WHY_PROTOCOL },
		{ "/mcp", "{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{\"name\":\"rm\"}}", OSH_WHY_REQUEST },
		{ "/mcp", "{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":[\"read_x\"]}", OSH_WHY_REQUEST },
		{ "/mcp", "{\"jsonrpc\":\"2.0\",\"method\":\"initialize\"} ", YES },
		{ "/mcp", "{\"jsonrpc\":\"2.0\",\"method\":\"initialize\"}{}", OSH_WHY_PROTOCOL },
	};
	static const struct {
		const char *type;
		enum osh_reason want;
	} types[] = {
		{ "", YES },
		{ "application/json-rpc", YES },
		{ "application/json; Charset=UTF-8 ; x=y", YES },
		{ "application/json; charset=\"utf-8\"", YES },
		{ "application/json; charset=utf-7", OSH_WHY_PROTOCOL },
		{ "application/json; charset=utf-80", OSH_WHY_PROTOCOL },
		{ "application/json; charset=utf-8; charset=utf-7", OSH_WHY_PROTOCOL },
		{ "application/json; charset", OSH_WHY_PROTOCOL },
	};
	struct rules_request q = { .method = "GET", .target = SLICE("/mcp") };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum osh_reason got = post(cases[i].target, cases[i].body);

		if (got != cases[i].want)
			fail_msg("%s: reason %u, not %u", cases[i].body, got, cases[i].want);
	}
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct rules_request r = { .method = "POST", .target = SLICE("/rpc"), .content_type = slice_of(types[i].type),
					   .body = SLICE("{\"jsonrpc\":\"2.0\",\"method\":\"sum\"}") };

		if (ask(r).why != types[i].want)
			fail_msg("%s", types[i].type);
	}
	assert_int_equal(ask(q).why, YES);
	q.body = SLICE("x");
	assert_int_equal(ask(q).why, OSH_WHY_PROTOCOL);
	q.body = SLICE("{\"jsonrpc\":\"2.0\",\"method\":\"initialize\"}");
	assert_int_equal(ask(q).why, OSH_WHY_PROTOCOL);
}

static void upgrades(void **state)
{
	struct rules_request q = { .method = "GET", .upgrade = true };
	struct rules_request m = { .method = "WEBSOCKET_TEXT", .message = true, .target = SLICE("/ws") };

	(void)state;
	q.target = SLICE("/ws");
	assert_int_equal(ask(q).why, YES);
	q.target = SLICE("/mcp");
	assert_int_equal(ask(q).why, OSH_WHY_PROTOCOL);
	q.target = SLICE("/rest/any");
	assert_int_equal(ask(q).why, YES);
	q.target = SLICE("/rest/x?k=v");
	assert_int_equal(ask(q).why, OSH_WHY_REQUEST);
	q.upgrade = false;
	assert_int_equal(ask(q).why, YES);

	m.body = SLICE("{\"type\":\"connection_init\"}");
	assert_int_equal(ask(m).why, YES);
	m.body = SLICE("{\"type\":\"subscribe\",\"id\":\"1\",\"payload\":{\"query\":\"subscription {news}\"}}");
	assert_int_equal(ask(m).why, YES);
	assert_int_equal(rules_wants_body(&b, &all, &m), 65536);
	m.body = SLICE("{\"type\":\"start\",\"payload\":{\"query\":\"subscription {other}\"}}");
	assert_int_equal(ask(m).why, NO);
	m.body = SLICE("{\"type\":\"subscribe\",\"Type\":\"ping\",\"payload\":{\"query\":\"subscription {news}\"}}");
	assert_int_equal(ask(m).why, BAD);
	m.body = SLICE("hello");
	assert_int_equal(ask(m).why, BAD);
	m.target = SLICE("/chat");
	assert_int_equal(ask(m).why, OSH_WHY_REQUEST);
	m.message = false;		/* a request with that for a method is no message */
	m.target = SLICE("/ws");
	assert_int_equal(ask(m).why, OSH_WHY_PROTOCOL);
}

static void what_is_asked_for(void **state)
{
	struct rules_request q = { .method = "POST", .target = SLICE("/gql") };
	struct rules_answer a;
	struct target t = { 0 };

	(void)state;
	assert_int_equal(rules_wants_body(&b, &all, &q), 70000);
	q.target = SLICE("/mcp");
	assert_int_equal(rules_wants_body(&b, &all, &q), 65536);
	q.target = SLICE("/rest/x");
	assert_int_equal(rules_wants_body(&b, &all, &q), 0);
	q.target = SLICE("/../x");
	assert_int_equal(rules_wants_body(&b, &all, &q), 0);
	assert_int_equal(ask(q).why, OSH_WHY_TARGET_BAD);
	assert_int_equal(get("*"), OSH_WHY_TARGET_BAD);
	assert_int_equal(get(""), OSH_WHY_TARGET_BAD);
	assert_int_equal(get("http://a.x.test/rest/x"), OSH_WHY_TARGET_BAD);
	/* Broken escapes matter where a rule looks at the query, and there they are no match and no miss. */
	assert_int_equal(get("/rest/x?k=v"), YES);
	assert_int_equal(get("/rest/x?k=v&z=%"), OSH_WHY_TARGET_BAD);
	assert_int_equal(get("/rest/x?k=v%00"), OSH_WHY_TARGET_BAD);
	assert_int_equal(get("/chat?z=%"), YES);
	a = ask((struct rules_request){ .method = "GET", .target = SLICE("/rest//%61/./b;x=1?k=v#") });
	assert_int_equal(a.why, OSH_WHY_TARGET_BAD);
	a = ask((struct rules_request){ .method = "GET", .target = SLICE("/rest//%61/./b;x=1?k=v%61") });
	assert_string_equal(a.path, "/rest/a/b");
	assert_true(slice_is(a.query, "k=v%61"));
	assert_true(rules_inspect(&b, &all));
	rules_judge(&b, &t, &q, &a);
	assert_int_equal(a.why, OSH_WHY_NOT_INSPECTED);
	assert_int_equal(a.verdict, OSH_DENY);
}

/* A POST that some servers take for something else. */
static void other_methods(void **state)
{
	static const struct {
		const char *method, *target;
		enum osh_reason want;
	} cases[] = {
		{ "POST", "/post/x", YES },
		{ "POST", "/post/x?method=DELETE", YES },
		{ "POST", "/post/x?_method=DELETE", OSH_WHY_REQUEST },
		{ "POST", "/post/x?a=1&%5fmeth%6fd=delete", OSH_WHY_REQUEST },
		{ "POST", "/post/x?_method=post", YES },
		{ "POST", "/post/x?_method=", OSH_WHY_TARGET_BAD },
		{ "POST", "/post/x?_method=POST&_method=DELETE", OSH_WHY_TARGET_BAD },
		{ "POST", "/post/x?_method=%zz", OSH_WHY_TARGET_BAD },
		{ "POST", "/rest/any?_method=DELETE", YES },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rules_answer a = ask((struct rules_request){ .method = cases[i].method,
								    .target = slice_of(cases[i].target) });

		if (a.why != cases[i].want)
			fail_msg("%s: reason %u, not %u", cases[i].target, a.why, cases[i].want);
		assert_int_equal(a.verdict == OSH_ALLOW, a.why == YES);
	}
}

static void skipping_tls(void **state)
{
	struct target skip = { .n_rules = 1, .common = OSH_ALT_TLS_SKIP }, plain = { .n_rules = 1 };
	struct target both = { .n_rules = 2, .common = OSH_ALT_TLS_SKIP };

	(void)state;
	for (uint32_t i = 0; i < b.n_rules; i++)
		if (!b.rules[i].l7)
			skip.rules[0] = plain.rules[0] = both.rules[0] = i;
		else
			both.rules[1] = i;
	assert_true(rules_skip_tls(&b, &skip));
	assert_false(rules_inspect(&b, &skip));
	assert_false(rules_skip_tls(&b, &plain));
	assert_false(rules_skip_tls(&b, &both));
	assert_true(rules_inspect(&b, &both));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents), cmocka_unit_test(documents_have_bounds),
		cmocka_unit_test(bodies), cmocka_unit_test(second_places),
		cmocka_unit_test(calls), cmocka_unit_test(upgrades),
		cmocka_unit_test(what_is_asked_for), cmocka_unit_test(skipping_tls),
		cmocka_unit_test(other_methods),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
