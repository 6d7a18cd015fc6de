// SPDX-License-Identifier: Apache-2.0
/*
 * What a program that is already running may do under a new generation. The exec hook judges at exec;
 * an agent that lives through a reload execs nothing, so its ident is judged here, by the same
 * matcher. Runs in oshd; paths come from the exec hook, patterns from a checked bundle.
 */
#include "kbpf.h"

#include "osh/glob.h"

void kbpf_group_set(__u64 *groups, uint32_t group)
{
	if (group < OSH_GROUPS)
		groups[group / 64] |= 1ull << (group % 64);
}

static void glob_groups(const struct bundle *b, const char *path, __u64 *groups)
{
	__u64 found[OSH_GROUP_WORDS] = { 0 };

	for (uint32_t i = 0; i < b->n_binaries; i++) {
		char pattern[OSH_PATH_MAX] = "";
		const char *text = bundle_str(b, b->binaries[i].path);
		enum glob_answer a;

		if (!(b->binaries[i].flags & OSH_BIN_GLOB) || strlen(text) >= sizeof(pattern))
			continue;
		strcpy(pattern, text);
		a = glob_match(pattern, path);
		if (a == GLOB_MORE)
			return;		/* as the exec hook: no pattern counts for such a path */
		if (a == GLOB_YES)
			kbpf_group_set(found, b->binaries[i].group);
	}
	for (int i = 0; i < OSH_GROUP_WORDS; i++)
		groups[i] |= found[i];
}

void kbpf_row_groups(const struct bundle *b, const char *path, __u64 *groups)
{
	for (uint32_t i = 0; i < b->n_binaries; i++)
		if (!strcmp(bundle_str(b, b->binaries[i].path), path))
			kbpf_group_set(groups, b->binaries[i].group);
	if (!strpbrk(path, "*?"))
		glob_groups(b, path, groups);
}

/*
 * Before the flip what stands there for this generation is left from a fill that came to nothing;
 * after it, the exec hook's own work.
 */
static int in_force(const struct kbpf *k, const struct kbpf_sandbox *s)
{
	return __atomic_load_n(&k->sandboxes[s->slot].generation, __ATOMIC_ACQUIRE) == s->generation;
}

static int ident_put(struct kbpf *k, const struct kbpf_sandbox *s, uint32_t ident,
		     const __u64 *groups, struct err *e)
{
	struct osh_ident_key key = { s->id, ident };
	struct osh_ident_in *in;
	struct osh_ident v;

	if (bpf_map_lookup_elem(k->map[KMAP_IDENTS], &key, &v))
		return 0;
	in = &v.by[s->generation & 1];
	if (in->generation == s->generation && in_force(k, s))
		return 0;
	memcpy(in->groups, groups, sizeof(in->groups));
	in->generation = s->generation;
	if (bpf_map_update_elem(k->map[KMAP_IDENTS], &key, &v, BPF_EXIST))
		return fail(e, errno, "map 'idents': %s", strerror(errno));
	return 0;
}

/* A path on read-only mounts: its exact entry, unless that wants an inode, and the patterns. */
static void path_groups(struct kbpf *k, const struct kbpf_sandbox *s, const struct bundle *b,
			const struct osh_ident *v, __u64 *groups)
{
	struct osh_program_key key = { .id = s->id, .generation = s->generation };
	struct osh_program exact;

	memcpy(key.path, v->path, sizeof(key.path));
	if (!bpf_map_lookup_elem(k->map[KMAP_PROGRAMS], &key, &exact) && !(exact.flags & OSH_PROG_INODE))
		memcpy(groups, exact.groups, sizeof(exact.groups));
	glob_groups(b, v->path, groups);
}

static int rejudge_paths(struct kbpf *k, const struct kbpf_sandbox *s, const struct bundle *b,
			 struct err *e)
{
	uint32_t used = __atomic_load_n(&k->sandboxes[s->slot].ident_used, __ATOMIC_ACQUIRE);
	int r = 0;

	for (uint32_t i = 1; i <= used && i <= OSH_IDENTS && !r; i++) {
		struct osh_ident_key key = { s->id, i };
		__u64 groups[OSH_GROUP_WORDS] = { 0 };
		struct osh_ident v;

		if (bpf_map_lookup_elem(k->map[KMAP_IDENTS], &key, &v) || v.kind == OSH_IDENT_INODE)
			continue;
		v.path[sizeof(v.path) - 1] = 0;
		if (v.kind == OSH_IDENT_PATH)
			path_groups(k, s, b, &v, groups);
		r = ident_put(k, s, i, groups, e);
	}
	return r;
}

/* Entries of the generation before: the same file, judged by the new rows. */
static int rejudge_inode(struct kbpf *k, const struct kbpf_sandbox *s, const struct bundle *b,
			 const struct osh_inode_key *old, struct err *e)
{
	struct osh_inode_key key = *old;
	struct osh_inode v, now;
	int has, r = 0;

	key.generation = s->generation;
	if (bpf_map_lookup_elem(k->map[KMAP_INODES], old, &v))
		return 0;
	v.path[sizeof(v.path) - 1] = 0;
	memset(v.groups, 0, sizeof(v.groups));
	kbpf_row_groups(b, v.path, v.groups);
	has = !bpf_map_lookup_elem(k->map[KMAP_INODES], &key, &now);
	if (!has || !in_force(k, s) || (!now.ident && v.ident))
		r = kbpf_put(k, s, KMAP_INODES, &key, &v, 1, e);
	return r || !v.ident ? r : ident_put(k, s, v.ident, v.groups, e);
}

int kbpf_rejudge(struct kbpf *k, const struct kbpf_sandbox *s, const struct bundle *b, struct err *e)
{
	struct osh_inode_key key, next;
	int more, r;

	if (s->slot >= OSH_SLOTS || k->sandboxes[s->slot].id != s->id || s->generation < 2)
		return 0;
	r = rejudge_paths(k, s, b, e);
	more = !bpf_map_get_next_key(k->map[KMAP_INODES], NULL, &next);
	while (more && !r) {
		key = next;
		more = !bpf_map_get_next_key(k->map[KMAP_INODES], &key, &next);
		if (key.id == s->id && key.generation == s->generation - 1)
			r = rejudge_inode(k, s, b, &key, e);
	}
	return r;
}
