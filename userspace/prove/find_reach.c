/* SPDX-License-Identifier: Apache-2.0 */
/* Where nobody means to go: metadata services, private networks; and names made up under a
 * wildcard. */
#include <string.h>

#include "find.h"
#include "host.h"
#include "own.h"

static const char *const metadata[] = {
	"metadata.google.internal",   "metadata.goog",           "metadata",
	"metadata.azure.com",         "metadata.azure.internal", "instance-data",
	"instance-data.ec2.internal", "metadata.tencentyun.com", "metadata.oraclecloud.com",
};

static Z3_ast is_metadata(struct prover *pr)
{
	struct terms any = { .z = &pr->s->z };

	for (size_t i = 0; i < ARRAY_SIZE(metadata); i++)
		terms_add(&any, dim_glob(pr->s->host, metadata[i], '.'));
	return z_and(&pr->s->z, terms_or(&any), z_not(&pr->s->z, pr->s->is_addr));
}

bool find_is_metadata(const char *host)
{
	for (size_t i = 0; i < ARRAY_SIZE(metadata); i++)
		if (!strcmp(metadata[i], host))
			return true;
	return false;
}

static bool connects(struct prover *pr, const Z3_ast *facts, unsigned n, struct witness *w)
{
	if (find_ask(pr, facts, n, w) != ANSWER_YES)
		return false;
	if (witness_connects(pr->s, w))
		return true;
	find_unknown(pr, "the model and eval disagree about a connection: this is a bug of osh");
	return false;
}

/* The witness is a connection, whatever is looked into later. */
static struct finding *add(struct prover *pr, const char *category, const struct sym_endpoint *se,
			   struct witness *w, const char *says)
{
	struct finding *f;

	w->inspected = false;
	f = find_add(pr, category, w);
	if (!f)
		return NULL;
	f->rule = se->rule->name;
	f->line = se->e->at.line;
	f->says = says;
	return f;
}

void find_reach(struct prover *pr)
{
	struct sym_endpoint *all = pr->s->endpoints.v;
	Z3_ast named = is_metadata(pr);

	for (uint32_t i = 0; i < pr->s->endpoints.n; i++) {
		const Z3_ast to_metadata[] = { pr->s->dials, all[i].dial, named };
		const Z3_ast to_private[] = { pr->s->dials, all[i].dial, pr->s->private };
		struct witness w;

		if (!all[i].asked)
			continue;
		if (connects(pr, to_metadata, 3, &w))
			(void)add(pr, "link_local_reach", &all[i], &w,
			    "a metadata service: osh never dials its usual addresses, but gives "
			    "the name to whatever it resolves to");
		/* Without the list none of them is private. */
		if (all[i].e->n_allowed && connects(pr, to_private, 3, &w)) {
			const struct finding *f;

			w.at = true;
			f = add(pr, "private_reach", &all[i], &w,
				arena_printf(pr->a, "leads to %s of a private network", w.dialled));
			if (f)
				find_gives(pr, all[i].e, f, arena_printf(pr->a, "at %s", w.dialled));
		}
	}
}

/* A name that the policy does not write out is asked for upstream: who serves the zone reads it. */
void find_names(struct prover *pr)
{
	struct sym_endpoint *all = pr->s->endpoints.v;
	struct sym *s = pr->s;

	for (uint32_t i = 0; i < s->endpoints.n; i++) {
		const Z3_ast facts[] = { s->dials, all[i].dial, z_not(&s->z, s->is_addr),
					 z_is(&s->z, s->host->id, 0) };
		struct witness w;

		if (!all[i].asked || all[i].e->host.kind == HOST_NAME ||
		    all[i].e->host.kind == HOST_NET || !connects(pr, facts, 4, &w))
			continue;
		if (eval_dns(s->p, w.host).verdict != OSH_ALLOW) {
			find_unknown(
			    pr, "the model and eval disagree about a name: this is a bug of osh");
			continue;
		}
		(void)add(pr, "dns_channel", &all[i], &w,
		    arena_printf(pr->a,
				 "names made up here carry data to whoever serves the zone: %u "
				 "names of at most "
				 "253 bytes in one sandbox's life",
				 sees("dns.wildcard_names") ? s->p->wildcard_names : 0));
	}
}
