/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks every entry of a bundle: strings, enums, order, cross-references. Afterwards an index or an
 * offset found in a bundle may be used without looking. Trusts nothing; bounded by the counts that
 * bundle.c has checked against limits.h.
 */
#include "bundle_check.h"

#include <string.h>

#include "osh/abi.h"
#include "own.h"

#define BAD(...) fail(e, EBADMSG, "bundle: " __VA_ARGS__)

static bool has_str(const struct bundle *b, uint32_t off)
{
	return off < b->n_strings;	/* the section ends in NUL: every offset inside is a C string */
}

/* Absolute (or, where asked, relative), no empty, "." or ".." segment. "/" alone is fine. */
static bool path_ok(const char *p, size_t max, bool relative)
{
	size_t n = strlen(p);

	if (!n || n >= max || (*p != '/' && !relative))
		return false;
	if (!strcmp(p, "/"))
		return true;
	if (*p == '/')
		p++;
	for (;;) {
		size_t seg = strcspn(p, "/");

		if (!seg || (seg == 1 && p[0] == '.') || (seg == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		if (!p[seg])
			return true;
		p += seg + 1;
	}
}

/* A DNS name as the kernel keys it: lower case, no trailing dot, labels of 1..63 bytes. */
static bool name_ok(const char *s)
{
	size_t label = 0, n = strlen(s);

	if (!n || n > 253)
		return false;
	for (; *s; s++) {
		if (*s == '.') {
			if (!label)
				return false;
			label = 0;
			continue;
		}
		if (!((*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9') || *s == '-' || *s == '_'))
			return false;
		if (++label > 63)
			return false;
	}
	return label > 0;
}

static bool prefix_ok(const uint8_t addr[16], uint32_t bits)
{
	if (bits > 128)
		return false;
	for (uint32_t i = bits; i < 128; i++)
		if (addr[i / 8] & (0x80 >> (i % 8)))
			return false;
	return true;
}

static bool env_name_ok(const char *s, size_t n)
{
	if (!n || (s[0] >= '0' && s[0] <= '9'))
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '_'))
			return false;
	}
	return true;
}

static int check_strings(const struct bundle *b, struct err *e)
{
	if (b->strings[0] || b->strings[b->n_strings - 1])
		return BAD("strings do not begin and end in NUL");
	return 0;
}

static int check_meta(const struct bundle *b, struct err *e)
{
	const struct osh_b_meta *m = b->meta;

	if (m->compat > OSH_COMPAT_HARD || m->include_workdir > 1 ||
	    m->run_as_user > OSH_RUNAS_UID || m->run_as_group > OSH_RUNAS_UID ||
	    m->exec_mode > OSH_EXEC_STRICT || m->userns > 1 || m->deny > 1 || m->pad)
		return BAD("meta holds an unknown value");
	if ((m->run_as_user == OSH_RUNAS_UID) != (m->uid != 0) || m->uid == UINT32_MAX ||
	    (m->run_as_group == OSH_RUNAS_UID) != (m->gid != 0) || m->gid == UINT32_MAX)
		return BAD("meta names identity %u:%u", m->uid, m->gid);
	if (m->wildcard_names > OSH_WILD_MAX)
		return BAD("%u wildcard names", m->wildcard_names);
	if (!m->n_groups || m->n_groups > OSH_GROUPS)
		return BAD("%u binaries groups", m->n_groups);
	return 0;
}

bool bundle_amount_ok(enum osh_resource what, uint64_t amount)
{
	static const struct {
		uint64_t least, most;
	} rows[OSH_RESOURCES] = {
#define RESOURCE(id, key, kind, least, most, text) [OSH_RES_##id] = { least, most },
#include "osh/resources.def"
#undef RESOURCE
	};

	return !amount || (amount >= rows[what].least && amount <= rows[what].most);
}

static int check_gpus(const struct bundle *b, struct err *e)
{
	for (uint32_t i = 0; i < b->n_gpus; i++) {
		const struct osh_b_gpu *g = &b->gpus[i];
		bool named = has_str(b, g->device) && *bundle_str(b, g->device);

		if (!has_str(b, g->device) || named == !!g->count || (g->count && b->n_gpus > 1) || g->count > OSH_GPU_COUNT ||
		    g->share > 1 || g->share != b->gpus->share || strlen(bundle_str(b, g->device)) >= OSH_GPU_NAME)
			return BAD("gpus");
	}
	return 0;
}

static int check_limits(const struct bundle *b, struct err *e)
{
	bool any = !b->limits;

	for (int i = 0; b->limits && i < OSH_RESOURCES_ROOM; i++) {
		any |= b->limits->amount[i] != 0;
		if (i >= OSH_RESOURCES ? b->limits->amount[i] != 0 : !bundle_amount_ok(i, b->limits->amount[i]))
			return BAD("limit %d", i);
	}
	return any ? 0 : BAD("limits");
}

static int check_fs(const struct bundle *b, struct err *e)
{
	uint32_t deny = 0;

	for (uint32_t i = 0; i < b->n_fs; i++) {
		const struct osh_b_fs *f = &b->fs[i];

		if (f->mode > OSH_FS_DENY || f->group >= b->meta->n_groups || (f->group && f->mode == OSH_FS_DENY) || !has_str(b, f->path) ||
		    !path_ok(bundle_str(b, f->path), OSH_FS_PATH_LEN, f->mode == OSH_FS_DENY))
			return BAD("filesystem entry %u", i);
		if (f->mode == OSH_FS_RW && !strcmp(bundle_str(b, f->path), "/"))
			return BAD("filesystem entry %u makes / writable", i);
		deny |= f->mode == OSH_FS_DENY;
	}
	return deny == b->meta->deny ? 0 : BAD("meta.deny does not say what the entries say");
}

static bool host_ok(const struct bundle *b, const struct osh_b_host *h)
{
	const char *s;

	if (!has_str(b, h->name))
		return false;
	s = bundle_str(b, h->name);
	switch ((enum osh_b_host_kind)h->kind) {
	case OSH_HOST_EXACT:
		return name_ok(s);
	case OSH_HOST_WILD:
		s += strspn(s, "*");
		return s > bundle_str(b, h->name) && *s == '.' && name_ok(s + 1);
	case OSH_HOST_CIDR:
		return *s && strlen(s) < 64 && !s[strspn(s, "0123456789abcdef.:/")];
	}
	return false;
}

static int check_hosts(const struct bundle *b, struct err *e)
{
	for (uint32_t i = 0; i < b->n_hosts; i++) {
		const struct osh_b_host *h = &b->hosts[i], *was = i ? h - 1 : NULL;

		if (!host_ok(b, h))
			return BAD("host %u", i + 1);
		if (was && (h->kind < was->kind ||
			    (h->kind == was->kind &&
			     strcmp(bundle_str(b, was->name), bundle_str(b, h->name)) >= 0)))
			return BAD("host %u is out of order", i + 1);
	}
	return 0;
}

static bool host_is(const struct bundle *b, uint32_t host, uint32_t kind)
{
	return host && host <= b->n_hosts && b->hosts[host - 1].kind == kind;
}

static int check_suffixes(const struct bundle *b, struct err *e)
{
	for (uint32_t i = 0; i < b->n_suffixes; i++) {
		const struct osh_b_suffix *s = &b->suffixes[i];
		const char *text = bundle_str(b, has_str(b, s->suffix) ? s->suffix : 0);
		uint32_t dots = 0;

		if (*text != '.' || !name_ok(text + 1) || strlen(text) > OSH_SUFFIX_LEN)
			return BAD("suffix %u", i);
		for (const char *p = text; *p; p++)
			dots += *p == '.';
		if (dots != s->dots || (!s->one && !s->deep) ||
		    (s->one && !host_is(b, s->one, OSH_HOST_WILD)) ||
		    (s->deep && !host_is(b, s->deep, OSH_HOST_WILD)))
			return BAD("suffix %u points nowhere", i);
		if (i && strcmp(bundle_str(b, s[-1].suffix), text) >= 0)
			return BAD("suffix %u is out of order", i);
	}
	return 0;
}

static int check_cidrs(const struct bundle *b, struct err *e)
{
	for (uint32_t i = 0; i < b->n_cidrs; i++) {
		const struct osh_b_cidr *c = &b->cidrs[i];
		int order;

		if (!prefix_ok(c->addr, c->bits) || !host_is(b, c->host, OSH_HOST_CIDR))
			return BAD("network %u", i);
		order = i ? memcmp(c[-1].addr, c->addr, sizeof(c->addr)) : -1;
		if (order > 0 || (order == 0 && c[-1].bits >= c->bits))
			return BAD("network %u is out of order", i);
	}
	return 0;
}

static int check_endpoints(const struct bundle *b, struct err *e)
{
	for (uint32_t i = 0; i < b->n_endpoints; i++) {
		const struct osh_b_endpoint *p = &b->endpoints[i];

		if (!p->host || p->host > b->n_hosts || !p->port || p->port > 65535)
			return BAD("endpoint %u", i);
		if (!p->n_alts || p->n_alts > OSH_ALTS || p->first_alt > b->n_alts ||
		    p->n_alts > b->n_alts - p->first_alt)
			return BAD("endpoint %u has %u alternatives", i, p->n_alts);
		if (i && (p->host < p[-1].host || (p->host == p[-1].host && p->port <= p[-1].port)))
			return BAD("endpoint %u is out of order", i);
	}
	return 0;
}

static int check_alts(const struct bundle *b, struct err *e)
{
	for (uint32_t i = 0; i < b->n_alts; i++) {
		const struct osh_b_alt *a = &b->alts[i];

		if (a->group >= b->meta->n_groups || a->rule >= b->n_rules || a->pad ||
		    (a->flags & ~(OSH_ALT_TAINT_OK | OSH_ALT_L7 | OSH_ALT_TLS_SKIP)) ||
		    !(a->flags & OSH_ALT_L7) != !b->rules[a->rule].l7)
			return BAD("alternative %u", i);
	}
	return 0;
}

static int check_rules(const struct bundle *b, struct err *e)
{
	for (uint32_t i = 0; i < b->n_rules; i++)
		if (!has_str(b, b->rules[i].name) || !*bundle_str(b, b->rules[i].name) ||
		    b->rules[i].pad ||
		    (b->rules[i].l7 && (b->rules[i].l7 > b->n_l7 || b->l7[b->rules[i].l7 - 1].rule != i)))
			return BAD("rule %u", i);
	return 0;
}

static bool sha256_ok(const struct bundle *b, uint32_t off)
{
	const char *s;

	if (!off)
		return true;
	if (!has_str(b, off))
		return false;
	s = bundle_str(b, off);
	return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

static int check_binaries(const struct bundle *b, struct err *e)
{
	uint32_t globs = 0;

	for (uint32_t i = 0; i < b->n_binaries; i++) {
		const struct osh_b_binary *p = &b->binaries[i];
		int order = -1;

		if (!has_str(b, p->path) || !path_ok(bundle_str(b, p->path), OSH_PATH_MAX, false) ||
		    !p->group || p->group >= b->meta->n_groups || !sha256_ok(b, p->sha256) ||
		    (p->flags & ~(OSH_BIN_GLOB | OSH_BIN_INHERIT)))
			return BAD("program %u", i);
		if (i)
			order = strcmp(bundle_str(b, p[-1].path), bundle_str(b, p->path));
		if (order > 0 || (order == 0 && (p[-1].group >= p->group ||
						 ((p[-1].flags ^ p->flags) & OSH_BIN_GLOB))))
			return BAD("program %u is out of order", i);
		globs += order && (p->flags & OSH_BIN_GLOB);
	}
	return globs <= OSH_GLOBS ? 0 : BAD("%u program patterns, at most %u", globs, OSH_GLOBS);
}

static int check_upstream(const struct bundle *b, struct err *e)
{
	for (uint32_t i = 0; i < b->n_upstream; i++) {
		const struct osh_b_upstream *u = &b->upstream[i];

		if (!prefix_ok(u->addr, u->bits) || !u->host || u->host > b->n_hosts || !u->port ||
		    u->port > 65535 || u->pad)
			return BAD("allowed_ips entry %u", i);
	}
	return 0;
}

static int check_env(const struct bundle *b, struct err *e)
{
	for (uint32_t i = 0; i < b->n_env; i++) {
		const struct osh_b_env *v = &b->env[i];
		const char *s = bundle_str(b, has_str(b, v->text) ? v->text : 0);
		size_t n = strcspn(s, "=");

		if (v->kind > OSH_ENV_SET || !env_name_ok(s, n) ||
		    (v->kind == OSH_ENV_SET) != (s[n] == '=') || strlen(s) >= OSH_ENV_LEN)
			return BAD("environment entry %u", i);
	}
	return 0;
}

static int check_lists(const struct bundle *b, struct err *e)
{
	for (uint32_t i = 0; i < b->n_exec; i++)
		if (b->exec[i].pad || !has_str(b, b->exec[i].pattern) ||
		    !path_ok(bundle_str(b, b->exec[i].pattern), OSH_PATH_MAX, false))
			return BAD("exec entry %u", i);
	for (uint32_t i = 0; i < b->n_unix; i++)
		if (b->unix_paths[i].pad || !has_str(b, b->unix_paths[i].path) ||
		    !path_ok(bundle_str(b, b->unix_paths[i].path), 108, false))
			return BAD("unix socket entry %u", i);
	return 0;
}

int bundle_check(const struct bundle *b, struct err *e)
{
	static int (*const checks[])(const struct bundle *, struct err *) = {
		check_strings, check_meta, check_limits, check_gpus, check_fs, check_hosts, check_suffixes,
		check_cidrs, check_endpoints, check_alts, check_rules, check_binaries,
		check_upstream, check_env, check_lists, bundle_check_l7,
	};

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		int r = checks[i](b, e);

		if (r < 0)
			return r;
	}
	return 0;
}
