/* SPDX-License-Identifier: Apache-2.0 */
/* Which programs reach what with which credential, and what its API lets them do there. */
#include "find.h"

#include <string.h>

#include "own.h"

struct capability {
	const char *api, *host, *method, *path, *action, *risk, *scope;
};

static const struct capability capabilities[] = {
#define CAP(api, host, method, path, action, risk, scope) { api, host, method, path, action, risk, scope },
#include "apis.def"
#undef CAP
};

static bool may(const struct credential_in *c, const struct capability *cap)
{
	if (c->type && strncmp(c->type, cap->api, strlen(cap->api)))
		return false;
	for EACH (text_of, scope, &c->scopes)
		if (!strcmp(*scope, cap->scope))
			return true;
	return !c->scopes.n;
}

/* Each action that some request of this reach is; where nobody looks, all of the API's. */
static const char *actions(struct prover *pr, const struct credential_in *c, const Z3_ast *facts, unsigned n)
{
	struct sym *s = pr->s;
	const char *said = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++) {
		const struct capability *cap = &capabilities[i];
		Z3_ast all[8];
		struct witness w;

		if (!may(c, cap))
			continue;
		memcpy(all, facts, n * sizeof(*facts));
		all[n] = z_and(&s->z, dim_glob(s->host, cap->host, '.'), z_not(&s->z, s->is_addr));
		all[n + 1] = z_or(&s->z, z_not(&s->z, s->inspected),
				  z_and(&s->z, dim_word(s->method, cap->method), dim_glob(s->path, cap->path, '/')));
		if (find_sends(pr, all, n + 2, &w) == ANSWER_YES)
			said = arena_printf(pr->a, "%s%s%s (%s)", said ? said : "", said ? ", " : "", cap->action,
					    cap->risk);
	}
	return said;
}

static void add(struct prover *pr, const struct credential_in *c, const struct sym_endpoint *se, const Z3_ast *facts,
		unsigned n, const struct witness *w)
{
	struct finding *f = find_add(pr, "credential_reach", w);
	const char *can = f ? actions(pr, c, facts, n) : NULL;

	if (!f)
		return;
	f->credential = c->name;
	f->rule = se->rule->name;
	f->line = se->e->at.line;
	f->says = arena_printf(pr->a, "credential '%s' is used here%s%s", c->name, can ? ": " : "", can ? can : "");
	find_gives(pr, se->e, f, arena_printf(pr->a, "for credential '%s'", c->name));
}

/* One that the sandbox is given, at the hosts that it is for. */
static void given(struct prover *pr, const struct credential_in *c, const struct sym_endpoint *se)
{
	struct sym *s = pr->s;
	struct terms hosts = { .z = &s->z };
	Z3_ast facts[3];
	struct witness w;

	for EACH (struct host, h, &c->hosts)
		terms_add(&hosts, sym_host(s, h));
	facts[0] = s->sends;
	facts[1] = se->dial;
	facts[2] = terms_or(&hosts);
	if (find_sends(pr, facts, 3, &w) == ANSWER_YES)
		add(pr, c, se, facts, 3, &w);
}

/* One that the egress puts into the requests of an endpoint. */
static void injected(struct prover *pr, const struct sym_endpoint *se)
{
	struct sym *s = pr->s;
	const struct l7 *l7 = &se->e->l7;
	const char *name = l7->credential && sees(IN_ENDPOINT "credential") ? l7->credential :
			   sees(IN_ENDPOINT "credential_binding") ? l7->binding : NULL;
	const Z3_ast facts[] = { s->sends, s->inspected, endpoint_inspected(se->e) ? se->covers : se->dial };
	const struct credential_in c = { .name = name };
	struct witness w;

	if (name && find_sends(pr, facts, 3, &w) == ANSWER_YES)
		add(pr, &c, se, facts, 3, &w);
}

void find_credentials(struct prover *pr)
{
	struct sym_endpoint *all = pr->s->endpoints.v;

	for (uint32_t i = 0; i < pr->s->endpoints.n; i++) {
		if (!all[i].asked)
			continue;
		injected(pr, &all[i]);
		for EACH (struct credential_in, c, &pr->credentials)
			given(pr, c, &all[i]);
	}
}
