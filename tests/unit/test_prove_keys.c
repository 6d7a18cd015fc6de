/* SPDX-License-Identifier: Apache-2.0 */
/* Every key of the policy language has a row that says what the prover makes of it; one without a row is never proved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "schema.h"
#include "../../userspace/prove/keys.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

static bool has_row(const char *path)
{
	for (const struct key_row *r = key_rows; r->path; r++)
		if (!strcmp(r->path, path))
			return true;
	return false;
}

static unsigned walk(const struct field *fields, const char *above)
{
	unsigned n = 0;

	for (const struct field *f = fields; f->key; f++, n++) {
		char path[512];

		snprintf(path, sizeof(path), "%s%s%s", above, *above ? "." : "", f->key);
		if (!has_row(path))
			fail_msg("'%s' has no row in userspace/prove/keys.def: what does the model make of it?", path);
		n += f->sub ? walk(f->sub, path) : 0;
	}
	return n;
}

static void every_key_has_a_row(void **state)
{
	(void)state;
	assert_true(walk(policy_fields, "") > 100);
}

/* What is without a row: the first key that the walk meets. */
static const char *without(struct arena *a, const char *path, const char *text)
{
	static struct key_row rows[512];
	size_t n = 0;

	memset(rows, 0, sizeof(rows));
	for (const struct key_row *r = key_rows; r->path; r++)
		if (!path || strcmp(r->path, path))
			rows[n++] = *r;
	assert_true(n < 512);
	return keys_unknown(a, slice_of(text), rows);
}

static void a_key_without_a_row_is_seen(void **state)
{
	static const char text[] =
		"version: 1\n"
		"filesystem_policy: {read_only: [/usr, {path: /srv, binaries: [/usr/bin/a]}], deny: [x]}\n"
		"process: {env: {set: {A: b}}, exec: {mode: open}}\n"
		"resources: {memory: 1Gi}\n"
		"network_policies:\n  any_name:\n    binaries: [{path: /usr/bin/a}]\n    endpoints:\n"
		"      - {host: a.example, port: 443, protocol: rest, rules: [{allow: {method: GET, path: /x, query: {q: {any: [a]}}}}]}\n";
	static const char *const used[] = {
		"version", "filesystem_policy", "filesystem_policy.read_only.binaries", "filesystem_policy.deny",
		"process.env.set", "process.exec.mode", "resources.memory", "network_policies.binaries.path",
		"network_policies.endpoints.host", "network_policies.endpoints.rules.allow.path",
		"network_policies.endpoints.rules.allow.query.any",
	};
	struct arena a = { 0 };

	(void)state;
	assert_null(without(&a, NULL, text));
	for (size_t i = 0; i < sizeof(used) / sizeof(*used); i++) {
		const char *found = without(&a, used[i], text);

		assert_non_null(found);
		assert_string_equal(found, used[i]);
	}
	assert_null(without(&a, "gpu.count", text));
	assert_non_null(keys_unknown(&a, slice_of("version: 1\nnetwork_middlewares: {}\n"), key_rows));
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_has_a_row),
		cmocka_unit_test(a_key_without_a_row_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
