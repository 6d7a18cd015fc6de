// SPDX-License-Identifier: Apache-2.0
/*
 * The maps as the loader knows them, and the two ways to write: in batches, with the keys remembered
 * per sandbox, so that clearing one never walks tables that belong to everybody.
 */
#include "kbpf.h"

#include <sched.h>
#include <stddef.h>
#include <stdlib.h>

#include "own.h"

#define BATCH 1024			/* entries a system call */
#define RETRIES 64			/* the per-CPU element cache refills from an interrupt */

#define AT(type, field) ((int)offsetof(struct type, field))

/* clang-format off */
const struct kmap_info kbpf_maps[KMAP_MAX] = {
	[KMAP_SANDBOXES]    = { "sandboxes",    4, sizeof(struct osh_sandbox), -1, -1, 0, 0 },
	[KMAP_BY_CGROUP]    = { "by_cgroup",    8, 4, -1, -1, 64, 0 },
	[KMAP_BY_NETNS]     = { "by_netns",     8, 4, -1, -1, 64, 0 },
	[KMAP_BY_EGRESS]    = { "by_egress",    8, 4, -1, -1, 64, 0 },
	[KMAP_NAMES]        = { "names",        sizeof(struct osh_name_key), sizeof(struct osh_name),
				AT(osh_name_key, id), -1, 1 << 16, 0 },
	[KMAP_ADDRS]        = { "addrs",        sizeof(struct osh_addr_key), sizeof(struct osh_addr),
				AT(osh_addr_key, id), -1, 1 << 16, 0 },
	[KMAP_SUFFIXES]     = { "suffixes",     sizeof(struct osh_suffix_key), sizeof(struct osh_suffix),
				AT(osh_suffix_key, id), AT(osh_suffix_key, generation), 1 << 16, 1 },
	[KMAP_CIDRS]        = { "cidrs",        sizeof(struct osh_cidr_key), sizeof(struct osh_cidr),
				AT(osh_cidr_key, id), AT(osh_cidr_key, generation), 1 << 16, 1 },
	[KMAP_ENDPOINTS]    = { "endpoints",    sizeof(struct osh_endpoint_key), sizeof(struct osh_endpoint),
				AT(osh_endpoint_key, id), AT(osh_endpoint_key, generation), 1 << 16, 1 },
	[KMAP_FRONT]        = { "front",        4, sizeof(struct osh_front), -1, -1, 0, 0 },
	[KMAP_PROGRAMS]     = { "programs",     sizeof(struct osh_program_key), sizeof(struct osh_program),
				AT(osh_program_key, id), AT(osh_program_key, generation), 1 << 14, 1 },
	[KMAP_INODES]       = { "inodes",       sizeof(struct osh_inode_key), sizeof(struct osh_inode),
				AT(osh_inode_key, id), AT(osh_inode_key, generation), 1 << 12, 1 },
	[KMAP_GLOBS]        = { "globs",        sizeof(struct osh_glob_key), sizeof(struct osh_glob),
				AT(osh_glob_key, id), AT(osh_glob_key, generation), 1 << 8, 1 },
	[KMAP_IDENTS]       = { "idents",       sizeof(struct osh_ident_key), sizeof(struct osh_ident),
				AT(osh_ident_key, id), -1, 1 << 13, 0 },
	[KMAP_PATHS]        = { "paths",        sizeof(struct osh_path_key), 4,
				AT(osh_path_key, id), -1, 1 << 13, 0 },
	[KMAP_ENV_EXEMPT]   = { "env_exempt",   sizeof(struct osh_env_key), 4,
				AT(osh_env_key, id), -1, 1 << 8, 1 },
	[KMAP_UNIX_ALLOW]   = { "unix_allow",   sizeof(struct osh_unix_key), 4,
				AT(osh_unix_key, id), AT(osh_unix_key, generation), 1 << 10, 1 },
	[KMAP_DENIES]       = { "denies",       4, sizeof(struct osh_deny), 0, -1, 64, 1 },
	[KMAP_DENY_GLOBS]   = { "deny_globs",   sizeof(struct osh_deny_glob_key), sizeof(struct osh_deny_glob),
				AT(osh_deny_glob_key, id), -1, OSH_DENY_SEGS, 1 },
	[KMAP_DENY_ROOTS]   = { "deny_roots",   sizeof(struct osh_deny_inode_key), sizeof(struct osh_deny_root),
				AT(osh_deny_inode_key, id), -1, 1 << 12, 1 },
	[KMAP_DENY_INODES]  = { "deny_inodes",  sizeof(struct osh_deny_inode_key), 4,
				AT(osh_deny_inode_key, id), -1, 1 << 9, 1 },
	[KMAP_RUN_INODES]   = { "run_inodes",   sizeof(struct osh_run_key), 4, AT(osh_run_key, id), -1, 1 << 12, 1 },
	[KMAP_RESERVED]     = { "reserved",     sizeof(struct osh_reserved_key), sizeof(struct osh_reserved),
				AT(osh_reserved_key, id), -1, 1 << 10, 1 },
	[KMAP_MAPPED]       = { "mapped",       sizeof(struct osh_mapped_key), 4,
				AT(osh_mapped_key, id), -1, 1 << 12, 0 },
	[KMAP_DEVICES]      = { "devices",      sizeof(struct osh_device_key), 4,
				AT(osh_device_key, id), -1, 1 << 9, 1 },
	[KMAP_EGRESS_PORTS] = { "egress_ports", sizeof(struct osh_eport_key), 4,
				AT(osh_eport_key, id), AT(osh_eport_key, generation), 1 << 16, 1 },
	[KMAP_EGRESS_ALLOW] = { "egress_allow", sizeof(struct osh_upstream_key), 4,
				AT(osh_upstream_key, id), AT(osh_upstream_key, generation), 1 << 16, 1 },
	[KMAP_DENIALS]      = { "denials",      sizeof(struct osh_denial_key), sizeof(struct osh_denial),
				AT(osh_denial_key, id), -1, 1 << 12, 0 },
	[KMAP_FUNNEL]       = { "funnel",       4, sizeof(struct osh_funnel), -1, -1, 0, 0 },
	[KMAP_HOST]         = { "host",         4, sizeof(struct osh_host), -1, -1, 0, 0 },
	[KMAP_LANE_SLOTS]   = { "lane_slots",   4, sizeof(struct osh_lane_slot), -1, -1, OSH_LANE_SLOTS_SMALL, 0 },
	[KMAP_LANE_TAILS]   = { "lane_tails",   4, sizeof(struct osh_lane_tail), -1, -1, 0, 0 },
	[KMAP_RING_ALLOW]   = { "ring_allow",   0, 0, -1, -1, 1 << 20, 0 },
	[KMAP_RING_DENY]    = { "ring_deny",    0, 0, -1, -1, 1 << 20, 0 },
	[KMAP_TASK_DATA]    = { "task_data",    4, sizeof(struct osh_task), -1, -1, 0, 0 },
	[KMAP_TASKS]        = { "tasks",        4, sizeof(struct osh_task), -1, -1, 1 << 14, 0 },
};
/* clang-format on */

static struct kjournal *journal_get(struct kbpf *k, const struct kbpf_sandbox *s)
{
	struct kjournal *j = k->journal[s->slot];

	if (j && j->id == s->id)
		return j;
	if (j || k->adopted[s->slot] == s->id)
		return NULL;		/* another tenant's, or adopted: maps are walked instead */
	j = calloc(1, sizeof(*j));
	if (j)
		j->id = s->id;
	return k->journal[s->slot] = j;
}

void kbpf_journal_free(struct kbpf *k, uint32_t slot)
{
	struct kjournal *j = k->journal[slot];

	if (!j)
		return;
	for (int m = 0; m < KMAP_MAX; m++)
		free(j->keys[m].p);
	free(j);
	k->journal[slot] = NULL;
}

static int keys_add(struct kkeys *ks, uint32_t size, const void *keys, uint32_t n)
{
	if (n > ks->cap - ks->n) {
		uint32_t cap = ks->n + n + ks->cap / 2;
		char *p = realloc(ks->p, (size_t)cap * size);

		if (!p)
			return -ENOMEM;
		ks->p = p;
		ks->cap = cap;
	}
	memcpy(ks->p + (size_t)ks->n * size, keys, (size_t)n * size);
	ks->n += n;
	return 0;
}

/* One call a batch; carries on where the kernel stopped when that was for want of a free element. */
static int update_batch(int fd, const struct kmap_info *mi, const char *keys, const char *values,
			uint32_t n)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint32_t done = 0, tries = 0;

	while (done < n) {
		uint32_t asked = n - done < BATCH ? n - done : BATCH, count = asked;
		int r = bpf_map_update_batch(fd, keys + (size_t)done * mi->key,
					     values + (size_t)done * mi->value, &count, &opts);

		if (r && (r != -ENOMEM || count >= asked || ++tries > RETRIES))
			return r;	/* an early failure leaves `count` as it was: it says nothing */
		done += count;
		if (r)
			sched_yield();
	}
	return 0;
}

int kbpf_put(struct kbpf *k, const struct kbpf_sandbox *s, enum kmap m, const void *keys,
	     const void *values, uint32_t n, struct err *e)
{
	const struct kmap_info *mi = &kbpf_maps[m];
	struct kjournal *j;
	int r;

	if (!n)
		return 0;
	if (mi->journal) {		/* before the kernel knows them: no entry without a record */
		j = journal_get(k, s);
		if (j && keys_add(&j->keys[m], mi->key, keys, n) < 0)
			return fail(e, ENOMEM, "map '%s': out of memory", mi->name);
		if (!j && k->adopted[s->slot] != s->id)
			return fail(e, ENOMEM, "map '%s': slot %u is taken", mi->name, s->slot);
	}
	r = update_batch(k->map[m], mi, keys, values, n);
	if (r == -E2BIG || r == -ENOSPC)
		return fail(e, ENOSPC, "kernel table '%s' is full", mi->name);
	if (r < 0)
		return fail(e, -r, "map '%s': %s", mi->name, strerror(-r));
	if (m == KMAP_ENDPOINTS)
		kbpf_front_put(k, keys, values, n);
	return 0;
}

/* Deleting what is not there is success: a batch stops at such a key, so step over it. */
void kbpf_delete(struct kbpf *k, enum kmap m, const void *keys, uint32_t n)
{
	const struct kmap_info *mi = &kbpf_maps[m];
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	const char *p = keys;

	if (m == KMAP_ENDPOINTS)
		kbpf_front_drop(k, keys, n);
	for (uint32_t done = 0; done < n;) {
		uint32_t asked = n - done < BATCH ? n - done : BATCH, count = asked;

		if (!bpf_map_delete_batch(k->map[m], p + (size_t)done * mi->key, &count, &opts))
			done += asked;
		else
			done += count < asked ? count + 1 : asked;
	}
}

/* After adoption nobody remembers the keys: walk the map. Slow, and rare. */
static void keys_scan(struct kbpf *k, enum kmap m, bool (*wanted)(void *, uint32_t id), void *data, struct kkeys *ks)
{
	const struct kmap_info *mi = &kbpf_maps[m];
	char key[512], prev[512];
	int first = 1;

	if (mi->key > sizeof(key))
		return;
	while (!bpf_map_get_next_key(k->map[m], first ? NULL : prev, key)) {
		uint32_t owner;

		first = 0;
		memcpy(prev, key, mi->key);
		memcpy(&owner, key + mi->id_at, sizeof(owner));
		if (wanted(data, owner))
			(void)keys_add(ks, mi->key, key, 1);
	}
}

static bool is_id(void *data, uint32_t id)
{
	return *(uint32_t *)data == id;
}

struct living {
	bool (*alive)(void *, uint32_t id);
	void *data;
};

static bool is_dead(void *data, uint32_t id)
{
	const struct living *l = data;

	return !l->alive(l->data, id);
}

void kbpf_sweep(struct kbpf *k, bool (*alive)(void *, uint32_t id), void *data)
{
	struct living l = { alive, data };

	for (uint32_t i = 0; i < OSH_SLOTS; i++) {
		struct kbpf_sandbox s = { .slot = i, .id = k->sandboxes[i].id };

		if (s.id && is_dead(&l, s.id))
			kbpf_clear(k, &s);
	}
	for (int m = 0; m < KMAP_MAX; m++) {
		struct kkeys ks = { 0 };

		if (kbpf_maps[m].id_at >= 0)
			keys_scan(k, m, is_dead, &l, &ks);
		kbpf_delete(k, m, ks.p, ks.n);
		free(ks.p);
	}
	for (int m = KMAP_BY_CGROUP; m <= KMAP_BY_EGRESS; m++)
		kbpf_forget_free(k, m);
}

static uint32_t key_generation(const struct kmap_info *mi, const char *key)
{
	uint32_t gen = 0;

	if (mi->gen_at >= 0)
		memcpy(&gen, key + mi->gen_at, sizeof(gen));
	return gen;
}

/*
 * Deletes those keys for which (generation == gen) == equal, and forgets them. gen 0 = all. A key of
 * generation 0 belongs to every generation (what the operator trusts) and goes with the sandbox alone.
 */
static void keys_drop(struct kbpf *k, enum kmap m, struct kkeys *ks, uint32_t gen, int equal)
{
	const struct kmap_info *mi = &kbpf_maps[m];
	uint32_t kept = 0, n = ks->n;
	_free_ char *gone = malloc((size_t)n * mi->key + 1);
	uint32_t n_gone = 0;

	if (!gone)
		return;
	for (uint32_t i = 0; i < n; i++) {
		char *key = ks->p + (size_t)i * mi->key;
		uint32_t its = key_generation(mi, key);

		if (gen && (!its || (its == gen) != equal))
			memmove(ks->p + (size_t)kept++ * mi->key, key, mi->key);
		else
			memcpy(gone + (size_t)n_gone++ * mi->key, key, mi->key);
	}
	ks->n = kept;
	kbpf_delete(k, m, gone, n_gone);
}

static void drop(struct kbpf *k, const struct kbpf_sandbox *s, enum kmap m, uint32_t gen, int equal)
{
	struct kjournal *j = k->journal[s->slot];
	struct kkeys scanned = { 0 };
	uint32_t id = s->id;

	if (gen && kbpf_maps[m].gen_at < 0)
		return;			/* such keys live as long as the sandbox */
	if (j && j->id == s->id && kbpf_maps[m].journal) {
		keys_drop(k, m, &j->keys[m], gen, equal);
		return;
	}
	if (kbpf_maps[m].journal && k->adopted[s->slot] != s->id)
		return;			/* nothing was ever written */
	keys_scan(k, m, is_id, &id, &scanned);
	keys_drop(k, m, &scanned, gen, equal);
	free(scanned.p);
}

void kbpf_drop(struct kbpf *k, const struct kbpf_sandbox *s, enum kmap m, uint32_t keep)
{
	drop(k, s, m, keep, 0);
}

void kbpf_drop_generation(struct kbpf *k, const struct kbpf_sandbox *s, enum kmap m, uint32_t gen)
{
	drop(k, s, m, gen, 1);
}
