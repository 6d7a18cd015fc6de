/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Providers that a policy does not speak of: its endpoints take the credential, nothing more is reached, and
 * endpoints are added only where that was asked for and the policy says nothing. And every profile is one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "embed.h"
#include "own.h"
#include "policy.h"
#include "../../userspace/oshctl/profile.h"
#include "provide.h"
#include "provider.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

#define NET "version: 1\nnetwork_policies:\n  r: {binaries: [/x], endpoints: ["
#define END "]}\n"
#define REST "protocol: rest, access: full"

static const char *const hosts[] = { "api.acme.example", "*.eu.acme.example", NULL }, *const none[] = { NULL };
static const char *const paths[] = { "/login", NULL }, *const programs[] = { "/usr/bin/acme", NULL };
static const uint16_t ports[] = { 443 };

/* What the model then says, an endpoint a line: rule, host, port, protocol, path, credential. */
static char *shown(const char *text)
{
	struct diags d = { 0 };
	struct policy p;
	struct buf b = { 0 };

	if (policy_read(&p, slice_of(text), &d) < 0)
		buf_printf(&b, "refused: %s\n", d.n ? d.v[0].text : "");
	else
		for EACH (struct rule, rule, &p.rules)
			for EACH (struct endpoint, e, &rule->endpoints)
				buf_printf(&b, "%s %s%s %u %s%s%s%s\n", rule->name,
					   e->host.kind == HOST_ONE ? "*" : e->host.kind == HOST_DEEP ? "**" : "", e->host.text,
					   e->ports[0], endpoint_inspected(e) ? "inside" : "plain",
					   e->l7.path.text && *e->l7.path.text ? " " : "",
					   e->l7.path.text ? e->l7.path.text : "",
					   e->l7.credential ? " key" : "");
	policy_done(&p);
	diags_done(&d);
	buf_put(&b, "", 1);
	return b.p;
}

static const struct {
	const char *what, *text;
	bool adds, paths;
	const char *want;
} cases[] = {
	{ "a plain endpoint is looked into as well", NET "{host: api.acme.example, port: 443}" END, false, false,
	  "r api.acme.example 443 plain\nr api.acme.example 443 inside key\n" },
	{ "one of another port is not", NET "{host: api.acme.example, port: 80}" END, false, false,
	  "r api.acme.example 80 plain\n" },
	{ "a wildcard that covers it", NET "{host: '*.acme.example', port: 443}" END, false, false,
	  "r *.acme.example 443 plain\nr api.acme.example 443 inside key\n" },
	{ "a name that the record's wildcard covers", NET "{host: x.eu.acme.example, port: 443}" END, false, false,
	  "r x.eu.acme.example 443 plain\nr x.eu.acme.example 443 inside key\n" },
	{ "rules about requests stay, and take it", NET "{host: api.acme.example, port: 443, protocol: rest, access: read-only}" END,
	  true, false, "_provider_acme *.eu.acme.example 443 inside key\nr api.acme.example 443 inside key\n" },
	{ "another credential stays", NET "{host: api.acme.example, port: 443, " REST ", credential: mine}" END, false, false,
	  "r api.acme.example 443 inside key\n" },
	{ "tls: skip and tcp stay closed", NET "{host: api.acme.example, port: 443, tls: skip}, "
	  "{host: x.eu.acme.example, port: 443, protocol: tcp}" END, true, false,
	  "r api.acme.example 443 plain\nr x.eu.acme.example 443 plain\n" },
	{ "what the policy lacks is not added", NET "{host: other.example, port: 443}" END, false, false,
	  "r other.example 443 plain\n" },
	{ "or added, where it was asked for", NET "{host: other.example, port: 443}" END, true, false,
	  "_provider_acme api.acme.example 443 inside key\n_provider_acme *.eu.acme.example 443 inside key\n"
	  "r other.example 443 plain\n" },
	{ "to its paths alone", NET "{host: api.acme.example, port: 443}" END, false, true,
	  "r api.acme.example 443 plain\nr api.acme.example 443 inside\nr api.acme.example 443 inside /login key\n" },
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct provision p = { .name = "acme", .hosts = hosts, .paths = cases[i].paths ? paths : none,
					     .binaries = programs, .ports = ports, .n_ports = 1, .adds = cases[i].adds };
		_free_ char *got = NULL;

		policy_provide(&p, 1);
		got = shown(cases[i].text);
		policy_provide(NULL, 0);
		if (!cases[i].text[0] || strcmp(got, cases[i].want) != 0)
			print_error("%s:\n%s", cases[i].what, got);
		assert_string_equal(got, cases[i].want);
	}
}

/* A name that is no YAML by itself, and a path that no policy takes: said, and nothing is compiled. */
static void test_odd(void **state)
{
	static const char *const odd[] = { "a\": }", NULL }, *const good[] = { "api.acme.example", NULL };
	struct provision p = { .name = "acme", .hosts = odd, .paths = none, .binaries = programs, .ports = ports, .n_ports = 1 };
	_free_ char *a = NULL, *b = NULL;

	(void)state;
	policy_provide(&p, 1);
	a = shown(NET "{host: api.acme.example, port: 443}" END);
	p.hosts = good;
	p.paths = (const char *const[]){ "/[", NULL };
	b = shown(NET "{host: api.acme.example, port: 443}" END);
	policy_provide(NULL, 0);
	assert_non_null(strstr(a, "refused: provider 'acme'"));
	assert_non_null(strstr(b, "refused: provider 'acme'"));
}

static void list(json_t *record, const char *key, const char **to)
{
	json_t *v = json_object_get(record, key);

	for (size_t i = 0; i < json_array_size(v); i++)
		to[i] = json_string_value(json_array_get(v, i));
}

/* Each is read whole, and with the default preset it compiles: its hosts, paths and programs are a rule. */
static void test_profiles(void **state)
{
	struct slice preset = embed_preset("default");

	(void)state;
	for (size_t i = 0; embed_profile_name(i); i++) {
		const char *h[40] = { 0 }, *ph[40] = { 0 };
		struct provider record;
		struct profile p;
		struct provision v = { .hosts = h, .paths = ph, .ports = ports, .n_ports = 1, .adds = true };
		struct diags d = { 0 };
		struct buf b = { 0 };
		char *text;

		assert_int_equal(profile_open(&p, embed_profile_name(i), &(struct err){ 0 }), 0);
		assert_non_null(p.description);
		v.name = p.type;
		v.binaries = p.binaries;
		list(p.record, "hosts", h);
		list(p.record, "paths", ph);
		if (!h[0])			/* those that want a --host */
			json_object_set_new(p.record, "hosts", json_pack("[s]", h[0] = "api.acme.example"));
		text = json_dumps(p.record, 0);
		assert_int_equal(provider_read(&record, slice_of(text), &(struct err){ 0 }), 0);
		provider_done(&record);
		policy_provide(&v, 1);
		if (policy_compile(preset, &d, &b) < 0)
			print_error("%s: %s\n", p.type, d.n ? d.v[0].text : "");
		assert_int_equal(d.n_errors, 0);
		policy_provide(NULL, 0);
		buf_done(&b);
		diags_done(&d);
		free(text);
		profile_done(&p);
	}
	for (size_t i = 0; i < 3; i++) {
		static const char *const pairs[][2] = { { "anthropic", "claude" }, { "openai", "codex" }, { "google", "gemini" } };

		assert_true(profile_is_for(pairs[i][0], pairs[i][1]));
		assert_false(profile_is_for(pairs[i][0], "bash"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_odd), cmocka_unit_test(test_profiles) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
