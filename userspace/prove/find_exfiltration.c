/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Can something that must not get out be read, and can anybody in the sandbox send to anywhere? Who reads and who
 * sends need not be one: programs in a sandbox can hand each other what they have (loopback, /tmp, pipes).
 */
#include <string.h>

#include "find.h"
#include "own.h"

struct secret {
	const char *what, *glob;
};

static const struct secret secrets[] = {
#define SECRET(what, glob) { what, glob },
#include "secrets.def"
#undef SECRET
};

/* Where programs lie, and what is the sandbox's own: its /tmp, its home, its processes. */
static const char system_trees[] = "/{bin,boot,dev,etc,lib,lib32,lib64,libx32,opt,proc,run,sandbox,sbin,sys,tmp,usr}/**";

static Z3_ast in_glob(struct prover *pr, const char *glob)
{
	struct list alts = { 0 };

	if (braces_expand(pr->a, glob, &alts) != PATTERN_OK)
		return z_false(&pr->s->z);
	return dim_list(pr->s->file, &alts, '/', false);
}

/* Somebody's files all the same: the working directory, wherever it is, and what a policy lists below /tmp and the home. */
static Z3_ast is_somebodys(struct sym *s)
{
	struct terms listed = { .z = &s->z };

	for EACH (struct fs_entry, f, &s->p->fs)
		if (f->mode != OSH_FS_DENY && (!strncmp(f->path, "/tmp/", 5) || !strncmp(f->path, "/sandbox/", 9)))
			terms_add(&listed, sym_below(s, s->file, f->path));
	if (s->p->include_workdir && s->workdir && strcmp(s->workdir, "/tmp") != 0)
		terms_add(&listed, sym_below(s, s->file, s->workdir));
	return terms_or(&listed);
}

static Z3_ast is_secret(struct prover *pr, const char *glob)
{
	struct sym *s = pr->s;
	Z3_ast is = in_glob(pr, glob);

	if (*glob == '/')
		return is;
	return z_and(&s->z, is, z_or(&s->z, is_somebodys(s), z_not(&s->z, in_glob(pr, system_trees))));
}

static void remember(struct prover *pr, const char *what, const char *file, const char *reader)
{
	if (pr->n_secrets++)
		return;
	pr->secret = what;
	pr->secret_file = file ? arena_printf(pr->a, "%s", file) : NULL;
	pr->secret_reader = reader ? arena_printf(pr->a, "%s", reader) : NULL;
}

/* A variable that every program inherits. */
static void in_environment(struct prover *pr)
{
	for EACH (struct env_entry, e, &pr->s->p->env)
		if (sees(e->kind == OSH_ENV_PASS ? "process.env.pass" : "process.env.set") &&
		    find_secret_name(e->text) && (e->kind == OSH_ENV_PASS || strchr(e->text, '=')))
			remember(pr, arena_printf(pr->a, "the variable %.*s", (int)strcspn(e->text, "="), e->text),
				 NULL, NULL);
	for EACH (struct credential_in, c, &pr->credentials)
		if (c->env)
			remember(pr, arena_printf(pr->a, "the variable %s", c->env), NULL, NULL);
}

bool find_secrets_where(struct prover *pr, Z3_ast fact)
{
	pr->n_secrets = 0;
	pr->secret = pr->secret_file = pr->secret_reader = NULL;
	in_environment(pr);
	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
		const Z3_ast facts[] = { pr->s->reads, is_secret(pr, secrets[i].glob), fact };
		struct witness w;

		if (find_ask(pr, facts, 3, &w) != ANSWER_YES)
			continue;
		if (!witness_reads(pr->s, &w)) {
			find_unknown(pr, "the model and eval disagree about a file: this is a bug of osh");
			continue;
		}
		remember(pr, secrets[i].what, w.file, w.reader);
	}
	return pr->n_secrets > 0;
}

void find_secrets(struct prover *pr)
{
	(void)find_secrets_where(pr, z_true(&pr->s->z));
}

/* How much leaves: everything, a body, or what fits into a URL and headers. */
const char *find_how_much(struct prover *pr, const struct sym_endpoint *se, struct witness *w)
{
	struct sym *s = pr->s;
	Z3_ast quiet = z_or(&s->z, z_or(&s->z, dim_word(s->method, "GET"), dim_word(s->method, "HEAD")),
			    dim_word(s->method, "OPTIONS"));
	const Z3_ast plain[] = { s->dials, se->dial, z_not(&s->z, s->inspected) };
	Z3_ast here = z_and(&s->z, s->inspected, z_not(&s->z, s->calls)); /* what goes on to a backend: find_calls() */
	const Z3_ast body[] = { s->sends, se->dial, here, z_not(&s->z, quiet) };
	const Z3_ast any[] = { s->sends, se->dial, here };

	if (!endpoint_inspected(se->e) && find_sends(pr, plain, 3, w) == ANSWER_YES)
		return "nothing looks into the connection";
	if (find_sends(pr, body, 4, w) == ANSWER_YES)
		return "the request has a body";
	if (find_sends(pr, any, 3, w) == ANSWER_YES)
		return "a URL and headers carry it";
	return NULL;
}

void find_exfiltration(struct prover *pr)
{
	struct sym_endpoint *all = pr->s->endpoints.v;
	bool alone = pr->s->endpoints.n == 1, chains = find_chains_may_be(pr, pr->s->p), asked = pr->n_secrets || chains;

	for (uint32_t i = 0; i < pr->s->endpoints.n && asked; i++) {
		struct witness w;
		const char *how = all[i].asked ? find_how_much(pr, &all[i], &w) : NULL;
		struct finding *f;

		if (!how)
			continue;
		f = pr->n_secrets ? find_add(pr, "exfiltration", &w) :
				    find_takes(pr, all[i].e, &w, arena_printf(pr->a, ": %s", how));
		if (!f)
			continue;
		all[i].used = alone || !endpoint_inspected(all[i].e);
		f->rule = all[i].rule->name;
		f->line = all[i].e->at.line;
		if (!pr->n_secrets)
			continue;
		f->says = arena_printf(pr->a, "%s%s%s can be read%s and sent there: %s", pr->secret,
				       pr->secret_file ? " in " : "", pr->secret_file ? pr->secret_file : "",
				       pr->n_secrets > 1 ? " (and more)" : "", how);
		if (pr->secret_file)
			find_request(pr, f, arena_printf(pr->a, "open %s read", find_word(pr, pr->secret_file)), pr->secret_reader);
		if (chains)
			find_takes_too(pr, all[i].e, f);
	}
}
