/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `policy schema` against the reader: whatever the reader takes, the schema takes too, and the shapes
 * that the reader refuses it refuses. Checks the part of JSON Schema that schema_json.c writes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "embed.h"
#include "policy.h"
#include "schema_json.h"
#include "tree.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

static bool fits(const struct node *n, const json_t *s);

static bool number(const struct node *n, bool whole)
{
	char *end;

	if (n->kind != NODE_SCALAR || !n->plain || !*n->text)
		return false;
	(void)strtod(n->text, &end);
	return !*end && (!whole || !strpbrk(n->text, ".eE"));
}

static bool is_bool(const struct node *n)
{
	return n->kind == NODE_SCALAR && n->plain && (!strcmp(n->text, "true") || !strcmp(n->text, "false"));
}

static bool type_fits(const struct node *n, const char *type)
{
	if (!strcmp(type, "object"))
		return n->kind == NODE_MAP;
	if (!strcmp(type, "array"))
		return n->kind == NODE_LIST;
	if (!strcmp(type, "boolean"))
		return is_bool(n);
	if (!strcmp(type, "integer") || !strcmp(type, "number"))
		return number(n, *type == 'i');
	assert_string_equal(type, "string");
	return n->kind == NODE_SCALAR && !number(n, false) && !is_bool(n);
}

static bool map_fits(const struct node *n, const json_t *s)
{
	const json_t *more = json_object_get(s, "additionalProperties"), *v;
	size_t i;

	for (const struct node *e = n->first; e; e = e->next) {
		const json_t *sub = json_object_get(json_object_get(s, "properties"), e->key->text);

		if (sub ? !fits(e, sub) : json_is_false(more) || (json_is_object(more) && !fits(e, more)))
			return false;
	}
	json_array_foreach((json_t *)json_object_get(s, "required"), i, v) {
		const struct node *e = n->first;

		while (e && strcmp(e->key->text, json_string_value(v)))
			e = e->next;
		if (!e)
			return false;
	}
	return true;
}

static bool one_of(const struct node *n, const json_t *words)
{
	const json_t *v;
	size_t i;

	json_array_foreach((json_t *)words, i, v)
		if (n->kind == NODE_SCALAR && !strcmp(json_string_value(v), n->text))
			return true;
	return false;
}

static bool type_of(const struct node *n, const json_t *type)
{
	const json_t *v;
	size_t i;

	if (json_is_string(type))
		return type_fits(n, json_string_value(type));
	json_array_foreach((json_t *)type, i, v)
		if (type_fits(n, json_string_value(v)))
			return true;
	return !type;
}

static bool fits(const struct node *n, const json_t *s)
{
	const json_t *any = json_object_get(s, "anyOf"), *max = json_object_get(s, "maximum"), *v;
	bool ok = !any;
	size_t i;

	json_array_foreach((json_t *)any, i, v)
		ok = ok || fits(n, v);
	if (!ok || !type_of(n, json_object_get(s, "type")))
		return false;
	if (json_object_get(s, "enum") && !one_of(n, json_object_get(s, "enum")))
		return false;
	if (json_object_get(s, "const") && (!number(n, true) || strcmp(n->text, "1")))
		return false;
	if (max && (atoll(n->text) > json_integer_value(max) || atoll(n->text) < 1))
		return false;
	if (n->kind == NODE_LIST && json_object_get(s, "items"))
		for (const struct node *e = n->first; e; e = e->next)
			if (!fits(e, json_object_get(s, "items")))
				return false;
	return n->kind != NODE_MAP || map_fits(n, s);
}

static json_t *schema(void)
{
	struct buf b = { 0 };
	struct json j = json_to_buf(&b);
	json_t *s;

	schema_json(&j);
	assert_int_equal(json_line(&j), 0);
	s = json_loadb(b.p, b.n, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(s);
	buf_done(&b);
	return s;
}

static bool text_fits(const json_t *s, struct slice text)
{
	struct arena a = { 0 };
	struct diags d = { 0 };
	const struct node *root = yaml_read(text, &a, &d);
	bool ok = root && fits(root, s);

	diags_done(&d);
	arena_done(&a);
	return ok;
}

/* Every key of the language once, with a value that the reader takes. */
static const char whole[] =
	"version: 1\n"
	"filesystem_policy: {include_workdir: true, read_only: [/usr, {path: /a, binaries: [/b]}], read_write: [/tmp], deny: [.git/**]}\n"
	"landlock: {compatibility: hard_requirement}\n"
	"process: {run_as_user: sandbox, run_as_group: 1000, env: {pass: [TERM], set: {CI: \"1\"}}, exec: {mode: strict, allow: [/usr/bin/**]}}\n"
	"dns: {wildcard_names: 4}\n"
	"resources: {cpu: 2, memory: 4Gi, swap: 1Gi, pids: 512, io_weight: 50, files: 4096, disk: 1Gi, wall: 2h, gpu_memory: 8Gi}\n"
	"gpu: {devices: [0, GPU-1], share: false}\n"
	"credentials: {c: {provider: p}}\n"
	"inference:\n  models: [\"m-*\"]\n  aliases: {fast: m-1}\n  fallback: true\n  balance: least_busy\n  binaries: [/b, {path: /c}]\n  routes:\n"
	"    - {name: default, provider: p, api: anthropic, model: \"m-*\", as: m-2, path: /x, weight: 3}\n"
	"    - {name: local, api: ollama, host: o.example.com, port: 11434, tls: false, local: true, allowed_ips: [10.0.0.1], model: [a, \"b*\"]}\n"
	"    - {name: beside, api: llama, sandbox: gpu-1, port: 8000}\n"
	"  limits:\n    - {requests: 1, tokens: 2, money: 2.5, per: day, of: user, route: local}\n"
	"  prices:\n    - {model: \"m-*\", input: 3, output: 15, cached: 0.3, stored: 3.75}\n    - {model: [a, b], input: 0, output: 0}\n"
	"  privacy:\n    - {name: keys, kinds: [secrets], action: refuse}\n    - {name: people, kinds: [email], patterns: [\"id-[0-9]*\", \"{a,b} c\"], action: redact}\n    - {name: here, patterns: [x], action: local}\n  local_only: false\n"
	"serve: [{port: 8000, to: [agent, \"box-?*\"]}]\n"
	"assert:\n  - never: {host: a.example.com, port: 443, method: [POST], path: /x, binaries: [/b]}\n"
	"  - never_reach: {host: \"*.example.org\"}\n  - never_read_and_send: {read: /home/*/.ssh/**}\n"
	"  - never_call: {except: [here], host: \"*.example.org\", port: 443, binaries: [/usr/bin/a]}\n  - never_leave: {binaries: [/usr/bin/a]}\n"
	"network:\n  - {host: a.example.org, ports: [443], binaries: [/b, {path: /c}], taint: deny, methods: [GET], paths: [/x]}\n"
	"  - {host: 10.0.0.1, port: 80, allowed_ips: [10.0.0.1]}\n"
	"network_policies:\n  r:\n    name: r\n    taint: deny\n    binaries: [{path: /b, inherit: false, harness: 1, sha256: \""
	"0000000000000000000000000000000000000000000000000000000000000000\"}, /c]\n    endpoints:\n"
	"      - {host: r.example.com, port: 443, protocol: rest, tls: terminate, enforcement: enforce, path: /v1/**, allow_encoded_slash: true,\n"
	"         credential: c, rules: [{allow: {method: GET, path: /x, query: {a: b, c: {any: [d]}}}}], deny_rules: [{method: \"*\", path: /y}]}\n"
	"      - {host: a.example.com, ports: [443], protocol: rest, access: read-only, credential_signing: sigv4, signing_service: s3, signing_region: r}\n"
	"      - {host: b.example.com, port: 443, protocol: rest, access: full, request_body_credential_rewrite: true, websocket_credential_rewrite: true}\n"
	"      - {host: i.example.com, port: 443, protocol: rest, access: full, route: inference}\n"
	"      - {host: g.example.com, port: 443, protocol: graphql, persisted_queries: allow_registered, graphql_max_body_bytes: 10,\n"
	"         graphql_persisted_queries: {h: {operation_type: query, operation_name: n, fields: [f]}},\n"
	"         rules: [{allow: {operation_type: query, operation_name: n, fields: [f]}}]}\n"
	"      - {host: j.example.com, port: 443, protocol: json-rpc, json_rpc: {max_body_bytes: 10}, rules: [{allow: {method: m}}]}\n"
	"      - {host: m.example.com, port: 443, protocol: mcp, mcp: {max_body_bytes: 10, strict_tool_names: true, allow_all_known_mcp_methods: true},\n"
	"         rules: [{allow: {method: tools/call, tool: {any: [t]}}}, {allow: {method: tools/call, params: {name: t}}}]}\n"
	"      - {host: t.example.com, port: 443, protocol: tcp}\n"
	"      - {host: u.example.com, port: 443, allow_uninspected_credentials: true, credential_binding: {provider: p}}\n";

static void test_whole(void **state)
{
	json_t *s = schema();
	struct slice text = { whole, sizeof(whole) - 1 };
	struct diags d = { 0 };

	(void)state;
	if (policy_check(text, &d) < 0)
		diags_print(&d, stderr, "whole", text, false);
	assert_int_equal(d.n_errors, 0);
	assert_true(text_fits(s, text));
	diags_done(&d);
	json_decref(s);
}

static void test_presets(void **state)
{
	json_t *s = schema();

	(void)state;
	for (size_t i = 0; embed_preset_name(i); i++)
		assert_true(text_fits(s, embed_preset(embed_preset_name(i))));
	json_decref(s);
}

/* The golden policies that are right. The runner starts tests in the root of the tree. */
static void test_golden(void **state)
{
	static const char *const files[] = { "tests/golden/fine.yaml", "tests/golden/lints.yaml" };
	json_t *s = schema();

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		char text[65536];
		FILE *f = fopen(files[i], "r");
		size_t n;

		if (!f)
			skip();
		n = fread(text, 1, sizeof(text), f);
		(void)fclose(f);
		assert_true(text_fits(s, (struct slice){ text, n }));
	}
	json_decref(s);
}

/* Each of them is wrong in its shape, to the reader as to the schema. */
static void test_refused(void **state)
{
	static const char *const texts[] = {
		"version: 2\n",
		"version: \"1\"\n",
		"version: 1\nnetwrok: []\n",
		"version: 1\nfilesystem_policy: []\n",
		"version: 1\nfilesystem_policy: {include_workdir: yes}\n",
		"version: 1\nfilesystem_policy: {read_only: /usr}\n",
		"version: 1\nlandlock: {compatibility: best}\n",
		"version: 1\nprocess: {run_as_usr: sandbox}\n",
		"network: [{hosts: a.example.com}]\n",
		"network: [{host: a.example.com, port: 70000}]\n",
		"network: [{port: 443}]\n",
		"version: 1\nnetwork_policies: {r: {endpoints: [{host: a.example.com, port: 1}]}}\n",
		"version: 1\nnetwork_policies: {r: {binaries: [/b], endpoints: [{host: a.example.com, port: 1, protocol: rest, rules: [{allw: {}}]}]}}\n",
		"credentials: {c: {provder: p}}\n",
		"inference: {routes: [{name: a, api: opena}]}\n",
		"inference: {routes: [{name: a}]}\n",
		"inference: {routes: [{name: a, api: openai}], alias: {a: b}}\n",
		"inference: {routes: [{name: a, api: openai}], limits: [{requests: 1}]}\n",
		"inference: {routes: [{name: a, api: openai}], limits: [{requests: 1, per: week}]}\n",
		"inference: {routes: [{name: a, api: openai}], limits: [{requests: 1.5, per: day}]}\n",
		"inference: {routes: [{name: a, api: openai}], limits: [{request: 1, per: day}]}\n",
		"inference: {routes: [{name: a, api: openai}], prices: [{model: a, input: 1}]}\n",
		"inference: {routes: [{name: a, api: openai}], privacy: [{name: a, kinds: [secrets]}]}\n",
		"inference: {routes: [{name: a, api: openai}], privacy: [{name: a, kinds: [secret], action: refuse}]}\n",
		"inference: {routes: [{name: a, api: openai}], privacy: [{name: a, kinds: [jwt], action: drop}]}\n",
	};
	json_t *s = schema();

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct slice text = { texts[i], strlen(texts[i]) };
		struct diags d = { 0 };

		(void)policy_check(text, &d);
		if (!d.n_errors || text_fits(s, text))
			print_error("accepted by %s: %s", d.n_errors ? "the schema" : "the reader", texts[i]);
		assert_true(d.n_errors);
		assert_false(text_fits(s, text));
		diags_done(&d);
	}
	json_decref(s);
}

/* Whatever the reader knows is in the text above: a key that nobody tested cannot be added. */
static void every_key(const json_t *s, bool *ok)
{
	const char *key;
	json_t *v;
	size_t i;

	json_object_foreach((json_t *)json_object_get(s, "properties"), key, v) {
		/* deny rules and deny keys share rows with allow; these have no place in a valid policy */
		if (!strstr(whole, key) && strcmp(key, "count") && strcmp(key, "command") &&
		    !json_object_get(json_object_get(s, "properties"), "on_error") && strcmp(key, "network_middlewares") &&
		    strcmp(key, "include") && strcmp(key, "exclude")) {
			*ok = false;
			print_error("key '%s' is not in the test's policy\n", key);
		}
		every_key(v, ok);
	}
	if (json_is_object(json_object_get(s, "additionalProperties")))
		every_key(json_object_get(s, "additionalProperties"), ok);
	if (json_object_get(s, "items"))
		every_key(json_object_get(s, "items"), ok);
	json_array_foreach((json_t *)json_object_get(s, "anyOf"), i, v)
		every_key(v, ok);
}

static void test_complete(void **state)
{
	json_t *s = schema();
	bool ok = true;

	(void)state;
	every_key(s, &ok);
	assert_true(ok);
	json_decref(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_presets),
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
