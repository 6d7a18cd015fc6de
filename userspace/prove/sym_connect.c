/* SPDX-License-Identifier: Apache-2.0 */
/* Who may connect where: eval_connect(), eval_inspects() and eval_addr(). */
#include "host.h"
#include "own.h"
#include "sym.h"

#include <ctype.h>
#include <string.h>

static Z3_ast name_in(struct sym *s, const char *glob)
{
	return z_and(&s->z, z_not(&s->z, s->is_addr), dim_glob(s->host, glob, '.'));
}

Z3_ast sym_host(struct sym *s, const struct host *h)
{
	switch (h->kind) {
	case HOST_NAME:
		return z_and(&s->z, z_not(&s->z, s->is_addr), dim_word(s->host, h->text));
	case HOST_ONE:
		return name_in(s, arena_printf(s->z.a, "?*%s", h->text));
	case HOST_DEEP:
		return name_in(s, arena_printf(s->z.a, "?**%s", h->text));
	case HOST_NET:
		return z_and(&s->z, s->is_addr, sym_addr_in(s, &h->net));
	case HOST_GLOB:
		return z_and(&s->z, z_not(&s->z, s->is_addr), dim_list(s->host, &h->glob.alts, '.', false));
	case HOST_ANY:
		return z_true(&s->z);
	}
	return z_false(&s->z);
}

Z3_ast sym_is_program(struct dim *d, const struct program *p)
{
	return p->glob ? dim_glob(d, p->path, '/') : dim_word(d, p->path);
}

Z3_ast sym_programs(struct dim *d, const struct list *programs)
{
	struct terms any = { .z = d->z };

	for EACH (struct program, p, programs)
		if (!p->sha256)
			terms_add(&any, sym_is_program(d, p));
	return terms_or(&any);
}

static const char *lower(struct sym *s, const char *digest)
{
	char *copy = (char *)arena_printf(s->z.a, "%s", digest);

	for (char *c = copy; c && *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return copy;
}

static Z3_ast listed(struct sym *s, const struct program *p)
{
	Z3_ast is = sees("network_policies.binaries.path") ? sym_is_program(s->program, p) : z_true(&s->z);

	if (p->sha256 && sees("network_policies.binaries.sha256"))
		return z_and(&s->z, is, z_and(&s->z, s->has_digest, dim_word(s->digest, lower(s, p->sha256))));
	if (p->inherit && sees("network_policies.binaries.inherit"))
		is = z_or(&s->z, is, z_and(&s->z, s->ran, sym_is_program(s->ancestor, p)));
	return is;
}

static Z3_ast who(struct sym *s, const struct rule *rule)
{
	struct terms any = { .z = &s->z };
	Z3_ast one;

	if (rule->any_program)
		return z_true(&s->z);
	for EACH (struct program, p, &rule->programs)
		terms_add(&any, listed(s, p));
	one = z_and(&s->z, z_not(&s->z, s->nobody), terms_or(&any));
	return rule->taint_ok && sees("network_policies.taint") ? one : z_and(&s->z, one, z_not(&s->z, s->tainted));
}

static Z3_ast ports(struct sym *s, const struct endpoint *e)
{
	struct terms any = { .z = &s->z };

	if (!sees(IN_ENDPOINT "port"))
		return z_true(&s->z);
	for (uint32_t i = 0; i < e->n_ports; i++)
		terms_add(&any, z_is(&s->z, s->port, e->ports[i]));
	return terms_or(&any);
}

/* Every address of allowed_ips but the forbidden ones; without the list the public ones. */
Z3_ast sym_at(struct sym *s, const struct endpoint *e)
{
	struct terms any = { .z = &s->z };

	if (!e->n_allowed || !sees(IN_ENDPOINT "allowed_ips"))
		return z_not(&s->z, s->private);
	for (uint32_t i = 0; i < e->n_allowed; i++)
		terms_add(&any, sym_addr_in(s, &e->allowed[i]));
	return z_and(&s->z, terms_or(&any), z_not(&s->z, s->forbidden));
}

static Z3_ast closed_port(struct sym *s)
{
	static uint32_t closed[64];
	static size_t n;
	static bool walked;		/* once for all models */
	struct terms any = { .z = &s->z };

	for (uint32_t port = 65535; port && !walked; port--)
		if (port_forbidden(port) && n < ARRAY_SIZE(closed))
			closed[n++] = port;
	walked = true;
	for (size_t i = 0; i < n; i++)
		terms_add(&any, z_is(&s->z, s->port, closed[i]));
	return terms_or(&any);
}

static void one_endpoint(struct sym *s, struct sym_endpoint *se, Z3_ast caller)
{
	Z3_ast fine = z_not(&s->z, z_and(&s->z, s->is_addr, s->forbidden));

	se->host = sees(IN_ENDPOINT "host") ? sym_host(s, &se->e->host) : z_true(&s->z);
	fine = z_and(&s->z, fine, sym_there(s, se->e));
	se->reach = z_and(&s->z, z_and(&s->z, se->host, fine), z_and(&s->z, ports(s, se->e), caller));
	se->dial = z_and(&s->z, se->reach, sym_at(s, se->e));
}

/* The same on all sides. */
static void addresses(struct sym *s)
{
	s->forbidden = sym_addr_at_least(s, ADDR_FORBIDDEN);
	s->private = sym_addr_at_least(s, ADDR_PRIVATE);
	s->closed = closed_port(s);
}

void sym_connect(struct sym *s)
{
	struct terms dials = { .z = &s->z }, inspects = { .z = &s->z };

	uint32_t at = s->first;

	if (!s->closed)
		addresses(s);
	for EACH (struct rule, rule, &s->p->rules) {
		Z3_ast caller = NULL;

		for EACH (struct endpoint, e, &rule->endpoints) {
			struct sym_endpoint *se;

			if (!slice_has(s->slices, s->slice, at++))
				continue;
			caller = caller ? caller : who(s, rule);
			se = list_push(s->z.a, &s->endpoints, sizeof(*se));
			if (!se)
				return;
			*se = (struct sym_endpoint){ .rule = rule, .e = e, .index = s->endpoints.n - 1 };
			se->asked = !s->slices || (at <= s->slices->endpoints && s->slices->of[at - 1] == s->slice);
			one_endpoint(s, se, caller);
			terms_add(&dials, se->dial);
			if (endpoint_inspected(e) && sees(IN_ENDPOINT "protocol"))
				terms_add(&inspects, se->reach);
		}
	}
	s->dials = z_and(&s->z, z_and(&s->z, terms_or(&dials), s->runs), z_not(&s->z, s->closed));
	s->inspected = terms_or(&inspects);
}
