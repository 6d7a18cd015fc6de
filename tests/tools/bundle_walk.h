/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What "index freely" means: follows every reference of an opened bundle, as its readers do, and
 * traps when one leads outside. Used by the unit test and the fuzzer of the reader.
 */
#pragma once

#include <string.h>

#include "bundle.h"
#include "osh/abi.h"

static inline void bundle_must(int ok)
{
	if (!ok)
		__builtin_trap();
}

static inline size_t bundle_walk_str(const struct bundle *b, uint32_t off)
{
	bundle_must(off < b->n_strings);
	bundle_must(memchr(b->strings + off, 0, b->n_strings - off) != NULL);
	return strlen(bundle_str(b, off));
}

static inline void bundle_walk_network(const struct bundle *b)
{
	for (uint32_t i = 0; i < b->n_hosts; i++)
		bundle_must(bundle_walk_str(b, b->hosts[i].name) < OSH_NAME_MAX);
	for (uint32_t i = 0; i < b->n_suffixes; i++) {
		bundle_must(bundle_walk_str(b, b->suffixes[i].suffix) <= OSH_SUFFIX_LEN);
		bundle_must(b->suffixes[i].one <= b->n_hosts && b->suffixes[i].deep <= b->n_hosts);
	}
	for (uint32_t i = 0; i < b->n_cidrs; i++)
		bundle_must(b->cidrs[i].bits <= 128 && b->cidrs[i].host - 1 < b->n_hosts);
	for (uint32_t i = 0; i < b->n_endpoints; i++) {
		const struct osh_b_endpoint *e = &b->endpoints[i];

		bundle_must(e->host - 1 < b->n_hosts && e->port - 1 < 65535);
		bundle_must(e->n_alts - 1 < OSH_ALTS);
		for (uint32_t k = 0; k < e->n_alts; k++) {
			const struct osh_b_alt *a = &b->alts[e->first_alt + k];

			bundle_must((uint64_t)e->first_alt + k < b->n_alts);
			bundle_must(a->group < b->meta->n_groups);
			bundle_must(bundle_walk_str(b, b->rules[a->rule].name) > 0);
		}
	}
	for (uint32_t i = 0; i < b->n_upstream; i++)
		bundle_must(b->upstream[i].bits <= 128 && b->upstream[i].host - 1 < b->n_hosts &&
			    b->upstream[i].port - 1 < 65535);
}

static inline void bundle_walk_patterns(const struct bundle *b, struct osh_b_range r)
{
	bundle_must((uint64_t)r.first + r.n <= b->n_patterns);
	for (uint32_t i = 0; i < r.n; i++)
		bundle_must(bundle_walk_str(b, b->patterns[r.first + i]) <= OSH_PATTERN_LEN);
}

static inline void bundle_walk_match(const struct bundle *b, const struct osh_b_match *m)
{
	bundle_walk_str(b, m->method);
	bundle_walk_patterns(b, m->methods);
	bundle_walk_patterns(b, m->path);
	bundle_walk_patterns(b, m->name);
	bundle_walk_patterns(b, m->fields);
	bundle_walk_patterns(b, m->tools);
	bundle_must((uint64_t)m->query.first + m->query.n <= b->n_queries);
	for (uint32_t i = 0; i < m->query.n; i++) {
		bundle_walk_str(b, b->queries[m->query.first + i].key);
		bundle_walk_patterns(b, b->queries[m->query.first + i].any);
	}
}

static inline void bundle_walk_l7(const struct bundle *b, const struct osh_b_l7 *l7)
{
	bundle_must(l7->protocol <= OSH_PROTO_MCP && l7->access <= OSH_ACCESS_FULL && l7->rule < b->n_rules);
	bundle_must((uint64_t)l7->allow.first + l7->allow.n <= b->n_matches &&
		    (uint64_t)l7->deny.first + l7->deny.n <= b->n_matches &&
		    (uint64_t)l7->persisted.first + l7->persisted.n <= b->n_persisted);
	bundle_walk_patterns(b, l7->path);
	for (uint32_t i = 0; i < l7->allow.n; i++)
		bundle_walk_match(b, &b->matches[l7->allow.first + i]);
	for (uint32_t i = 0; i < l7->deny.n; i++)
		bundle_walk_match(b, &b->matches[l7->deny.first + i]);
	for (uint32_t i = 0; i < l7->persisted.n; i++) {
		const struct osh_b_persisted *p = &b->persisted[l7->persisted.first + i];

		bundle_walk_str(b, p->hash);
		bundle_walk_str(b, p->name);
		bundle_must((uint64_t)p->fields.first + p->fields.n <= b->n_fields);
		for (uint32_t k = 0; k < p->fields.n; k++)
			bundle_walk_str(b, b->fields[p->fields.first + k]);
	}
	bundle_walk_str(b, l7->binding);
	bundle_walk_str(b, l7->credential);
	bundle_walk_str(b, l7->signing_service);
	bundle_walk_str(b, l7->signing_region);
}

static inline void bundle_walk(const struct bundle *b)
{
	bundle_must(b->meta && b->strings && b->meta->n_groups - 1 < OSH_GROUPS);
	for (uint32_t i = 0; i < b->n_fs; i++)
		bundle_must(bundle_walk_str(b, b->fs[i].path) < OSH_FS_PATH_LEN &&
			    !strstr(bundle_str(b, b->fs[i].path), "/../"));
	bundle_walk_network(b);
	for (uint32_t i = 0; i < b->n_rules; i++)
		if (b->rules[i].l7)
			bundle_walk_l7(b, &b->l7[b->rules[i].l7 - 1]);
	for (uint32_t i = 0; i < b->n_binaries; i++)
		bundle_must(bundle_walk_str(b, b->binaries[i].path) < OSH_PATH_MAX &&
			    b->binaries[i].group - 1 < b->meta->n_groups - 1);
	for (uint32_t i = 0; i < b->n_env; i++)
		bundle_must(bundle_walk_str(b, b->env[i].text) > 0);
	for (uint32_t i = 0; i < b->n_exec; i++)
		bundle_walk_str(b, b->exec[i].pattern);
	for (uint32_t i = 0; i < b->n_unix; i++)
		bundle_must(bundle_walk_str(b, b->unix_paths[i].path) < 108);
}
