/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reader of bundles (include/osh/bundle.h). bundle_open() checks everything once: sizes, order and
 * alignment of sections, the content hash, every string offset, enum, count and cross-reference.
 * After it succeeds the arrays below may be indexed freely. Runs as root: trusts nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "osh/bundle.h"

struct bundle {
	const void *map;		/* whole bundle, read only */
	size_t size;
	const struct osh_bundle_header *header;
	const char *strings;
	uint32_t n_strings;
	const struct osh_b_meta *meta;
	const struct osh_b_fs *fs;
	const struct osh_b_host *hosts;
	const struct osh_b_suffix *suffixes;
	const struct osh_b_cidr *cidrs;
	const struct osh_b_endpoint *endpoints;
	const struct osh_b_alt *alts;
	const struct osh_b_rule *rules;
	const struct osh_b_binary *binaries;
	const struct osh_b_upstream *upstream;
	const struct osh_b_env *env;
	const struct osh_b_exec *exec;
	const struct osh_b_unix *unix_paths;
	const struct osh_b_l7 *l7;
	const struct osh_b_match *matches;
	const struct osh_b_query *queries;
	const uint32_t *patterns;
	const struct osh_b_persisted *persisted;
	const uint32_t *fields;
	const struct osh_b_limits *limits;	/* NULL = the policy asks for none */
	const struct osh_b_gpu *gpus;
	const struct osh_b_inference *inference;	/* NULL = no calls of models */
	const struct osh_b_route *routes;
	const struct osh_b_alias *aliases;
	const struct osh_b_budget *budgets;
	const struct osh_b_price *prices;
	const struct osh_b_privacy *privacy;
	const struct osh_b_serve *serves;
	uint32_t n_fs, n_hosts, n_suffixes, n_cidrs, n_endpoints, n_alts, n_rules, n_binaries,
		 n_upstream, n_env, n_exec, n_unix, n_l7, n_matches, n_queries, n_patterns,
		 n_persisted, n_fields, n_limits, n_gpus, n_inference, n_routes, n_aliases,
		 n_budgets, n_prices, n_privacy, n_serves;
	bool mapped;			/* bundle_done() unmaps */
};

/* Reads from memory that outlives *b. 0 or -errno with the reason in *e. */
int bundle_open_mem(struct bundle *b, const void *p, size_t n, struct err *e);

/* Maps a memfd privately; refuses one that is not sealed against writing, growing and shrinking. */
int bundle_open_fd(struct bundle *b, int fd, struct err *e);
void bundle_done(struct bundle *b);	/* unmaps; safe on a zeroed struct */

bool bundle_amount_ok(enum osh_resource what, uint64_t amount);	/* 0, or within its bounds */

/* Does some rule look inside TLS? Then the sandbox has a certificate authority of its own. */
static inline bool bundle_opens_tls(const struct bundle *b)
{
	for (uint32_t i = 0; i < b->n_alts; i++)
		if ((b->alts[i].flags & OSH_ALT_L7) && !(b->alts[i].flags & OSH_ALT_TLS_SKIP))
			return true;
	return false;
}

static inline const char *bundle_str(const struct bundle *b, uint32_t off)
{
	return b->strings + off;
}

/* serve.c: NAME, where the host is one of OSH_SANDBOX_ZONE; "" = it is not. And what two policies say of sandboxes. */
void bundle_sandbox(const struct bundle *b, uint32_t host, char ret[OSH_SANDBOX_NAME]);
static inline bool bundle_is_sandbox(const struct bundle *b, uint32_t host)
{
	char name[OSH_SANDBOX_NAME];

	bundle_sandbox(b, host, name);
	return *name;
}
bool bundle_routes_to(const struct bundle *b, const char *sandbox, uint32_t port);	/* does a route lead there? */
bool bundle_serves(const struct bundle *b, uint32_t port, const char *caller);		/* may its routes come in? */

/* Providers that the policy names, with repeats: the i-th, "" = that place names none; NULL past the last. */
static inline const char *bundle_provider(const struct bundle *b, uint32_t i)
{
	if (i < b->n_l7)
		return bundle_str(b, b->l7[i].credential);
	return i - b->n_l7 < b->n_routes ? bundle_str(b, b->routes[i - b->n_l7].provider) : NULL;
}
