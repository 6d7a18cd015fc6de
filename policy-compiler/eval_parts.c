/* SPDX-License-Identifier: Apache-2.0 */
#include "eval_parts.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "host.h"

bool target_of(const char *text, struct target *t)
{
	size_t n = strlen(text), label = 0;

	*t = (struct target){ 0 };
	t->is_net = net_parse(text, &t->net) && t->net.bits == 128;
	if (t->is_net)
		return true;
	if (n && text[n - 1] == '.')
		n--;
	if (!n || n > 253)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = (char)tolower((unsigned char)text[i]);

		label = c == '.' ? 0 : label + 1;
		if (label > 63 || (!label && (!i || text[i - 1] == '.')) ||
		    (label && !isalnum((unsigned char)c) && c != '-' && c != '_'))
			return false;
		t->name[i] = c;
	}
	return label > 0;
}

/* Is `name` SUFFIX with at least one label before it; with exactly one for HOST_ONE? */
static bool below(const char *name, const char *suffix, bool one)
{
	size_t n = strlen(name), s = strlen(suffix);

	if (n <= s || strcmp(name + n - s, suffix))
		return false;
	return !one || !memchr(name, '.', n - s);
}

bool net_inside(const struct net *addr, const struct net *net)
{
	for (uint32_t i = 0; i < net->bits; i++)
		if ((addr->addr[i / 8] ^ net->addr[i / 8]) & (0x80 >> (i % 8)))
			return false;
	return true;
}

bool host_covers(const struct host *h, const struct target *t)
{
	switch (h->kind) {
	case HOST_NAME:
		return !t->is_net && !strcmp(h->text, t->name);
	case HOST_ONE:
		return !t->is_net && below(t->name, h->text, true);
	case HOST_DEEP:
		return !t->is_net && below(t->name, h->text, false);
	case HOST_NET:
		return t->is_net && net_inside(&t->net, &h->net);
	case HOST_GLOB:
		return !t->is_net && pattern_match(&h->glob, t->name, '.');
	case HOST_ANY:
		return true;
	}
	return false;
}

bool has_port(const struct endpoint *e, uint32_t port)
{
	for (uint32_t i = 0; i < e->n_ports; i++)
		if (e->ports[i] == port)
			return true;
	return false;
}

static bool is(const struct program *prog, const char *path)
{
	return prog->glob ? glob_match(prog->path, path) : !strcmp(prog->path, path);
}

/* A digest is known of the process itself only, so an entry with one is never met by an ancestor. */
static bool listed(const struct program *prog, const struct eval_connect *c)
{
	if (prog->sha256)
		return c->sha256 && !strcasecmp(prog->sha256, c->sha256) && is(prog, c->binary);
	if (is(prog, c->binary))
		return true;
	for (uint32_t i = 0; prog->inherit && i < c->n_ancestors; i++)
		if (is(prog, c->ancestors[i]))
			return true;
	return false;
}

bool programs_list(const struct list *programs, const struct eval_connect *c)
{
	for EACH (struct program, prog, programs)
		if (listed(prog, c))
			return true;
	return false;
}

enum osh_reason who(const struct rule *rule, const struct eval_connect *c)
{
	if (rule->any_program)
		return OSH_WHY_ALLOWED;
	if (!c->binary)
		return OSH_WHY_NO_IDENTITY;
	if (!programs_list(&rule->programs, c))
		return OSH_WHY_BINARY;
	return c->tainted && !rule->taint_ok ? OSH_WHY_TAINTED : OSH_WHY_ALLOWED;
}
