/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the test and the fuzzer of the kernel's tables share: the tables of a bundle, looked up the way the
 * kernel does, and random policies. The lookup shares no code with the kernel or with eval; it can
 * be run with one fault. Whoever includes this defines pick().
 */
#pragma once

#include <arpa/inet.h>
#include <string.h>

#include "bundle.h"
#include "eval.h"
#include "own.h"

static unsigned pick(unsigned n);	/* 0..n-1 */

enum fault {
	FAULT_NONE, FAULT_SHORT_SUFFIX, FAULT_ONE_IS_DEEP, FAULT_NO_EXACT, FAULT_SHORT_PREFIX,
	FAULT_PORT, FAULT_TAINT, FAULT_GLOB_CROSSES, FAULT_FIRST_ALT, FAULT_LAST_RULE, FAULT_MAX,
};

/* ---- the kernel's view -------------------------------------------------------------------- */

static bool glob(const char *p, const char *t, enum fault f)
{
	if (!*p)
		return !*t;
	if (p[0] == '*' && p[1] == '*')
		return glob(p + 2, t, f) || (*t && glob(p, t + 1, f));
	if (*p == '*')
		return glob(p + 1, t, f) ||
		       (*t && (*t != '/' || f == FAULT_GLOB_CROSSES) && glob(p, t + 1, f));
	if (*p == '?')
		return *t && *t != '/' && glob(p + 1, t + 1, f);
	return *p == *t && glob(p + 1, t + 1, f);
}

static void groups_of(const struct bundle *b, const char *program, bool in[OSH_GROUPS], enum fault f)
{
	for (uint32_t i = 0; program && i < b->n_binaries; i++) {
		const char *path = bundle_str(b, b->binaries[i].path);

		if (b->binaries[i].flags & OSH_BIN_GLOB ? glob(path, program, f)
							 : !strcmp(path, program))
			in[b->binaries[i].group] = true;
	}
}

static uint32_t host_of_name(const struct bundle *b, const char *name, enum fault f)
{
	uint32_t found = 0;

	for (uint32_t i = 0; f != FAULT_NO_EXACT && i < b->n_hosts; i++)
		if (b->hosts[i].kind == OSH_HOST_EXACT &&
		    !strcmp(bundle_str(b, b->hosts[i].name), name))
			return i + 1;
	for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
		for (uint32_t i = 0; i < b->n_suffixes; i++) {
			const struct osh_b_suffix *s = &b->suffixes[i];

			if (strcmp(bundle_str(b, s->suffix), dot))
				continue;
			found = dot == strchr(name, '.') && f != FAULT_ONE_IS_DEEP ? s->one : s->deep;
			if (f != FAULT_SHORT_SUFFIX)
				return found;
		}
	}
	return found;
}

static uint32_t host_of_addr(const struct bundle *b, const uint8_t addr[16], enum fault f)
{
	uint32_t found = 0;
	int best = -1;

	for (uint32_t i = 0; i < b->n_cidrs; i++) {
		const struct osh_b_cidr *c = &b->cidrs[i];
		uint32_t same = 0;

		while (same < 128 && !((addr[same / 8] ^ c->addr[same / 8]) & (0x80 >> same % 8)))
			same++;
		if (same < c->bits || ((int)c->bits < best && f != FAULT_SHORT_PREFIX) ||
		    (found && f == FAULT_SHORT_PREFIX && (int)c->bits > best))
			continue;
		best = (int)c->bits;
		found = c->host;
	}
	return found;
}

static bool parse_addr(const char *s, uint8_t out[16])
{
	memset(out, 0, 10);
	memset(out + 10, 0xff, 2);
	return inet_pton(AF_INET, s, out + 12) == 1 || inet_pton(AF_INET6, s, out) == 1;
}

static const struct osh_b_endpoint *endpoint_of(const struct bundle *b, uint32_t host, uint32_t port,
						enum fault f)
{
	for (uint32_t i = 0; i < b->n_endpoints; i++)
		if (b->endpoints[i].host == host &&
		    (b->endpoints[i].port == port || f == FAULT_PORT))
			return &b->endpoints[i];
	return NULL;
}

static struct decision look_up(const struct bundle *b, const struct eval_connect *c, enum fault f)
{
	struct decision d = { OSH_DENY, OSH_WHY_DEST_UNKNOWN, NULL, 0 };
	bool in[OSH_GROUPS] = { true }, known = false;
	const struct osh_b_endpoint *e;
	uint32_t host, rule = UINT32_MAX;
	uint8_t addr[16];

	host = parse_addr(c->host, addr) ? host_of_addr(b, addr, f) : host_of_name(b, c->host, f);
	if (!host)
		return d;
	e = endpoint_of(b, host, c->port, f);
	d.why = OSH_WHY_PORT;
	if (!e)
		return d;
	groups_of(b, c->binary, in, f);
	for (uint32_t i = 0; i < (f == FAULT_FIRST_ALT ? 1 : e->n_alts); i++) {
		const struct osh_b_alt *a = &b->alts[e->first_alt + i];

		if (!in[a->group])
			continue;
		known = true;
		if (c->tainted && !(a->flags & OSH_ALT_TAINT_OK) && f != FAULT_TAINT)
			continue;
		if (rule == UINT32_MAX || (f == FAULT_LAST_RULE ? a->rule > rule : a->rule < rule))
			rule = a->rule;
	}
	if (rule != UINT32_MAX)
		return (struct decision){ OSH_ALLOW, OSH_WHY_ALLOWED,
					  bundle_str(b, b->rules[rule].name), b->rules[rule].line };
	d.why = known ? OSH_WHY_TAINTED : c->binary ? OSH_WHY_BINARY : OSH_WHY_NO_IDENTITY;
	return d;
}

/* ---- random policies and requests --------------------------------------------------------- */

static const char *const programs[] = {
	"/bin/a", "/usr/bin/a", "/usr/bin/b", "/usr/bin/git", "/opt/p/x", "/opt/p/q/x", "/opt/r/x",
	"/opt/*/x", "/opt/**", "/usr/bin/?", "/opt/{p,r}/x", "/**", "/usr/lib/git-core/git-remote-https",
};
static const char *const nets[] = {
	"1.0.0.0/8", "1.2.0.0/16", "1.2.3.0/24", "1.2.3.4", "1.2.3.5", "2600::/16", "2600:1::/32",
	"2600:1::7", "8.8.8.8", "127.0.0.1", "10.9.9.9",
};
static const char *const addrs[] = {
	"1.9.9.9", "1.2.9.9", "1.2.3.9", "1.2.3.4", "1.2.3.5", "2600::1", "2600:1::1", "2600:1::7",
	"8.8.8.8", "9.9.9.9", "2700::1", "127.0.0.1", "10.9.9.9",
};

static void random_name(struct buf *b, unsigned labels)
{
	for (unsigned i = 0; i < labels; i++)
		buf_printf(b, "%c.", "abc"[pick(3)]);
	buf_str(b, "t.test");
}

static void random_endpoint(struct buf *b)
{
	static const char *const stars[] = { "", "", "*.", "*.", "**." };

	buf_str(b, "{host: '");
	if (pick(5)) {
		buf_str(b, stars[pick(ARRAY_SIZE(stars))]);
		random_name(b, pick(4));
	} else {
		buf_str(b, nets[pick(ARRAY_SIZE(nets))]);
	}
	buf_printf(b, "', ports: [%u, %u]", 1 + pick(3), 1 + pick(3));
	if (!pick(40))
		buf_str(b, ", allowed_ips: [1.2.3.4]");
}

static void random_programs(struct buf *b)
{
	buf_str(b, "binaries: [");
	for (unsigned i = 0, n = 1 + pick(3); i < n; i++)
		buf_printf(b, "%s'%s'", i ? ", " : "", programs[pick(ARRAY_SIZE(programs))]);
	buf_str(b, "]");
}

static void random_policy(struct buf *b)
{
	buf_str(b, "version: 1\nnetwork:\n");
	for (unsigned i = 0, n = 1 + pick(3); i < n; i++) {
		buf_str(b, "  - ");
		random_endpoint(b);
		if (pick(2)) {
			buf_str(b, ", ");
			random_programs(b);
			buf_str(b, pick(3) ? "" : ", taint: ignore");
		}
		buf_str(b, "}\n");
	}
	buf_str(b, "network_policies:\n");
	for (unsigned i = 0, n = 1 + pick(6); i < n; i++) {
		buf_printf(b, "  %c%u: {", "zyx"[pick(3)], i);
		random_programs(b);
		buf_str(b, pick(4) ? ", endpoints: [" : ", taint: ignore, endpoints: [");
		for (unsigned k = 0, m = 1 + pick(4); k < m; k++) {
			buf_str(b, k ? ", " : "");
			random_endpoint(b);
			buf_str(b, "}");
		}
		buf_str(b, "]}\n");
	}
}

/* What eval and the tables must agree in. */
static bool same(const struct decision *a, const struct decision *b)
{
	if (a->verdict != b->verdict || a->why != b->why)
		return false;
	return a->verdict != OSH_ALLOW || (!strcmp(a->rule, b->rule) && a->line == b->line);
}
