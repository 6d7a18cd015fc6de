// SPDX-License-Identifier: Apache-2.0
/*
 * How much of the tables that all sandboxes share a policy takes: an upper bound, from the counts of its
 * sections. Tables that programs fill while a sandbox runs have a bound for each sandbox (limits.h).
 */
#include "kbpf.h"

#define PORTS 65536

static const enum kmap tables[] = {
	KMAP_NAMES, KMAP_ADDRS, KMAP_SUFFIXES, KMAP_CIDRS, KMAP_ENDPOINTS, KMAP_PROGRAMS, KMAP_INODES, KMAP_GLOBS,
	KMAP_ENV_EXEMPT, KMAP_UNIX_ALLOW, KMAP_EGRESS_PORTS, KMAP_EGRESS_ALLOW, KMAP_RUN_INODES,
};
_Static_assert(sizeof(tables) / sizeof(*tables) == KBPF_TABLES, "one number each");

void kbpf_need_policy(const struct bundle *b, struct kbpf_need *n)
{
	const uint64_t takes[KBPF_TABLES] = {
		0, 0, b->n_suffixes, b->n_cidrs, b->n_endpoints, b->n_binaries, b->n_binaries,
		b->n_binaries < OSH_GLOBS ? b->n_binaries : OSH_GLOBS, (uint64_t)b->n_env + OSH_ENV_EXEMPT,
		(uint64_t)b->n_fs + b->n_unix + 1, b->n_endpoints < PORTS ? b->n_endpoints : PORTS, (uint64_t)b->n_upstream + b->n_cidrs,
		b->n_exec ? (uint64_t)b->n_exec + b->n_fs + 1 : 0,
	};

	for (int i = 0; i < KBPF_TABLES; i++)
		n->n[i] += takes[i];
}

/* Of those, all of one user's sandboxes take half at most. */
_Static_assert(OSH_SLOTS_EACH * OSH_DENIALS_EACH <= OSH_DENIALS / 2, "denials");
_Static_assert(OSH_SLOTS_EACH * OSH_MAPPED_EACH <= OSH_MAPPED / 2, "mapped");
_Static_assert(OSH_SLOTS_EACH * OSH_DENY_TWINS <= OSH_DENY_INODES / 2, "deny_inodes");
_Static_assert(OSH_SLOTS_EACH * OSH_RESERVED_EACH <= OSH_RESERVED / 2, "reserved");

void kbpf_need_new_names(const struct bundle *b, struct kbpf_need *n)
{
	n->n[0] += (uint64_t)b->n_hosts + b->meta->wildcard_names;
	n->n[1] += (uint64_t)b->n_hosts + b->meta->wildcard_names;
}

void kbpf_need_names(struct kbpf *k, const struct kbpf_sandbox *s, const struct bundle *b, struct kbpf_need *n)
{
	uint64_t has = (uint64_t)kbpf_names_used(k, s->id) + b->meta->wildcard_names;

	n->n[0] += has;
	n->n[1] += has;
}

/* Half of what the others leave: each next user gets less, and nobody gets nothing. */
int kbpf_need_check(struct kbpf *k, const struct kbpf_need *mine, const struct kbpf_need *others, struct err *e)
{
	for (int i = 0; i < KBPF_TABLES; i++) {
		const char *name = kbpf_maps[tables[i]].name;
		uint64_t max = bpf_map__max_entries(bpf_object__find_map_by_name(k->obj, name));
		uint64_t share = others->n[i] < max ? (max - others->n[i]) / 2 : 0;

		if (mine->n[i] > share)
			return fail(e, EAGAIN, "kernel table '%s': your sandboxes would take %llu entries, and your share "
				    "is %llu, half of what others leave: end a sandbox, or list less", name,
				    (unsigned long long)mine->n[i], (unsigned long long)share);
	}
	return 0;
}
