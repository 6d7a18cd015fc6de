/* SPDX-License-Identifier: Apache-2.0 */
/* Candidates about `allowed_ips`: one address more, or one entry less. */
#include "flip_parts.h"

#include <string.h>

#include "host.h"

static bool in_net(const struct net *addr, const struct net *net)
{
	for (uint32_t i = 0; i < net->bits; i++)
		if ((addr->addr[i / 8] ^ net->addr[i / 8]) & (0x80 >> i % 8))
			return false;
	return true;
}

static bool address_of(const struct work *w, struct net *ret)
{
	const char *text = w->q->at ? w->q->at : w->q->connect.host;

	return w->q->kind <= ASK_REQUEST && text && net_parse(text, ret) && ret->bits == 128;
}

static struct net *copy(struct work *w, const struct endpoint *e)
{
	struct net *all = arena_zalloc(w->a, (e->n_allowed + 1) * sizeof(*all));

	if (all && e->n_allowed)
		memcpy(all, e->allowed, e->n_allowed * sizeof(*all));
	return all;
}

/* Where none was listed, the list is new, and from then on nothing else may be dialled. */
bool flip_add_address(struct work *w)
{
	struct rule *rule = flip_rule(w);
	struct endpoint *e = flip_endpoint(w, rule);
	const char *text = w->q->at ? w->q->at : w->q->connect.host, *yaml;
	struct net addr, *all;

	if ((w->d.why != OSH_WHY_ADDR_PRIVATE && w->d.why != OSH_WHY_ADDR_NOT_LISTED) || !e ||
	    !address_of(w, &addr) || net_unallowable(&addr))
		return false;
	all = copy(w, e);
	text = flip_quote(w->a, text);
	if (!all || !text)
		return false;
	all[e->n_allowed] = addr;
	yaml = arena_printf(w->a, e->n_allowed ? "allowed_ips: [%s]"
					       : "allowed_ips: [%s]  # and then nowhere else", text);
	w->c = (struct change){ e->n_allowed ? "add" : "set", e->at.line, flip_endpoint_yaml(w, rule, e, yaml) };
	e->allowed = all;
	e->n_allowed++;
	return true;
}

/* The entry that holds the address. The last one stays: without a list every public address is allowed. */
bool flip_drop_address(struct work *w)
{
	struct rule *rule = flip_rule(w);
	struct endpoint *e = flip_endpoint(w, rule);
	const char *yaml;
	struct net addr, *all;
	uint32_t n = 0;
	char text[64];

	if (!e || e->n_allowed < 2 || !address_of(w, &addr))
		return false;
	all = copy(w, e);
	if (!all)
		return false;
	for (uint32_t i = 0; i < e->n_allowed; i++) {
		if (n == i && in_net(&addr, &e->allowed[i]))
			net_text(&e->allowed[i], text);
		else
			all[n++] = e->allowed[i];
	}
	if (n == e->n_allowed)
		return false;
	yaml = flip_quote(w->a, text);
	w->c = (struct change){ "remove", e->at.line, !yaml ? NULL : flip_endpoint_yaml(w, rule, e,
				arena_printf(w->a, "allowed_ips: [%s]", yaml)) };
	e->allowed = all;
	e->n_allowed = n;
	return true;
}
