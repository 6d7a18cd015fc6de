/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's environment: what is there, what stays outside, who wins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "../../userspace/oshctl/env.h"
#include "own.h"

#include <cmocka.h>		/* last: it names a macro `fail` */

static char *caller[] = {
	(char *)"PATH=/evil", (char *)"HOME=/home/me", (char *)"TERM=xterm", (char *)"TERMINFO=/x",
	(char *)"LC_ALL=C", (char *)"LC_TIME=de", (char *)"LCX=1", (char *)"LANG=en",
	(char *)"GITHUB_TOKEN=secret", (char *)"SSH_AUTH_SOCK=/run/agent", (char *)"LD_PRELOAD=/x.so",
	(char *)"SHELL=/bin/zsh", (char *)"EDITOR=vi", (char *)"broken", NULL,
};

static const char strings[] = "\0EDITOR\0CI=1\0ABSENT\0TERM=dumb\0GITHUB_*";
enum { S_EDITOR = 1, S_CI = 8, S_ABSENT = 13, S_TERM = 20, S_STAR = 30 };

static void is(const struct env *env, const char *name, const char *want)
{
	const char *got = env_get(env->v, name);

	if (want)
		assert_string_equal(got ? got : "(unset)", want);
	else
		assert_null(got);
}

static void clean_by_default(void **state)
{
	static const char *const outside[] = { "GITHUB_TOKEN", "SSH_AUTH_SOCK", "LD_PRELOAD", "EDITOR",
					       "TERMINFO", "LCX", "broken" };
	struct env env = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(env_build(&env, NULL, false, "/work", caller, NULL, &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(outside); i++)
		is(&env, outside[i], NULL);
	is(&env, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	is(&env, "HOME", "/sandbox");
	is(&env, "PWD", "/work");
	is(&env, "TERM", "xterm");
	is(&env, "LC_ALL", "C");
	is(&env, "LC_TIME", "de");
	is(&env, "LANG", "en");
	is(&env, "SHELL", "/bin/zsh");
	is(&env, "OSH_SANDBOX", "1");
	env_done(&env);
}

static void unknown_shell_and_no_caller(void **state)
{
	char *odd[] = { (char *)"SHELL=/home/me/sh", NULL };
	struct env env = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(env_build(&env, NULL, false, "/", odd, NULL, &e), 0);
	is(&env, "SHELL", "/bin/sh");
	env_done(&env);
	assert_int_equal(env_build(&env, NULL, false, "/", NULL, NULL, &e), 0);
	is(&env, "TERM", NULL);
	env_done(&env);
}

static void policy_then_command_line(void **state)
{
	static const struct osh_b_env rows[] = {
		{ S_EDITOR, OSH_ENV_PASS }, { S_CI, OSH_ENV_SET }, { S_ABSENT, OSH_ENV_PASS },
		{ S_TERM, OSH_ENV_SET },
	};
	struct bundle b = { .strings = strings, .n_strings = sizeof(strings), .env = rows,
			    .n_env = ARRAY_SIZE(rows) };
	char *given[] = { (char *)"CI=2", (char *)"GITHUB_TOKEN", (char *)"NOT_THERE", (char *)"A=", NULL };
	struct env env = { 0 };
	struct err e;
	size_t n = 0;

	(void)state;
	assert_int_equal(env_build(&env, &b, bundle_opens_tls(&b), "/", caller, given, &e), 0);
	is(&env, "EDITOR", "vi");
	is(&env, "CI", "2");
	is(&env, "ABSENT", NULL);
	is(&env, "TERM", "dumb");
	is(&env, "GITHUB_TOKEN", "secret");
	is(&env, "NOT_THERE", NULL);
	is(&env, "A", "");
	for (size_t i = 0; i < env.n; i++)
		n += !strncmp(env.v[i], "TERM=", 5);
	assert_int_equal(n, 1);
	assert_null(env.v[env.n]);
	env_done(&env);
}

static void trust_where_tls_is_opened(void **state)
{
	static const struct osh_b_alt closed[] = { { .flags = OSH_ALT_L7 | OSH_ALT_TLS_SKIP }, { 0 } };
	static const struct osh_b_alt opened[] = { { 0 }, { .flags = OSH_ALT_L7 } };
	struct bundle b = { .strings = strings, .n_strings = sizeof(strings), .alts = closed, .n_alts = 2 };
	char *given[] = { (char *)"CURL_CA_BUNDLE=/mine", NULL };
	struct env env = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(env_build(&env, &b, bundle_opens_tls(&b), "/", caller, given, &e), 0);
	is(&env, "SSL_CERT_FILE", NULL);
	env_done(&env);
	b.alts = opened;
	assert_int_equal(env_build(&env, &b, bundle_opens_tls(&b), "/", caller, given, &e), 0);
	is(&env, "SSL_CERT_FILE", "/dev/osh/ca.pem");
	is(&env, "NODE_EXTRA_CA_CERTS", "/dev/osh/root.pem");
	is(&env, "CURL_CA_BUNDLE", "/mine");
	env_done(&env);
}

static void limits(void **state)
{
	_free_ char *big = malloc(OSH_ENV_LEN + 1);
	struct env env = { 0 };
	struct err e;
	char text[32];

	(void)state;
	memset(big, 'x', OSH_ENV_LEN);
	big[1] = '=';
	big[OSH_ENV_LEN] = '\0';
	assert_int_equal(env_set(&env, big, &e), -E2BIG);
	assert_int_equal(env_set(&env, "=x", &e), -EINVAL);
	assert_int_equal(env_set(&env, "x", &e), -EINVAL);
	for (int i = 0; i < OSH_ENV_VARS; i++) {
		snprintf(text, sizeof(text), "V%d=1", i);
		assert_int_equal(env_set(&env, text, &e), 0);
	}
	assert_int_equal(env_set(&env, "ONE=more", &e), -E2BIG);
	assert_int_equal(env_set(&env, "V7=again", &e), 0);
	is(&env, "V7", "again");
	env_done(&env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clean_by_default),
		cmocka_unit_test(unknown_shell_and_no_caller),
		cmocka_unit_test(policy_then_command_line),
		cmocka_unit_test(trust_where_tls_is_opened),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
