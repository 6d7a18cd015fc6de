/* SPDX-License-Identifier: Apache-2.0 */
/* The summary of denials: what is one line to a person, and what only looks as if it were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "own.h"
#include "../../userspace/audit/summary.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

static struct denial denied(const char *addr, uint16_t port)
{
	struct denial d = { .count = 1, .first.ev = { .kind = OSH_EV_CONNECT, .verdict = OSH_DENY, .why = OSH_WHY_DEST_UNKNOWN,
						      .family = AF_INET6, .port = port } };

	assert_int_equal(inet_pton(AF_INET6, addr, d.first.ev.addr_be), 1);
	return d;
}

/* Of a sandbox with the prefix fd5a:1234:5678::/48; none of its addresses has a name here. */
static void check(struct denial *denials, uint32_t n, const char *want)
{
	struct asandbox s = { .id = 7, .denials = denials, .n_denials = n, .net6_asked = true };
	char got[4096] = "";

	assert_int_equal(inet_pton(AF_INET6, "fd5a:1234:5678::", s.net6), 1);
	out_init(&s.summary, memfd_create("summary", 0));
	summary_write(&s, 0);
	assert_true(pread(s.summary.fd, got, sizeof(got) - 1, 0) >= 0);
	out_done(&s.summary);
	assert_string_equal(got, want);
}

static void a_name_has_an_address_of_each_family(void **state)
{
	struct denial d[] = { denied("::ffff:198.18.0.5", 443), denied("fd5a:1234:5678::5", 443), denied("fd5a:1234:5678::6", 443) };

	(void)state;
	check(d, ARRAY_SIZE(d), "osh: 3 denials\n"
				"  connect 198.18.0.5:443 () x2: destination is not in the policy\n"
				"  connect fd5a:1234:5678::6:443 (): destination is not in the policy\n"
				"  what would allow it: oshctl policy explain -p POLICY 'connect 198.18.0.5:443'\n");
}

/* Another network's, of the sort that the sandbox has: its last bits are nobody's number. */
static void an_address_of_others_is_its_own_line(void **state)
{
	static const char *const others[] = { "fd00:ec2::5", "fd5a:1234:5679::5", "fd5a:1234:5678:1::5", "fd5a:1234:5678::1:0:5",
					      "2001:db8::5", "::ffff:198.20.0.5" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		struct denial d[] = { denied("::ffff:198.18.0.5", 443), denied(others[i], 443) };
		char want[384];

		d[1].first.ev.time_ns = 1;
		snprintf(want, sizeof(want), "osh: 2 denials\n  connect 198.18.0.5:443 (): destination is not in the policy\n  connect %s:443 (): destination is not in the policy\n"
			 "  what would allow it: oshctl policy explain -p POLICY 'connect 198.18.0.5:443'\n", others[i] + (strncmp(others[i], "::ffff:", 7) ? 0 : 7));
		check(d, ARRAY_SIZE(d), want);
	}
}

/* A question is for a shell: what the sandbox chose is in it only as letters that say nothing to one. */
static void only_plain_names_are_in_a_question(void **state)
{
	static const struct {
		const char *name, *question;
	} names[] = { { "a.example", "'dns a.example'" }, { "a'b.example", NULL }, { "$(id).example", NULL }, { "a\nb", NULL }, { "`id`", NULL },
			{ "a.example -p b", NULL } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct denial d = { .count = 1, .first.ev = { .kind = OSH_EV_DNS, .verdict = OSH_DENY, .why = OSH_WHY_NAME_UNKNOWN } };
		char want[256], shown[64];
		size_t n = strlen(names[i].name);

		d.first.ev.name_len = (uint16_t)n;
		memcpy(d.first.name, names[i].name, n);
		snprintf(shown, sizeof(shown), "%s", names[i].name);
		for (char *c = shown; *c; c++)
			*c = *c == '\n' ? '?' : *c;
		snprintf(want, sizeof(want), "osh: 1 denial\n  dns %s (): name is not in the policy\n%s%s%s", shown,
			 names[i].question ? "  what would allow it: oshctl policy explain -p POLICY " : "",
			 names[i].question ? names[i].question : "", names[i].question ? "\n" : "");
		check(&d, 1, want);
	}
}

/* Nor is any of it an option of what the person is to run. */
static void only_methods_are_in_a_question(void **state)
{
	static const struct {
		const char *method, *path, *question;
	} asked[] = { { "GET", "/a", "'GET https://198.18.0.5:443/a'" }, { "-p", "/a", NULL }, { "--json", "/a", NULL }, { "GET", "/a b", NULL },
		      { "ABCDEFGHIJKLMNOPQRSTUVWXYZAB", "/a", "'ABCDEFGHIJKLMNOPQRSTUVWXYZAB https://198.18.0.5:443/a'" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		struct osh_http h = { .flags = OSH_HTTP_TLS };
		struct denial d = denied("::ffff:198.18.0.5", 443);
		struct asandbox s = { .id = 7, .denials = &d, .n_denials = 1, .net6_asked = true };
		char got[4096] = "", want[256];

		memcpy(h.method, asked[i].method, strlen(asked[i].method));
		strcpy(h.path, asked[i].path);
		d.first.ev.kind = OSH_EV_HTTP;
		d.http = &h;
		out_init(&s.summary, memfd_create("summary", 0));
		summary_write(&s, 0);
		assert_true(pread(s.summary.fd, got, sizeof(got) - 1, 0) >= 0);
		out_done(&s.summary);
		snprintf(want, sizeof(want), "-p POLICY %s", asked[i].question ? asked[i].question : "");
		assert_int_equal(strstr(got, want) != NULL, asked[i].question != NULL);
	}
}

/* Of a call of a model its name: without it the answer would be about something else. */
static void a_call_is_asked_about_with_its_model(void **state)
{
	static const struct {
		uint16_t why;
		const char *detail, *question;
	} asked[] = { { OSH_WHY_MODEL, "model gpt-4", "'POST https://198.18.0.5:443/v1/messages model gpt-4'\n" },
		      { OSH_WHY_NO_ROUTE, "model o/p:q", "'POST https://198.18.0.5:443/v1/messages model o/p:q'\n" },
		      { OSH_WHY_MODEL, "model x';id;'", "'POST https://198.18.0.5:443/v1/messages'\n" },
		      { OSH_WHY_MODEL, "model -p", "'POST https://198.18.0.5:443/v1/messages'\n" },
		      { OSH_WHY_REQUEST, "model gpt-4", "'POST https://198.18.0.5:443/v1/messages'\n" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		struct osh_http h = { .flags = OSH_HTTP_TLS, .method = "POST", .path = "/v1/messages" };
		struct denial d = denied("::ffff:198.18.0.5", 443);
		struct asandbox s = { .id = 7, .denials = &d, .n_denials = 1, .net6_asked = true };
		char got[4096] = "";

		strcpy(h.detail, asked[i].detail);
		d.first.ev.kind = OSH_EV_HTTP;
		d.first.ev.why = asked[i].why;
		d.http = &h;
		out_init(&s.summary, memfd_create("summary", 0));
		summary_write(&s, 0);
		assert_true(pread(s.summary.fd, got, sizeof(got) - 1, 0) >= 0);
		out_done(&s.summary);
		assert_non_null(strstr(got, asked[i].question));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_has_an_address_of_each_family),
		cmocka_unit_test(an_address_of_others_is_its_own_line),
		cmocka_unit_test(only_plain_names_are_in_a_question),
		cmocka_unit_test(only_methods_are_in_a_question),
		cmocka_unit_test(a_call_is_asked_about_with_its_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
