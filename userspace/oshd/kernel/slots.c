// SPDX-License-Identifier: Apache-2.0
/*
 * The life of a slot: published, flipped to another generation, freed. The map is mapped memory, so
 * that one field is stored at a time: programs add to the counters beside it all the while.
 */
#include "kbpf.h"
#include "own.h"

static void store32(uint32_t *p, uint32_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static int put_slot(struct kbpf *k, enum kmap m, uint64_t key, uint32_t slot, struct err *e)
{
	if (bpf_map_update_elem(k->map[m], &key, &slot, BPF_ANY) < 0)
		return fail(e, errno, "map '%s': %s", kbpf_maps[m].name, strerror(errno));
	return 0;
}

static uint32_t count_globs(struct kbpf *k, const struct kbpf_sandbox *s)
{
	struct osh_glob_key key = { .id = s->id, .generation = s->generation };
	struct osh_glob glob;

	while (key.n < OSH_GLOBS && !bpf_map_lookup_elem(k->map[KMAP_GLOBS], &key, &glob))
		key.n++;
	return key.n;
}

/* `id` last and alone: until it is there, nobody is in the slot. */
static int publish(struct kbpf *k, const struct kbpf_sandbox *s, struct osh_sandbox *sb, struct err *e)
{
	int r;

	memset(sb, 0, sizeof(*sb));
	sb->cgroup = s->cgroup;
	sb->netns = s->netns;
	sb->slot = s->slot;
	memcpy(sb->net6, s->net6, sizeof(sb->net6));
	r = put_slot(k, KMAP_BY_CGROUP, s->cgroup, s->slot, e);
	if (!r && s->netns)
		r = put_slot(k, KMAP_BY_NETNS, s->netns, s->slot, e);
	return r;
}

int kbpf_flip(struct kbpf *k, const struct kbpf_sandbox *s, const struct bundle *b, struct err *e)
{
	struct osh_sandbox *sb = &k->sandboxes[s->slot % OSH_SLOTS];
	int first = sb->id != s->id, r;

	if (s->slot >= OSH_SLOTS || !s->id || (first && sb->id))
		return fail(e, EBUSY, "slot %u is taken", s->slot);
	if (first) {
		r = publish(k, s, sb, e);
		if (r < 0)
			return r;
	}
	store32(&sb->wild_budget, b->meta->wildcard_names);
	store32(&sb->flags, (b->meta->userns ? OSH_SB_USERNS : 0) |
			    (b->meta->exec_mode == OSH_EXEC_STRICT ? OSH_SB_STRICT : 0) |
			    (b->meta->deny && k->lsm ? OSH_SB_DENY : 0) | (sb->flags & (OSH_SB_DENY | OSH_SB_GUARD)));
	store32(&sb->n_globs, count_globs(k, s));
	store32(&sb->generation, s->generation);
	if (first)
		store32(&sb->id, s->id);
	kbpf_deny_stamp(k, s);
	/* Programs first executed since the fill; one that is missed has no identity until it execs. */
	(void)kbpf_rejudge(k, s, b, NULL);
	return 0;
}

void kbpf_guard(struct kbpf *k, const struct kbpf_sandbox *s)
{
	struct osh_sandbox *sb = &k->sandboxes[s->slot % OSH_SLOTS];

	if (sb->id == s->id)
		store32(&sb->flags, sb->flags | OSH_SB_GUARD);
}

int kbpf_set_netns(struct kbpf *k, struct kbpf_sandbox *s, uint64_t cookie, struct err *e)
{
	struct osh_sandbox *sb = &k->sandboxes[s->slot % OSH_SLOTS];
	int r;

	if (!cookie || s->slot >= OSH_SLOTS)
		return fail(e, EINVAL, "network namespace has no cookie");
	r = put_slot(k, KMAP_BY_NETNS, cookie, s->slot, e);
	if (r < 0)
		return r;
	s->netns = cookie;
	if (sb->id == s->id)
		__atomic_store_n(&sb->netns, cookie, __ATOMIC_RELEASE);
	return 0;
}

int kbpf_env_exempt(struct kbpf *k, const struct kbpf_sandbox *s, const char *text, struct err *e)
{
	struct osh_env_key key = { .id = s->id };
	uint32_t one = 1;

	if (strlen(text) >= sizeof(key.text))
		return 0;		/* too long to be known again: such a value taints like any other */
	strcpy(key.text, text);
	return kbpf_put(k, s, KMAP_ENV_EXEMPT, &key, &one, 1, e);
}

int kbpf_devices(struct kbpf *k, const struct kbpf_sandbox *s, const struct kbpf_device *devices, uint32_t n,
		 struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; !r && i < n; i++) {
		struct osh_device_key key = { s->id, devices[i].major, devices[i].minor };

		r = kbpf_put(k, s, KMAP_DEVICES, &key, &devices[i].rights, 1, e);
	}
	return r;
}

bool kbpf_has_device(const struct kbpf *k, const struct kbpf_sandbox *s, uint32_t major, uint32_t minor)
{
	struct osh_device_key key = { s->id, major, minor };
	uint32_t rights;

	return !bpf_map_lookup_elem(k->map[KMAP_DEVICES], &key, &rights);
}

/* The value is the slot; the key is remembered so that clearing finds it. */
int kbpf_egress_cgroup(struct kbpf *k, const struct kbpf_sandbox *s, uint64_t cgroup, struct err *e)
{
	return put_slot(k, KMAP_BY_EGRESS, cgroup, s->slot, e);
}

int kbpf_egress_trust(struct kbpf *k, const struct kbpf_sandbox *s, const uint32_t addr_be[4],
		      uint32_t bits, uint32_t port, struct err *e)
{
	struct osh_upstream_key key = { .bits = 96 + bits, .id = s->id, .port = port };
	uint32_t one = 1;

	if (bits > 128 || port > 65535)
		return fail(e, EINVAL, "upstream network of %u bits, port %u", bits, port);
	memcpy(key.addr_be, addr_be, sizeof(key.addr_be));
	return kbpf_put(k, s, KMAP_EGRESS_ALLOW, &key, &one, 1, e);
}

/* At most one entry a living sandbox: short enough to walk. */
static void forget_slots(struct kbpf *k, enum kmap m, bool (*wanted)(const struct kbpf *, uint32_t slot, uint32_t arg),
			 uint32_t arg)
{
	uint64_t key, next;
	uint32_t v;
	int more = !bpf_map_get_next_key(k->map[m], NULL, &next);

	while (more) {
		key = next;
		more = !bpf_map_get_next_key(k->map[m], &key, &next);
		if (!bpf_map_lookup_elem(k->map[m], &key, &v) && wanted(k, v, arg))
			(void)bpf_map_delete_elem(k->map[m], &key);
	}
}

static bool is_slot(const struct kbpf *k, uint32_t slot, uint32_t arg)
{
	(void)k;
	return slot == arg;
}

static bool is_free(const struct kbpf *k, uint32_t slot, uint32_t arg)
{
	(void)arg;
	return !k->sandboxes[slot % OSH_SLOTS].id;
}

static void forget_slot(struct kbpf *k, enum kmap m, uint32_t slot)
{
	forget_slots(k, m, is_slot, slot);
}

void kbpf_forget_free(struct kbpf *k, enum kmap m)
{
	forget_slots(k, m, is_free, 0);
}

/* Programs that were executed, by number; the number's entry says the path's. */
static void clear_idents(struct kbpf *k, const struct kbpf_sandbox *s, uint32_t used)
{
	for (uint32_t i = 1; i <= used && i <= OSH_IDENTS; i++) {
		struct osh_ident_key key = { .id = s->id, .ident = i };
		struct osh_path_key path = { .id = s->id };
		struct osh_ident ident;

		if (bpf_map_lookup_elem(k->map[KMAP_IDENTS], &key, &ident))
			continue;
		path.kind = ident.kind;
		memcpy(path.path, ident.path, sizeof(path.path));
		(void)bpf_map_delete_elem(k->map[KMAP_PATHS], &path);
		(void)bpf_map_delete_elem(k->map[KMAP_IDENTS], &key);
	}
}

void kbpf_clear(struct kbpf *k, const struct kbpf_sandbox *s)
{
	struct osh_sandbox *sb, was;

	if (s->slot >= OSH_SLOTS || !s->id)
		return;
	sb = &k->sandboxes[s->slot];
	if (sb->id && sb->id != s->id)
		return;			/* the slot has another tenant: this one was cleared before */
	store32(&sb->id, 0);		/* first: from here on every question is denied */
	was = *sb;
	forget_slot(k, KMAP_BY_CGROUP, s->slot);
	forget_slot(k, KMAP_BY_NETNS, s->slot);
	forget_slot(k, KMAP_BY_EGRESS, s->slot);
	kbpf_names_clear(k, s, was.wild_used);
	clear_idents(k, s, was.ident_used);
	for (int m = 0; m < KMAP_MAX; m++)
		if (kbpf_maps[m].journal || (m == KMAP_DENIALS && was.denials))
			kbpf_drop(k, s, m, 0);
	kbpf_journal_free(k, s->slot);
	k->adopted[s->slot] = 0;
	memset(sb, 0, sizeof(*sb));
}

uint32_t kbpf_in_force(const struct kbpf *k, const struct kbpf_sandbox *s)
{
	const struct osh_sandbox *sb = &k->sandboxes[s->slot % OSH_SLOTS];

	return sb->id == s->id ? __atomic_load_n(&sb->generation, __ATOMIC_ACQUIRE) : 0;
}

void kbpf_only(struct kbpf *k, const struct kbpf_sandbox *s)
{
	if (k->adopted[s->slot] != s->id)
		return;			/* the journal knows: a fill of ours that failed has been taken back */
	kbpf_names_only(k, s, k->sandboxes[s->slot].wild_used);
	kbpf_clear_old(k, s);
}

void kbpf_clear_generation(struct kbpf *k, const struct kbpf_sandbox *s, uint32_t generation)
{
	for (int m = 0; generation && m < KMAP_MAX; m++)
		if (kbpf_maps[m].gen_at >= 0)
			kbpf_drop_generation(k, s, m, generation);
}

void kbpf_clear_old(struct kbpf *k, const struct kbpf_sandbox *s)
{
	for (int m = 0; m < KMAP_MAX; m++)
		if (kbpf_maps[m].gen_at >= 0)
			kbpf_drop(k, s, m, s->generation);
}
