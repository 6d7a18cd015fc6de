/* SPDX-License-Identifier: Apache-2.0 */
/* Run by oshd; compares two checked bundles, and what the sandbox was given when it started. */
#include "fixed.h"

#include "own.h"
#include "provider.h"

#define START_ANEW "start a new sandbox for that"

static int differs(const char *key, struct err *e)
{
	return fail(e, EPERM, "'%s' is fixed for a sandbox's life and differs in this policy; " START_ANEW, key);
}

static int check_meta(const struct sandbox *s, const struct bundle *b, struct err *e)
{
	static const struct {
		const char *key;
		size_t at;
	} fields[] = {
		{ "landlock.compatibility", offsetof(struct osh_b_meta, compat) },
		{ "filesystem_policy.include_workdir", offsetof(struct osh_b_meta, include_workdir) },
		{ "filesystem_policy.deny", offsetof(struct osh_b_meta, deny) },
		{ "process.run_as_user", offsetof(struct osh_b_meta, run_as_user) },
		{ "process.run_as_user", offsetof(struct osh_b_meta, uid) },
		{ "process.run_as_group", offsetof(struct osh_b_meta, run_as_group) },
		{ "process.run_as_group", offsetof(struct osh_b_meta, gid) },
		{ "process.exec", offsetof(struct osh_b_meta, exec_mode) },
		{ "process (user namespaces)", offsetof(struct osh_b_meta, userns) },
	};
	const char *was = (const char *)s->bundle.meta, *now = (const char *)b->meta;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (memcmp(was + fields[i].at, now + fields[i].at, sizeof(uint32_t)))
			return differs(fields[i].key, e);
	return 0;
}

/* The next program of a group from *at on, or NULL. */
static const struct osh_b_binary *next_program(const struct bundle *b, uint32_t group, uint32_t *at)
{
	while (*at < b->n_binaries)
		if (b->binaries[(*at)++].group == group)
			return &b->binaries[*at - 1];
	return NULL;
}

/* Programs are sorted by path, and files' groups are numbered alike where the files are the same. */
static bool same_programs(const struct bundle *a, const struct bundle *b, uint32_t group)
{
	uint32_t i = 0, k = 0;

	for (;;) {
		const struct osh_b_binary *x = next_program(a, group, &i), *y = next_program(b, group, &k);

		if (!x || !y)
			return x == y;
		if (x->flags != y->flags || strcmp(bundle_str(a, x->path), bundle_str(b, y->path)))
			return false;
	}
}

static bool same_fs(const struct bundle *a, const struct bundle *b, uint32_t i)
{
	return i < a->n_fs && i < b->n_fs && a->fs[i].mode == b->fs[i].mode && a->fs[i].group == b->fs[i].group &&
	       !strcmp(bundle_str(a, a->fs[i].path), bundle_str(b, b->fs[i].path)) &&
	       (!a->fs[i].group || same_programs(a, b, a->fs[i].group));
}

/* The path that differs first is named: a list of trees may be long. */
static int check_fs(const struct sandbox *s, const struct bundle *b, struct err *e)
{
	static const char *const keys[] = { "read_only", "read_write", "deny" };
	const struct bundle *was = &s->bundle;

	for (uint32_t i = 0; i < was->n_fs || i < b->n_fs; i++) {
		const struct bundle *has = i < b->n_fs ? b : was;

		if (!same_fs(was, b, i))
			return fail(e, EPERM, "'filesystem_policy.%s' is fixed for a sandbox's life and differs in this "
				    "policy, at '%.200s'; " START_ANEW, keys[has->fs[i].mode % ARRAY_SIZE(keys)],
				    bundle_str(has, has->fs[i].path));
	}
	return 0;
}

static int check_env(const struct sandbox *s, const struct bundle *b, struct err *e)
{
	const struct bundle *was = &s->bundle;

	if (was->n_env != b->n_env)
		return differs("process.env", e);
	for (uint32_t i = 0; i < b->n_env; i++)
		if (was->env[i].kind != b->env[i].kind ||
		    strcmp(bundle_str(was, was->env[i].text), bundle_str(b, b->env[i].text)))
			return differs("process.env", e);
	return 0;
}

static int check_exec(const struct sandbox *s, const struct bundle *b, struct err *e)
{
	const struct bundle *was = &s->bundle;

	if (was->n_exec != b->n_exec)
		return differs("process.exec", e);
	for (uint32_t i = 0; i < b->n_exec; i++)
		if (strcmp(bundle_str(was, was->exec[i].pattern), bundle_str(b, b->exec[i].pattern)))
			return differs("process.exec", e);
	return 0;
}

static int check_unix(const struct sandbox *s, const struct bundle *b, struct err *e)
{
	const struct bundle *was = &s->bundle;

	if (was->n_unix != b->n_unix)
		return differs("unix", e);
	for (uint32_t i = 0; i < b->n_unix; i++)
		if (strcmp(bundle_str(was, was->unix_paths[i].path), bundle_str(b, b->unix_paths[i].path)))
			return differs("unix", e);
	return 0;
}

/* Its certificate authority is made, and its programs told of it, before the first of them runs. */
static int check_tls(const struct sandbox *s, const struct bundle *b, struct err *e)
{
	if (s->root_fd >= 0 || !bundle_opens_tls(b))
		return 0;
	return fail(e, EPERM, "this policy looks into TLS and the one that the sandbox started with did not, so its "
		    "programs trust no certificate of osh; " START_ANEW);
}

/* What it was given, or was attached since: no policy puts a credential there. */
static int check_credentials(const struct sandbox *s, const struct bundle *b, struct err *e)
{
	const char *name = provider_missing(b, s->creds_fd);

	return name ? fail(e, EPERM, "the sandbox has no provider '%.60s': `oshctl provider attach %s %.60s` gives it "
			   "one that is stored", name, s->name, name) : 0;
}

static int check_limits(const struct sandbox *s, const struct bundle *b, struct err *e)
{
	const struct osh_b_limits *was = s->bundle.limits, *now = b->limits;

	return !was != !now || (was && memcmp(was, now, sizeof(*was))) ? differs("resources", e) : 0;
}

static int check_gpus(const struct sandbox *s, const struct bundle *b, struct err *e)
{
	const struct bundle *was = &s->bundle;

	if (was->n_gpus != b->n_gpus)
		return differs("gpu", e);
	for (uint32_t i = 0; i < b->n_gpus; i++)
		if (was->gpus[i].count != b->gpus[i].count || was->gpus[i].share != b->gpus[i].share ||
		    strcmp(bundle_str(was, was->gpus[i].device), bundle_str(b, b->gpus[i].device)))
			return differs("gpu", e);
	return 0;
}

int fixed_check(const struct sandbox *s, const struct bundle *next, struct err *e)
{
	static int (*const checks[])(const struct sandbox *, const struct bundle *, struct err *) = {
		check_meta, check_fs, check_env, check_limits, check_gpus, check_exec, check_unix, check_tls, check_credentials,
	};
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(checks); i++)
		r = checks[i](s, next, e);
	return r;
}
