/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The language beyond what the runtime keeps: `check` accepts it with a warning that names what is not
 * kept, `compile` refuses the same places, and contradictions are errors for both.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "own.h"
#include "policy.h"
#include "schema.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

#define EP(fields) "version: 1\nnetwork_policies: {r: {binaries: [/x], endpoints: [\n{host: a.test, port: 1, " fields "}]}}\n"
#define EP2(a, b) EP(a "},\n{host: a.test, port: 1, " b)
#define ALLOW(fields) "rules: [{allow: {" fields "}}]"

#define PRIVACY(list) "inference:\n  routes: [{name: a, api: openai}]\n  privacy: [" list "]\n"
#define LIMITS(list) "inference:\n  routes: [{name: a, api: openai}]\n  limits: [" list "]\n  prices: [{model: '*', input: 1, output: 2}]\n"

/*
 * `want`: "CODE:LINE:COL" of every diagnostic that the reader gives, in order of place, but OSH207.
 * Warnings that look at rules side by side have tests of their own.
 */
static const struct {
	const char *name, *text, *want;
} cases[] = {
/* clang-format off */
	{ "rest", EP("protocol: rest, " ALLOW("method: GET, path: /x, query: {a: b, c: {any: [d]}}")), "" },
	{ "upper case protocol", EP("protocol: REST, access: full"), "" },
	{ "no method", EP("protocol: rest, " ALLOW("path: /x")), "108:3:57" },
	{ "no path", EP("protocol: rest, deny_rules: [{method: GET}], access: full"), "108:3:54" },
	{ "method pattern", EP("protocol: rest, " ALLOW("method: 'G*', path: /x")), "142:3:66" },
	{ "method nonsense", EP("protocol: rest, " ALLOW("method: 'G T', path: /x")), "142:3:66" },
	{ "bad path pattern", EP("protocol: rest, " ALLOW("method: GET, path: '/[x'")), "141:3:77" },
	{ "braces", EP("protocol: rest, " ALLOW("method: GET, path: '/{a'")), "141:3:77" },
	{ "empty any", EP("protocol: rest, " ALLOW("method: GET, path: /, query: {a: {any: []}}")), "142:3:97" },
	{ "rule without allow", EP("protocol: rest, rules: [{method: GET}]"), "108:3:49 105:3:50" },
	{ "query number", EP("protocol: rest, " ALLOW("method: GET, path: /, query: {a: 1}")), "106:3:91" },
	{ "rest and fields", EP("protocol: rest, " ALLOW("method: GET, path: /, fields: [a]")), "142:3:80" },
	{ "access and rules", EP("protocol: rest, access: full, " ALLOW("method: GET, path: /")), "110:3:41" },
	{ "unknown preset", EP("protocol: rest, access: readonly"), "209:3:49" },
	{ "nothing allowed", EP("protocol: rest"), "142:3:1" },
	{ "deny only", EP("protocol: rest, deny_rules: [{method: GET, path: /}]"), "142:3:1 142:3:41" },
	{ "empty lists", EP("protocol: rest, rules: [], deny_rules: []"), "142:3:41 142:3:52" },
	{ "rules of nothing", EP(ALLOW("method: GET, path: /")), "142:3:25" },
	{ "tcp with access", EP("protocol: tcp, access: full"), "142:3:40" },
	{ "idle path", EP("path: /x"), "201:3:25" },
	{ "audit", EP("protocol: rest, access: full, enforcement: audit"), "210:3:1" },
	{ "websocket both", EP("protocol: websocket, " ALLOW("method: GET, path: /, operation_type: query")), "142:3:62" },
	{ "graphql without type", EP("protocol: graphql, " ALLOW("fields: [a]")), "108:3:60" },
	{ "graphql deny without type", EP("protocol: graphql, access: full, deny_rules: [{fields: [a]}]"), "" },
	{ "graphql word", EP("protocol: graphql, " ALLOW("operation_type: mutate")), "109:3:77" },
	{ "graphql options elsewhere", EP("protocol: rest, access: full, persisted_queries: deny"), "142:3:55" },
	{ "json-rpc", EP("protocol: json-rpc, " ALLOW("method: a.b") ", json_rpc: {max_body_bytes: 9}"), "" },
	{ "json-rpc pattern", EP("protocol: json-rpc, " ALLOW("method: 'a.*'")), "143:3:70" },
	{ "json-rpc access", EP("protocol: json-rpc, access: full"), "142:3:45" },
	{ "json-rpc tool", EP("protocol: json-rpc, " ALLOW("method: a, tool: b")), "142:3:73" },
	{ "mcp", EP("protocol: mcp, " ALLOW("tool: {any: [a, 'b*']}")), "" },
	{ "mcp pattern", EP("protocol: mcp, " ALLOW("method: 'prompts/*'")), "143:3:65" },
	{ "mcp tool elsewhere", EP("protocol: mcp, " ALLOW("method: initialize, tool: a")), "142:3:56" },
	{ "mcp tool twice", EP("protocol: mcp, " ALLOW("tool: a, params: {name: a}")), "110:3:66" },
	{ "mcp arguments", EP("protocol: mcp, " ALLOW("params: {name: a, arguments: {}}")), "105:3:75" },
	{ "mcp loose", EP("protocol: mcp, mcp: {strict_tool_names: false}, " ALLOW("tool: 'a*'")), "142:3:89" },
	{ "mcp without rules", EP("protocol: mcp, mcp: {allow_all_known_mcp_methods: true}"), "" },
	{ "signing", EP("protocol: rest, access: full, credential_signing: sigv4, signing_service: s3"), "" },
	{ "signing nothing", EP("protocol: rest, access: full, credential_signing: sigv4"), "144:3:55" },
	{ "body rewrite elsewhere", EP("protocol: graphql, access: full, request_body_credential_rewrite: true"), "144:3:58" },
	{ "hostless", "version: 1\nnetwork_policies: {r: {binaries: [/x], endpoints: [{port: 1, allowed_ips: [10.0.0.0/8]}]}}\n", "" },
	{ "hostless tcp", "version: 1\nnetwork_policies: {r: {binaries: [/x], endpoints: [{port: 1, protocol: tcp, allowed_ips: [10.0.0.0/8]}]}}\n", "130:2:52" },
	{ "a host pattern", "network: [{host: '*-x.a.test'}]\n", "" },
	{ "short form", "network: [{host: a.test, methods: [GET, head], paths: [/a, '/b/**']}]\n", "" },
	{ "short form, none", "network: [{host: a.test, methods: [], paths: []}]\n", "142:1:26 142:1:39" },
	{ "middleware", "version: 1\nnetwork_middlewares: {m: {middleware: x, endpoints: {include: ['{a}']}}}\n", "151:2:1 141:2:64" },
	{ "gpu twice", "gpu: {count: 1, devices: [0]}\n", "110:1:6" },
	{ "cpu", "resources: {cpu: 1.5, memory: 1.5Gi, wall: 2, pids: 0}\n", "109:1:31 109:1:44 109:1:53" },
	{ "resources", "resources: {cpu: 9m, swap: none, io_weight: 10001, files: 15, disk: 63Ki, wall: 90, gpu_memory: 65535}\n",
	  "109:1:18 109:1:28 109:1:45 109:1:59 109:1:69 109:1:81 109:1:97" },
	{ "resources", "resources: {cpu: 10m, swap: 4Ki, io_weight: 10000, files: 16, disk: 64Ki, wall: 1s, gpu_memory: 64Ki}\n", "" },
	{ "assert", "assert: [{never: {host: '*'}}, {never_reach: {}}, {never: {read: /x}, never_reach: {host: a}}]\n", "108:1:46 110:1:51 142:1:60" },
	{ "routes twice", "inference: {routes: [{name: a, api: openai}, {name: a, api: openai}]}\n", "104:1:46" },
	{ "a route", "inference: {routes: [{name: a, api: openai, host: a.test, port: 1, allowed_ips: [10.0.0.1], as: 'a b'}]}\n", "109:1:97" },
	{ "limits", LIMITS("{requests: 1, per: minute}, {tokens: 5, requests: 9, per: day, of: user, route: a}, {money: 0.000001, per: day}"), "" },
	{ "a limit twice", LIMITS("{requests: 1, tokens: 2, per: day}, {tokens: 3, per: day}, {tokens: 3, per: day, route: a}"), "104:3:48" },
	{ "a limit of nothing", LIMITS("{per: day}, {requests: 0, per: day}, {money: 0, per: day}, {money: 0.0, per: day}"), "108:3:12 109:3:35 109:3:57 109:3:79" },
	{ "a limit for ever", LIMITS("{tokens: 1}, {requests: 1, per: hour}, {requests: 1, per: day, of: host}"), "108:3:12 109:3:44 109:3:79" },
	{ "limits of another", LIMITS("{requests: 1, per: day, route: b}, {requests: '1', per: day}, {tokens: 1.5, per: day}"), "109:3:12 106:3:58 109:3:83" },
	{ "money", LIMITS("{money: 1.0000001, per: day}, {money: .5, per: day}, {money: 1., per: day}, {money: 1e3, per: day}, {money: 01, per: day}"),
	  "109:3:20 109:3:50 109:3:73 109:3:96 109:3:120" },
	{ "money", LIMITS("{money: 1000000000, per: day}, {money: 1000000000.000001, per: minute}, {money: -1, per: minute}"), "109:3:51 109:3:92" },
	{ "money without prices", "inference:\n  routes: [{name: a, api: openai}]\n  limits: [{money: 1, per: day}]\n", "108:3:12" },
	{ "a price", "inference:\n  routes: [{name: a, api: openai}]\n  prices: [{model: [a, 'b*'], input: 1, output: 0.25}, {model: a}]\n", "108:3:56 108:3:56" },
	{ "privacy", PRIVACY("{name: k, kinds: [secrets, email], action: refuse}, {name: l, patterns: ['id-[0-9]', 'a*.b', 'x y', '{p,q}-*'], action: redact}"), "" },
	{ "privacy of nothing", PRIVACY("{name: k, action: refuse}, {name: k, kinds: [aws], action: redact}, {name: '', patterns: [''], action: refuse}"),
	  "108:3:13 104:3:40 109:3:88 141:3:103" },
	{ "privacy, runs without an end", PRIVACY("{name: k, patterns: ['*a', 'a**b', 'a*b', 'a*?', 'a*-', 'a*[!x]', 'a* b*', 'a*'], action: refuse}"),
	  "141:3:34 141:3:40 141:3:48 141:3:55 141:3:62 141:3:69" },
	{ "privacy, a star that is none", PRIVACY("{name: k, patterns: ['\\*abc', 'a\\*b', '[*]a', '\\**.a'], action: refuse}"), "" },
	{ "privacy, a star behind one", PRIVACY("{name: k, patterns: ['\\**a'], action: refuse}"), "141:3:34" },
	{ "privacy, nothing local", PRIVACY("{name: k, kinds: [aws], action: local}"), "108:3:13" },
	{ "local, and elsewhere", "inference: {routes: [{name: a, api: openai, local: true}]}\n", "108:1:22" },
	{ "local only", "inference: {local_only: true, routes: [{name: a, api: llama, host: a.test, local: true}]}\n", "" },
	{ "local only, and another route", "inference: {local_only: true, routes: [{name: a, api: llama, host: a.test, local: true}, {name: b, api: llama, host: b.test}]}\n", "110:1:90" },
	{ "local only, and another endpoint", "inference: {local_only: true, routes: [{name: a, api: llama, host: a.test, local: true}]}\nnetwork: [{host: b.test}]\n", "110:2:11" },
	{ "entry for nobody", "version: 1\nfilesystem_policy: {read_only: [{path: /a, binaries: []}]}\n", "109:2:54" },
	{ "deny for some programs", "version: 1\nfilesystem_policy: {deny: [{path: /a, binaries: [/b]}]}\n", "" },
	{ "for some programs, where all write", "version: 1\nfilesystem_policy: {read_write: [/a, {path: /a/c, binaries: [/b]}]}\n", "" },
	/* contradictions: OSH133 at the later endpoint */
	{ "protocol", EP2("protocol: rest, access: full", "protocol: graphql, access: full"), "133:4:1" },
	{ "protocol, other path", EP2("protocol: rest, access: full, path: /a", "protocol: graphql, access: full, path: /b"), "" },
	{ "protocol, other weight", EP2("protocol: rest, access: full", "protocol: graphql, access: full, path: /b"), "" },
	{ "enforcement", EP2("protocol: rest, access: full", "protocol: rest, access: full, enforcement: audit"), "133:4:1 210:4:1" },
	{ "slash", EP2("protocol: rest, access: full", "protocol: rest, access: full, allow_encoded_slash: true"), "133:4:1" },
	{ "plain beside rest", EP2("protocol: rest, access: full", "tls: terminate"), "201:4:30" },
	{ "rest beside tcp", EP2("protocol: rest, access: full", "protocol: tcp"), "133:4:1" },
	{ "same twice", EP2("protocol: rest, access: full", "protocol: rest, access: read-only"), "" },
/* clang-format on */
};

static void says(const struct diags *d, char *out, size_t n)
{
	*out = 0;
	for (uint32_t i = 0; i < d->n; i++)
		if (d->v[i].code < DIAG_RUNTIME || (d->v[i].code > DIAG_RUNTIME && d->v[i].code <= DIAG_AUDIT))
			snprintf(out + strlen(out), n - strlen(out), "%s%u:%u:%u", *out ? " " : "",
				 d->v[i].code, d->v[i].at.line, d->v[i].at.col);
}

static void check_says(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct diags d = { 0 };
		char got[400];
		int r = policy_check(slice_of(cases[i].text), &d);

		says(&d, got, sizeof(got));
		if (strcmp(got, cases[i].want) || (r == 0) != !d.n_errors) {
			print_error("%s: want '%s', got '%s' (%d)\n", cases[i].name, cases[i].want, got, r);
			diags_print(&d, stderr, "case", slice_of(cases[i].text), false);
			bad++;
		}
		diags_done(&d);
	}
	assert_int_equal(bad, 0);
}

/* What check warns of is what compile refuses, place by place; nothing unkept gets into a bundle. */
static void compile_refuses_what_check_warns_of(void **state)
{
	unsigned refused = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct diags warned = { 0 }, made = { 0 };
		struct buf b = { 0 };
		uint32_t n_warned = 0, n_made = 0;
		int checked = policy_check(slice_of(cases[i].text), &warned);
		int r = policy_compile(slice_of(cases[i].text), &made, &b);

		for (uint32_t k = 0; k < warned.n; k++)
			n_warned += warned.v[k].code == DIAG_RUNTIME;
		for (uint32_t k = 0; k < made.n; k++)
			n_made += made.v[k].code == DIAG_LATER;
		if (n_warned != n_made || (r == 0) != (checked == 0 && !n_made))
			fail_msg("%s: %u warned, %u refused, %d", cases[i].name, n_warned, n_made, r);
		refused += n_made > 0;
		diags_done(&warned);
		diags_done(&made);
		buf_done(&b);
	}
	assert_true(refused > 2);
}

/* A key cannot be known to the reader and unknown to people: every row says what it is. */
static void rows_are_complete(void **state)
{
	(void)state;
	for (const struct field *f = policy_fields; f->key; f++)
		assert_true(f->read && f->type && *f->type && f->doc && *f->doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_says),
		cmocka_unit_test(compile_refuses_what_check_warns_of),
		cmocka_unit_test(rows_are_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
