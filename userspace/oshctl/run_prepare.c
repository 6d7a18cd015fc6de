/* SPDX-License-Identifier: Apache-2.0 */
/* What a sandbox needs before oshd can make it: a bundle, compiled in a confined child, and the
 * environment. */
#include "gpu.h"
#include "own.h"
#include "policy_source.h"
#include "run.h"
#include "say.h"

int run_compile_start(const struct run_opts *o, struct run_files *f, struct policy_job *j,
		      struct err *e)
{
	int r = o->policy ? 0 : policy_preset_fd("default", &f->policy, e);

	if (!r)
		r = policy_gpu(o->gpu, e);
	return r < 0 ? r : policy_compile_start(f->policy, j, e);
}

int run_compile_end(const struct run_opts *o, struct run_files *f, struct policy_job *j,
		    int *ret_bundle, struct err *e)
{
	struct diags d = { 0 };
	int r = policy_compile_end(j, &d, ret_bundle, e);

	if (d.n)
		policy_print_diags(&d, stderr, o->policy ? o->policy : "default preset", f->policy);
	if (r < 0 && !e->text[0])
		r = fail(e, -r, "the policy has errors; nothing was started");
	diags_done(&d);
	return r;
}

/* A policy that names a credential never starts without it: the agent would be puzzled by refusals.
 */
static int check_providers(const struct bundle *b, const struct provider_set *s, struct err *e)
{
	for (uint32_t i = 0; bundle_provider(b, i); i++) {
		const char *name = bundle_provider(b, i);

		if (*name && !provider_set_has(s, name))
			return fail(
			    e, ENOENT,
			    "the policy uses the provider '%s': give it with --provider %s=RECORD, or --provider %s where it is stored",
			    name, name, name);
	}
	return 0;
}

/* A placeholder that nothing replaces puzzles an agent as much. */
static void say_unused(const struct bundle *b, const struct provider_set *s)
{
	for (size_t k = 0; k < s->n_provisions; k++) {
		uint32_t i = 0;

		while (bundle_provider(b, i) && strcmp(bundle_provider(b, i), s->provision[k].name))
			i++;
		if (!bundle_provider(b, i))
			say_error("the policy lets nothing through to a host of the provider '%s', so its "
				  "placeholder stays one: list %s", s->provision[k].name, s->provision[k].hosts[0]);
	}
}

int run_build_env(const struct run_opts *o, int bundle, const struct run_files *f, bool lasting, struct env *env,
		  struct err *e)
{
	struct bundle b = { 0 };
	int r = bundle_open_fd(&b, bundle, e);

	if (r == 0)
		r = check_providers(&b, &f->creds, e);
	if (r == 0)
		say_unused(&b, &f->creds);
	if (r == 0)
		r = env_build(env, &b, lasting || bundle_opens_tls(&b), f->cwd, environ, o->env, e);
	for (size_t i = 0; r == 0 && f->creds.env[i]; i++)
		r = env_set(env, f->creds.env[i],
			    e); /* last: what the caller has there is the real one */
	bundle_done(&b);
	return r;
}
