/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether one part of a rule holds all that another means. Patterns are tried with samples: what a
 * wildcard may stand for is replaced by runs of a byte that no pattern names, of several lengths.
 */
#include "lint_parts.h"

#include <string.h>
#include <strings.h>

#include "eval.h"
#include "own.h"

static bool ends_with(const char *text, const char *suffix)
{
	size_t n = strlen(text), s = strlen(suffix);

	return n >= s && !strcmp(text + n - s, suffix);
}

static bool net_holds(const struct net *a, const struct net *b)
{
	for (uint32_t i = 0; i < a->bits; i++)
		if ((a->addr[i / 8] ^ b->addr[i / 8]) & (0x80 >> (i % 8)))
			return false;
	return a->bits <= b->bits;
}

bool host_holds(const struct host *a, const struct host *b)
{
	bool name = b->kind == HOST_NAME;

	if (a->kind == b->kind && !strcmp(a->text, b->text))
		return a->kind != HOST_GLOB || !strcmp(a->glob.text, b->glob.text);
	switch (a->kind) {
	case HOST_ONE:
		return name && ends_with(b->text, a->text) && *b->text != '.' &&
		       !memchr(b->text, '.', strlen(b->text) - strlen(a->text));
	case HOST_DEEP:
		return (name || b->kind == HOST_ONE || b->kind == HOST_DEEP) && ends_with(b->text, a->text);
	case HOST_NET:
		return b->kind == HOST_NET && net_holds(&a->net, &b->net);
	case HOST_GLOB:
		return name && pattern_match(&a->glob, b->text, '.');
	case HOST_NAME:
	case HOST_ANY:
		break;
	}
	return false;
}

static bool port_in(uint32_t port, const struct endpoint *e)
{
	for (uint32_t i = 0; i < e->n_ports; i++)
		if (e->ports[i] == port)
			return true;
	return false;
}

bool ports_hold(const struct endpoint *a, const struct endpoint *b)
{
	for (uint32_t i = 0; i < b->n_ports; i++)
		if (!port_in(b->ports[i], a))
			return false;
	return true;
}

bool ports_meet(const struct endpoint *a, const struct endpoint *b)
{
	for (uint32_t i = 0; i < b->n_ports; i++)
		if (port_in(b->ports[i], a))
			return true;
	return false;
}

bool lone_star(const char *text)
{
	for (const char *p = strchr(text, '*'); p; p = strchr(p, '*')) {
		size_t n = strspn(p, "*");

		if (n == 1)
			return true;
		p += n;
	}
	return false;
}

#define RUN "\x01\x01\x01\x01\x01\x01\x01"
#define SEGMENTS_MAX 17

/* `b` with `len` bytes for a `*` and `segments` times as many for a `**`; false = too long. */
static bool sample(const char *b, char sep, size_t len, unsigned segments, char *to, size_t max)
{
	size_t n = 0;

	while (*b) {
		size_t stars = strspn(b, "*");

		if (n + 1 + (sizeof(RUN) + 1) * SEGMENTS_MAX >= max)
			return false;
		for (unsigned i = 0; stars && i < (stars > 1 ? segments : 1); i++) {
			if (i)
				to[n++] = sep;
			memcpy(to + n, RUN, len);
			n += len;
		}
		if (!stars)
			to[n++] = *b == '?' ? RUN[0] : *b;
		b += stars ? stars : 1;
	}
	to[n] = '\0';
	return true;
}

/* Most pairs differ before the first wildcard: where `a` is literal, `b` must say the same. */
static bool begins_apart(const char *a, const char *b)
{
	return strncmp(a, b, strcspn(a, "*?[{\\")) != 0;
}

static bool one_holds(const struct pattern *a, const char *b, char sep)
{
	static const struct {
		size_t len;
		unsigned segments;
	} samples[] = { { 0, 1 }, { 1, 1 }, { 5, 3 }, { 7, SEGMENTS_MAX } };
	char text[4096];

	if (strpbrk(b, "[]\\"))
		return !strcmp(a->text, b);
	if (a->alts.n == 1 && begins_apart(*(const char *const *)a->alts.v, b))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		if (!sample(b, sep, samples[i].len, samples[i].segments, text, sizeof(text)) ||
		    !pattern_match(a, text, sep))
			return false;
	return true;
}

bool pattern_holds(const struct pattern *a, const struct pattern *b, char sep)
{
	const char *const *alt = b->alts.v;

	for (uint32_t i = 0; i < b->alts.n; i++)
		if (!one_holds(a, alt[i], sep))
			return false;
	return b->alts.n > 0;
}

bool glob_holds(const char *a, const char *b, char sep)
{
	struct pattern p = { .text = a, .alts = { .v = &a, .n = 1 } };

	return one_holds(&p, b, sep);
}

static bool program_in(const struct program *b, const struct list *list)
{
	for EACH (struct program, a, list) {
		if ((b->inherit && !a->inherit) ||
		    (a->sha256 && (!b->sha256 || strcasecmp(a->sha256, b->sha256))))
			continue;
		if (!strcmp(a->path, b->path) || (a->glob && glob_holds(a->path, b->path, '/')))
			return true;
	}
	return false;
}

bool programs_hold(const struct rule *a, const struct rule *b)
{
	if (a->any_program || b->any_program)
		return a->any_program;
	for EACH (struct program, p, &b->programs)
		if (!program_in(p, &a->programs))
			return false;
	return true;
}

static bool method_holds(const struct l7_rule *a, const struct l7_rule *b)
{
	if (!a->method || !strcmp(a->method, "*"))
		return true;
	if (!b->method)
		return false;
	return !strcasecmp(a->method, b->method) || (!strcmp(a->method, "GET") && !strcmp(b->method, "HEAD"));
}

/* Every pattern of `b` within one of `a`; none in `a` is any, none in `b` is more than some. */
static bool list_holds(const struct list *a, const struct list *b)
{
	if (!a->n || !b->n)
		return !a->n;
	for EACH (struct pattern, want, b) {
		bool found = false;

		for EACH (struct pattern, have, a)
			found = found || pattern_holds(have, want, '.');
		if (!found)
			return false;
	}
	return true;
}

static bool path_holds(const struct l7_rule *a, const struct l7_rule *b)
{
	if (!a->has_path || !strcmp(a->path.text, "/**") || !strcmp(a->path.text, "**"))
		return true;
	return b->has_path && pattern_holds(&a->path, &b->path, '/');
}

bool l7_rule_holds(const struct l7_rule *a, const struct l7_rule *b)
{
	if (!a->operations != !b->operations || (a->operations & b->operations) != b->operations)
		return false;
	if (a->has_name && (!b->has_name || !pattern_holds(&a->name, &b->name, '.')))
		return false;
	return !a->query.n && method_holds(a, b) && path_holds(a, b) && list_holds(&a->fields, &b->fields) &&
	       list_holds(&a->tools, &b->tools);
}
