/* SPDX-License-Identifier: Apache-2.0 */
#include "env.h"

#include <stdbool.h>
#include <stdlib.h>

#include "osh/root.h"
#include "own.h"

/* clang-format off */
static const char *const fixed[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"HOME=/sandbox",
	"USER=sandbox",
	"LOGNAME=sandbox",
	"SHELL=/bin/sh",
	"OSH_SANDBOX=1",
};

/* Taken from the caller when set. A `*` at the end stands for any rest. */
static const char *const passed[] = {
	"TERM", "COLORTERM", "NO_COLOR", "LANG", "LANGUAGE", "LC_*", "TZ",
};

/*
 * Where the egress looks into TLS: runtimes that bring roots of their own, or trust no file until they
 * are told. The rest reads the host's usual files, which the view has replaced.
 */
static const char *const trust[] = {
	"SSL_CERT_FILE=" OSH_TRUST_ALL,		/* OpenSSL, python, ruby, go, uv */
	"CURL_CA_BUNDLE=" OSH_TRUST_ALL,
	"REQUESTS_CA_BUNDLE=" OSH_TRUST_ALL,
	"PIP_CERT=" OSH_TRUST_ALL,
	"GIT_SSL_CAINFO=" OSH_TRUST_ALL,
	"CARGO_HTTP_CAINFO=" OSH_TRUST_ALL,
	"AWS_CA_BUNDLE=" OSH_TRUST_ALL,
	"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=" OSH_TRUST_ALL,
	"NIX_SSL_CERT_FILE=" OSH_TRUST_ALL,
	"CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE=" OSH_TRUST_ALL,
	"NODE_EXTRA_CA_CERTS=" OSH_TRUST_ROOT,	/* node and bun: besides their own */
	"DENO_CERT=" OSH_TRUST_ROOT,
};

/* A caller's shell is kept where it is one that a view of /usr or /bin holds. */
static const char *const shells[] = {
	"/bin/bash", "/usr/bin/bash", "/bin/zsh", "/usr/bin/zsh", "/bin/dash", "/bin/sh",
};
/* clang-format on */

void env_done(struct env *env)
{
	for (size_t i = 0; i < env->n; i++)
		free(env->v[i]);
	free(env->v);
	*env = (struct env){ 0 };
}

static size_t name_len(const char *text)
{
	return strcspn(text, "=");
}

const char *env_get(char *const *list, const char *name)
{
	size_t n = strlen(name);

	for (; list && *list; list++)
		if (name_len(*list) == n && (*list)[n] == '=' && !memcmp(*list, name, n))
			return *list + n + 1;
	return NULL;
}

int env_set(struct env *env, const char *text, struct err *e)
{
	size_t n = name_len(text), i;
	_free_ char *copy = NULL;

	if (!n || text[n] != '=')
		return fail(e, EINVAL, "environment: '%.60s' is not NAME=value", text);
	if (strlen(text) >= OSH_ENV_LEN)
		return fail(e, E2BIG, "environment: '%.*s' is longer than %d bytes",
			    n < 60 ? (int)n : 60, text, OSH_ENV_LEN);
	for (i = 0; i < env->n; i++)
		if (name_len(env->v[i]) == n && !memcmp(env->v[i], text, n))
			break;
	if (i == OSH_ENV_VARS)
		return fail(e, E2BIG, "environment: more than %d variables", OSH_ENV_VARS);
	if (!env->v)
		env->v = calloc(OSH_ENV_VARS + 1, sizeof(*env->v));
	copy = strdup(text);
	if (!env->v || !copy)
		return fail(e, ENOMEM, "environment: out of memory");
	if (i == env->n)
		env->n++;
	free(env->v[i]);
	env->v[i] = take_ptr(&copy);
	return 0;
}

static int set_value(struct env *env, const char *name, const char *value, struct err *e)
{
	_free_ char *text = NULL;

	if (asprintf(&text, "%s=%s", name, value) < 0) {
		text = NULL;
		return fail(e, ENOMEM, "environment: out of memory");
	}
	return env_set(env, text, e);
}

static bool name_is(const char *text, const char *pattern)
{
	size_t n = strlen(pattern);

	if (n && pattern[n - 1] == '*')
		return name_len(text) >= n - 1 && !memcmp(text, pattern, n - 1);
	return name_len(text) == n && !memcmp(text, pattern, n);
}

/* Copies every variable of the caller that the pattern names; none is no error. */
static int pass(struct env *env, const char *pattern, char *const *caller, struct err *e)
{
	int r = 0;

	for (; r == 0 && caller && *caller; caller++)
		if (strchr(*caller, '=') && name_is(*caller, pattern))
			r = env_set(env, *caller, e);
	return r;
}

static int set_base(struct env *env, const char *cwd, char *const *caller, struct err *e)
{
	const char *shell = env_get(caller, "SHELL");
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(fixed); i++)
		r = env_set(env, fixed[i], e);
	for (size_t i = 0; r == 0 && shell && i < ARRAY_SIZE(shells); i++)
		if (!strcmp(shell, shells[i]))
			r = set_value(env, "SHELL", shell, e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(passed); i++)
		r = pass(env, passed[i], caller, e);
	return r < 0 ? r : set_value(env, "PWD", cwd, e);
}

static int set_policy(struct env *env, const struct bundle *b, char *const *caller, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; b && r == 0 && i < b->n_env; i++) {
		const char *text = bundle_str(b, b->env[i].text);

		r = b->env[i].kind == OSH_ENV_SET ? env_set(env, text, e) : pass(env, text, caller, e);
	}
	return r;
}

int env_build(struct env *env, const struct bundle *b, bool trusts, const char *cwd, char *const *caller,
	      char *const *given, struct err *e)
{
	int r = set_base(env, cwd, caller, e);

	for (size_t i = 0; r == 0 && trusts && i < ARRAY_SIZE(trust); i++)
		r = env_set(env, trust[i], e);
	if (r == 0)
		r = set_policy(env, b, caller, e);
	for (; r == 0 && given && *given; given++)
		if (strchr(*given, '='))
			r = env_set(env, *given, e);
		else if (env_get(caller, *given))
			r = set_value(env, *given, env_get(caller, *given), e);
	return r;
}
