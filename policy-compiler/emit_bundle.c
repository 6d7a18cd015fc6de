/* SPDX-License-Identifier: Apache-2.0 */
/* Tables -> bundle. Writes what include/osh/bundle.h says and what bundle_open() insists on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "emit.h"
#include "emit_parts.h"
#include "hash.h"
#include "own.h"

static const uint32_t entry_size[OSH_SEC_MAX] = {
	[OSH_SEC_STRINGS] = 1,
	[OSH_SEC_META] = sizeof(struct osh_b_meta),
	[OSH_SEC_FS] = sizeof(struct osh_b_fs),
	[OSH_SEC_HOSTS] = sizeof(struct osh_b_host),
	[OSH_SEC_SUFFIXES] = sizeof(struct osh_b_suffix),
	[OSH_SEC_CIDRS] = sizeof(struct osh_b_cidr),
	[OSH_SEC_ENDPOINTS] = sizeof(struct osh_b_endpoint),
	[OSH_SEC_ALTS] = sizeof(struct osh_b_alt),
	[OSH_SEC_RULES] = sizeof(struct osh_b_rule),
	[OSH_SEC_BINARIES] = sizeof(struct osh_b_binary),
	[OSH_SEC_UPSTREAM] = sizeof(struct osh_b_upstream),
	[OSH_SEC_ENV] = sizeof(struct osh_b_env),
	[OSH_SEC_EXEC] = sizeof(struct osh_b_exec),
	[OSH_SEC_UNIX] = sizeof(struct osh_b_unix),
	[OSH_SEC_L7] = sizeof(struct osh_b_l7),
	[OSH_SEC_MATCHES] = sizeof(struct osh_b_match),
	[OSH_SEC_QUERIES] = sizeof(struct osh_b_query),
	[OSH_SEC_PATTERNS] = sizeof(uint32_t),
	[OSH_SEC_PERSISTED] = sizeof(struct osh_b_persisted),
	[OSH_SEC_FIELDS] = sizeof(uint32_t),
	[OSH_SEC_LIMITS] = sizeof(struct osh_b_limits),
	[OSH_SEC_GPUS] = sizeof(struct osh_b_gpu),
	[OSH_SEC_INFERENCE] = sizeof(struct osh_b_inference),
	[OSH_SEC_ROUTES] = sizeof(struct osh_b_route),
	[OSH_SEC_ALIASES] = sizeof(struct osh_b_alias),
	[OSH_SEC_BUDGETS] = sizeof(struct osh_b_budget),
	[OSH_SEC_PRICES] = sizeof(struct osh_b_price),
	[OSH_SEC_PRIVACY] = sizeof(struct osh_b_privacy),
	[OSH_SEC_SERVES] = sizeof(struct osh_b_serve),
};

void out_put(struct out *o, enum osh_section sec, const void *entry)
{
	buf_put(&o->sec[sec], entry, entry_size[sec]);
	o->count[sec]++;
}

static uint32_t hash_text(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h;
}

static void slot_put(struct out *o, uint32_t off)
{
	uint32_t i = hash_text(o->sec[OSH_SEC_STRINGS].p + off) & (o->n_slots - 1);

	while (o->slots[i])
		i = (i + 1) & (o->n_slots - 1);
	o->slots[i] = off + 1;
}

static bool slots_grow(struct out *o)
{
	uint32_t *was = o->slots, n_was = o->n_slots;

	o->n_slots = n_was ? 2 * n_was : 256;
	o->slots = calloc(o->n_slots, sizeof(*o->slots));
	if (!o->slots) {
		o->slots = was;
		o->n_slots = n_was;
		o->failed = true;
		return false;
	}
	for (uint32_t i = 0; i < n_was; i++)
		if (was[i])
			slot_put(o, was[i] - 1);
	free(was);
	return true;
}

/* Offset of the text in the string section; equal texts share one. */
uint32_t out_str(struct out *o, const char *s)
{
	struct buf *b = &o->sec[OSH_SEC_STRINGS];
	uint32_t off, i;

	if (2 * (o->n_strings + 1) > o->n_slots && !slots_grow(o))
		return 0;
	for (i = hash_text(s) & (o->n_slots - 1); o->slots[i]; i = (i + 1) & (o->n_slots - 1))
		if (!strcmp(b->p + o->slots[i] - 1, s))
			return o->slots[i] - 1;
	off = (uint32_t)b->n;
	buf_put(b, s, strlen(s) + 1);
	if (!buf_ok(b))
		return 0;
	o->slots[i] = off + 1;
	o->n_strings++;
	return off;
}

static void put_meta(struct out *o, const struct policy *p, const struct tables *t)
{
	struct osh_b_meta m = {
		.compat = p->compat,
		.include_workdir = p->include_workdir,
		.run_as_user = p->user.kind,
		.run_as_group = p->group.kind,
		.uid = p->user.id,
		.gid = p->group.id,
		.wildcard_names = p->wildcard_names,
		.exec_mode = p->exec.mode,
		.n_groups = t->n_groups,
	};

	for EACH (struct fs_entry, f, &p->fs)
		m.deny |= f->mode == OSH_FS_DENY;
	out_put(o, OSH_SEC_META, &m);
}

/* Braces are written out: an entry of the bundle is one pattern. */
static void put_fs(struct out *o, const struct fs_entry *f)
{
	const char *const *alt = f->glob.alts.v;

	if (f->mode != OSH_FS_DENY)
		out_put(o, OSH_SEC_FS, &(struct osh_b_fs){ out_str(o, f->path), f->mode, f->at.line, f->group });
	for (uint32_t i = 0; f->mode == OSH_FS_DENY && i < f->glob.alts.n; i++)
		out_put(o, OSH_SEC_FS, &(struct osh_b_fs){ out_str(o, alt[i]), f->mode, f->at.line, 0 });
}

static void put_gpus(struct out *o, const struct gpu *g)
{
	typedef const char *text_t;	/* for EACH, which wants one word */

	for EACH (text_t, device, &g->devices)
		out_put(o, OSH_SEC_GPUS, &(struct osh_b_gpu){ .device = out_str(o, *device), .share = g->share });
	if (g->count)
		out_put(o, OSH_SEC_GPUS, &(struct osh_b_gpu){ .device = out_str(o, ""), .count = g->count, .share = g->share });
}

/* In the order of the bundle: read_serve.c sorted them. */
static void put_serves(struct out *o, const struct policy *p)
{
	typedef const char *text_t;

	for EACH (struct serve, s, &p->serves)
		for EACH (text_t, to, &s->to)
			out_put(o, OSH_SEC_SERVES, &(struct osh_b_serve){ s->port, out_str(o, *to) });
}

static void put_static(struct out *o, const struct policy *p)
{
	struct osh_b_limits limits = { 0 };
	bool any = false;

	for EACH (struct fs_entry, f, &p->fs)
		put_fs(o, f);
	for EACH (struct env_entry, v, &p->env)
		out_put(o, OSH_SEC_ENV, &(struct osh_b_env){ out_str(o, v->text), v->kind });
	if (p->exec.mode == OSH_EXEC_STRICT)
		for EACH (struct program, prog, &p->exec.allow)
			out_put(o, OSH_SEC_EXEC, &(struct osh_b_exec){ out_str(o, prog->path), 0 });
	for (int i = 0; i < OSH_RESOURCES; i++) {
		limits.amount[i] = p->resources.amount[i];
		any |= limits.amount[i] != 0;
	}
	if (any)
		out_put(o, OSH_SEC_LIMITS, &limits);
	put_gpus(o, &p->gpu);
	put_serves(o, p);
}

static void put_upstream(struct out *o, const struct table_host *h, const struct claim *c)
{
	for (uint32_t i = 0; i < c->e->n_allowed; i++) {
		struct osh_b_upstream u = { .bits = c->e->allowed[i].bits,
					    .host = h->number,
					    .port = c->port };

		memcpy(u.addr, c->e->allowed[i].addr, sizeof(u.addr));
		out_put(o, OSH_SEC_UPSTREAM, &u);
	}
}

/* The ports of one host; alternatives of a port are neighbours in the claims. */
static void put_endpoints(struct out *o, const struct table_host *h)
{
	const struct claim *c = h->claims.v;

	for (uint32_t i = 0, end; i < h->claims.n; i = end) {
		struct osh_b_endpoint e = { h->number, c[i].port, o->count[OSH_SEC_ALTS], 0 };

		for (end = i; end < h->claims.n && c[end].port == c[i].port; end++)
			out_put(o, OSH_SEC_ALTS,
			    &(struct osh_b_alt){ c[end].group, c[end].rule, c[end].flags, 0 });
		e.n_alts = end - i;
		out_put(o, OSH_SEC_ENDPOINTS, &e);
		put_upstream(o, h, &c[i]);
	}
}

static void put_network(struct out *o, const struct policy *p, const struct tables *t)
{
	for (uint32_t i = 0; i < t->n_hosts; i++) {
		const struct table_host *h = t->hosts[i];

		out_put(o, OSH_SEC_HOSTS, &(struct osh_b_host){ out_str(o, h->name), h->kind });
		put_endpoints(o, h);
	}
	for (uint32_t i = 0; i < t->n_suffixes; i++) {
		const struct table_suffix *s = &t->suffixes[i];

		out_put(o, OSH_SEC_SUFFIXES,
		    &(struct osh_b_suffix){ out_str(o, s->text), s->one ? s->one->number : 0,
					    s->deep ? s->deep->number : 0, s->dots });
	}
	for (uint32_t i = 0; i < t->n_nets; i++) {
		struct osh_b_cidr c = { .bits = t->nets[i].net.bits,
					.host = t->nets[i].host->number };

		memcpy(c.addr, t->nets[i].net.addr, sizeof(c.addr));
		out_put(o, OSH_SEC_CIDRS, &c);
	}
	for (uint32_t i = 0; i < t->n_rules; i++) {
		struct osh_b_rule r = { out_str(o, t->rules[i].name), t->rules[i].line, 0, 0 };

		if (endpoint_inspected(t->rules[i].e))
			r.l7 = out_l7(o, p, i, t->rules[i].e);
		out_put(o, OSH_SEC_RULES, &r);
	}
	for (uint32_t i = 0; i < t->n_binaries; i++) {
		const struct table_binary *b = &t->binaries[i];

		out_put(o, OSH_SEC_BINARIES,
		    &(struct osh_b_binary){ out_str(o, b->path), b->group, b->glob ? OSH_BIN_GLOB : 0,
					    0 });
	}
}

static void pad8(struct buf *b, size_t from)
{
	while (buf_ok(b) && (b->n - from) % 8)
		buf_put(b, "", 1);
}

/* Header and table first with room for what is only known at the end. */
static int assemble(struct out *o, struct slice text, struct buf *ret)
{
	size_t from = ret->n, table = sizeof(struct osh_bundle_header);
	struct osh_bundle_section sec[OSH_SEC_MAX] = { 0 };
	struct osh_bundle_header h = { .magic = OSH_BUNDLE_MAGIC, .version = OSH_BUNDLE_VERSION };

	for (unsigned i = 0; i < OSH_SEC_MAX; i++)
		h.n_sections += o->count[i] != 0;
	(void)buf_space(ret, table + h.n_sections * sizeof(*sec));
	for (unsigned i = 0, k = 0; i < OSH_SEC_MAX; i++) {
		if (!o->count[i])
			continue;
		pad8(ret, from);
		sec[k++] = (struct osh_bundle_section){ i, entry_size[i], (uint32_t)(ret->n - from),
							o->count[i] };
		buf_put(ret, o->sec[i].p, o->sec[i].n);
	}
	pad8(ret, from);
	h.size = (uint32_t)(ret->n - from);
	if (!buf_ok(ret))
		return -ENOMEM;
	memcpy(ret->p + from + table, sec, h.n_sections * sizeof(*sec));
	if (hash_bytes(text.p, text.n, h.policy_hash) < 0 ||
	    hash_bytes(ret->p + from + table, h.size - table, h.content_hash) < 0)
		return -ENOMEM;
	memcpy(ret->p + from, &h, sizeof(h));
	return 0;
}

static bool fits(const struct out *o, struct diags *d)
{
	size_t all = 0;

	if (!out_l7_fits(o, d))
		return false;
	for (unsigned i = 0; i < OSH_SEC_MAX; i++)
		all += o->sec[i].n + sizeof(struct osh_bundle_section) + 8;
	if (all + sizeof(struct osh_bundle_header) <= OSH_BUNDLE_BYTES &&
	    o->count[OSH_SEC_UPSTREAM] <= OSH_UPSTREAM_MAX)
		return true;
	diag_add(d, DIAG_LIMIT, (struct place){ 0 }, NULL,
		 "the compiled policy is too large (%zu bytes, %u allowed_ips)", all,
		 o->count[OSH_SEC_UPSTREAM]);
	return false;
}

int emit_bundle(const struct policy *p, const struct tables *t, struct slice text, struct diags *d,
		struct buf *ret)
{
	struct out o = { 0 };
	int r = 0;

	(void)out_str(&o, "");
	o.count[OSH_SEC_STRINGS] = 1;
	put_meta(&o, p, t);
	put_static(&o, p);
	put_network(&o, p, t);
	if (!out_inference(&o, p, t))
		o.failed = true;
	o.count[OSH_SEC_STRINGS] = (uint32_t)o.sec[OSH_SEC_STRINGS].n;
	for (unsigned i = 0; i < OSH_SEC_MAX; i++)
		o.failed |= !buf_ok(&o.sec[i]);
	if (o.failed)
		r = -ENOMEM;
	else if (!fits(&o, d))
		r = -EINVAL;
	else
		r = assemble(&o, text, ret);
	if (r == -ENOMEM)
		diag_add(d, DIAG_INTERNAL, (struct place){ 0 }, NULL, "out of memory");
	for (unsigned i = 0; i < OSH_SEC_MAX; i++)
		buf_done(&o.sec[i]);
	free(o.slots);
	return r;
}
