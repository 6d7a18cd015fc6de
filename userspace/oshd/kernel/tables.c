// SPDX-License-Identifier: Apache-2.0
/*
 * From a checked bundle to the maps of one (sandbox, generation). All or nothing: whatever fails, the
 * generation's entries are taken back and the policy in force has not changed. Root; parses nothing:
 * the bundle was checked by bundle_open() and texts are only copied.
 */
#include "kbpf.h"
#include "own.h"

struct fill {
	struct kbpf *k;
	const struct kbpf_sandbox *s;
	const struct bundle *b;
	struct err *e;
	uint32_t *addr;			/* by host number - 1: index of a listed name, else 0 */
};

/* Arrays of n keys and values; the caller fills them and calls put(). */
struct rows {
	char *keys, *values;
	uint32_t n, max;
	enum kmap m;
};

static int rows_init(struct rows *r, enum kmap m, size_t max, struct err *e)
{
	r->m = m;
	r->n = 0;
	r->max = max;
	r->keys = calloc(max + 1, kbpf_maps[m].key);
	r->values = calloc(max + 1, kbpf_maps[m].value);
	if (r->keys && r->values)
		return 0;
	return fail(e, ENOMEM, "map '%s': out of memory", kbpf_maps[m].name);
}

static void rows_done(struct rows *r)
{
	free(r->keys);
	free(r->values);
}
#define _rows_ __attribute__((cleanup(rows_done)))

static void *row_key(struct rows *r, uint32_t i)
{
	return r->keys + (size_t)i * kbpf_maps[r->m].key;
}

static void *row_value(struct rows *r, uint32_t i)
{
	return r->values + (size_t)i * kbpf_maps[r->m].value;
}

static void row_add_u32(struct rows *r, const void *key, uint32_t value)
{
	memcpy(row_key(r, r->n), key, kbpf_maps[r->m].key);
	memcpy(row_value(r, r->n++), &value, sizeof(value));
}

static int rows_put(const struct fill *f, const struct rows *r)
{
	return kbpf_put(f->k, f->s, r->m, r->keys, r->values, r->n, f->e);
}

static void group_set(__u64 *groups, uint32_t group)
{
	groups[group / 64] |= 1ull << (group % 64);
}

static int fill_suffixes(const struct fill *f)
{
	_rows_ struct rows r = { 0 };

	if (rows_init(&r, KMAP_SUFFIXES, f->b->n_suffixes, f->e) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < f->b->n_suffixes; i++) {
		const struct osh_b_suffix *from = &f->b->suffixes[i];
		const char *text = bundle_str(f->b, from->suffix);
		struct osh_suffix_key *key = row_key(&r, r.n);
		struct osh_suffix *value = row_value(&r, r.n++);
		size_t n = strlen(text);

		if (!n || n > sizeof(key->rev))
			return fail(f->e, ENAMETOOLONG, "wildcard '*%.64s' is too long", text);
		key->bits = 64 + 8 * n;
		key->id = f->s->id;
		key->generation = f->s->generation;
		for (size_t j = 0; j < n; j++)
			key->rev[j] = text[n - 1 - j];
		*value = (struct osh_suffix){ .one = from->one, .deep = from->deep, .dots = from->dots };
	}
	return rows_put(f, &r);
}

static int fill_cidrs(const struct fill *f)
{
	_rows_ struct rows r = { 0 };

	if (rows_init(&r, KMAP_CIDRS, f->b->n_cidrs, f->e) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < f->b->n_cidrs; i++) {
		struct osh_cidr_key *key = row_key(&r, r.n);
		struct osh_cidr *value = row_value(&r, r.n++);

		key->bits = 64 + f->b->cidrs[i].bits;
		key->id = f->s->id;
		key->generation = f->s->generation;
		memcpy(key->addr_be, f->b->cidrs[i].addr, sizeof(key->addr_be));
		value->host = f->b->cidrs[i].host;
	}
	return rows_put(f, &r);
}

/* How the connect hook will ask for this host. */
static uint32_t endpoint_host(const struct fill *f, uint32_t host)
{
	uint32_t addr = host && host <= f->b->n_hosts ? f->addr[host - 1] : 0;

	return addr && addr < OSH_ADDR_EXACT ? OSH_EP_ADDR | addr : host;
}

static int endpoint_from(const struct fill *f, const struct osh_b_endpoint *from,
			 struct osh_endpoint *to)
{
	to->host = from->host;
	for (uint32_t i = 0; i < from->n_alts; i++) {
		const struct osh_b_alt *alt = &f->b->alts[from->first_alt + i];

		if (alt->group >= OSH_GROUPS)
			return fail(f->e, EINVAL, "rule names binaries group %u of %u", alt->group, OSH_GROUPS);
		group_set(to->groups, alt->group);
		if (alt->flags & OSH_ALT_TAINT_OK)
			group_set(to->taint_ok, alt->group);
		if (alt->flags & OSH_ALT_L7)
			to->flags |= OSH_EP_L7;
		if (!i)
			to->rule = alt->rule + 1;
	}
	return 0;
}

/* Endpoints, and the ports among them, which are all that the egress may dial; a sandbox's is no port of the network's. */
static int fill_endpoints(const struct fill *f)
{
	_free_ uint8_t *seen = calloc(1, 65536);
	_rows_ struct rows r = { 0 }, ports = { 0 };
	int x;

	if (!seen || rows_init(&r, KMAP_ENDPOINTS, f->b->n_endpoints, f->e) < 0 ||
	    rows_init(&ports, KMAP_EGRESS_PORTS, f->b->n_endpoints, f->e) < 0)
		return fail(f->e, ENOMEM, "endpoints: out of memory");
	for (uint32_t i = 0; i < f->b->n_endpoints; i++) {
		const struct osh_b_endpoint *from = &f->b->endpoints[i];
		struct osh_endpoint_key *key = row_key(&r, r.n);
		struct osh_eport_key port = { .id = f->s->id, .generation = f->s->generation,
					      .port = from->port };

		if (!from->port || from->port > 65535)
			return fail(f->e, EINVAL, "endpoint has port %u", from->port);
		*key = (struct osh_endpoint_key){ .id = f->s->id, .generation = f->s->generation,
						  .host = endpoint_host(f, from->host), .port = from->port };
		x = endpoint_from(f, from, row_value(&r, r.n++));
		if (x < 0)
			return x;
		if (!bundle_is_sandbox(f->b, from->host) && !seen[from->port]++)
			row_add_u32(&ports, &port, 1);
	}
	x = rows_put(f, &ports);
	return x ? x : rows_put(f, &r);
}

static const struct bundle *sorting;	/* qsort() has no argument for its caller; one thread */

static int by_path(const void *a, const void *b)
{
	const struct osh_b_binary *x = &sorting->binaries[*(const uint32_t *)a];
	const struct osh_b_binary *y = &sorting->binaries[*(const uint32_t *)b];

	return strcmp(bundle_str(sorting, x->path), bundle_str(sorting, y->path));
}

/* Indices of the binaries that are globs, or that are not, ordered by path. */
static uint32_t binaries_sorted(const struct bundle *b, uint32_t glob, uint32_t *ret)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < b->n_binaries; i++)
		if ((b->binaries[i].flags & OSH_BIN_GLOB) == glob)
			ret[n++] = i;
	sorting = b;
	qsort(ret, n, sizeof(*ret), by_path);
	sorting = NULL;
	return n;
}

static int binary_check(const struct fill *f, const struct osh_b_binary *bin)
{
	const char *path = bundle_str(f->b, bin->path);

	if (strlen(path) >= OSH_PATH_MAX)
		return fail(f->e, ENAMETOOLONG, "program '%.100s...' is longer than %d bytes", path,
			    OSH_PATH_MAX - 1);
	if (bin->group >= OSH_GROUPS)
		return fail(f->e, EINVAL, "program '%s' is in group %u of %u", path, bin->group, OSH_GROUPS);
	return 0;
}

/* Does the path lie in `tree`, the tree itself included? */
static int lies_in(const char *path, const char *tree)
{
	size_t n = strlen(tree);

	while (n > 1 && tree[n - 1] == '/')
		n--;
	return !strncmp(path, tree, n) && (n == 1 || !path[n] || path[n] == '/');
}

/* In a tree that the policy makes writable, by the longest entry that covers it? */
int kbpf_in_writable(const struct bundle *b, const char *path)
{
	size_t best = 0;
	int writable = 0;

	for (uint32_t i = 0; i < b->n_fs; i++) {
		const char *tree = bundle_str(b, b->fs[i].path);

		if (b->fs[i].mode == OSH_FS_DENY || !lies_in(path, tree) || strlen(tree) < best)
			continue;
		best = strlen(tree);
		writable = b->fs[i].mode == OSH_FS_RW;
	}
	return writable;
}

/* Exact paths: entries of one path in several groups become one. */
static int fill_programs(const struct fill *f, const uint32_t *order, uint32_t n)
{
	const char *last = NULL;
	_rows_ struct rows r = { 0 };

	if (rows_init(&r, KMAP_PROGRAMS, n, f->e) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const struct osh_b_binary *bin = &f->b->binaries[order[i]];
		const char *path = bundle_str(f->b, bin->path);
		struct osh_program *value;

		if (binary_check(f, bin) < 0)
			return -f->e->code;
		if (!last || strcmp(last, path)) {
			struct osh_program_key *key = row_key(&r, r.n++);

			key->id = f->s->id;
			key->generation = f->s->generation;
			strcpy(key->path, path);
		}
		last = path;
		value = row_value(&r, r.n - 1);
		group_set(value->groups, bin->group);
		if (kbpf_in_writable(f->b, path))
			value->flags |= OSH_PROG_INODE;
	}
	return rows_put(f, &r);
}

static int fill_globs(const struct fill *f, const uint32_t *order, uint32_t n)
{
	const char *last = NULL;
	_rows_ struct rows r = { 0 };

	if (rows_init(&r, KMAP_GLOBS, n, f->e) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const struct osh_b_binary *bin = &f->b->binaries[order[i]];
		const char *path = bundle_str(f->b, bin->path);
		struct osh_glob *value;

		if (binary_check(f, bin) < 0)
			return -f->e->code;
		if (!last || strcmp(last, path)) {
			struct osh_glob_key *key = row_key(&r, r.n);

			*key = (struct osh_glob_key){ .id = f->s->id, .generation = f->s->generation,
						      .n = r.n };
			value = row_value(&r, r.n++);
			strcpy(value->pattern, path);
		}
		last = path;
		value = row_value(&r, r.n - 1);
		group_set(value->groups, bin->group);
	}
	if (r.n > OSH_GLOBS)
		return fail(f->e, E2BIG, "policy has %u program patterns, at most %d fit", r.n, OSH_GLOBS);
	return rows_put(f, &r);
}

static int fill_binaries(const struct fill *f)
{
	_free_ uint32_t *order = calloc(f->b->n_binaries + 1, sizeof(*order));
	int r;

	if (!order)
		return fail(f->e, ENOMEM, "programs: out of memory");
	for (uint32_t i = 0; i < f->b->n_binaries; i++)
		if (f->b->binaries[i].sha256)
			return fail(f->e, EOPNOTSUPP, "program '%s': sha256 cannot be enforced yet",
				    bundle_str(f->b, f->b->binaries[i].path));
	r = fill_programs(f, order, binaries_sorted(f->b, 0, order));
	return r ? r : fill_globs(f, order, binaries_sorted(f->b, OSH_BIN_GLOB, order));
}

static void upstream_add(const struct fill *f, struct rows *r, const uint8_t *addr, uint32_t bits)
{
	struct osh_upstream_key key = { .bits = 96 + bits, .id = f->s->id,
					.generation = f->s->generation };

	memcpy(key.addr_be, addr, sizeof(key.addr_be));
	row_add_u32(r, &key, 1);
}

/* What the egress may dial although it is private: allowed_ips, and addresses that are endpoints. */
static int fill_upstream(const struct fill *f)
{
	_rows_ struct rows r = { 0 };

	if (rows_init(&r, KMAP_EGRESS_ALLOW, (size_t)f->b->n_upstream + f->b->n_cidrs, f->e) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < f->b->n_upstream; i++)
		upstream_add(f, &r, f->b->upstream[i].addr, f->b->upstream[i].bits);
	for (uint32_t i = 0; i < f->b->n_cidrs; i++)
		upstream_add(f, &r, f->b->cidrs[i].addr, f->b->cidrs[i].bits);
	return rows_put(f, &r);
}

static int unix_put(struct kbpf *k, const struct kbpf_sandbox *s, const char *path, uint32_t value,
		    struct err *e)
{
	struct osh_unix_key key = { .id = s->id, .generation = s->generation };
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	if (n >= sizeof(key.path))	/* no socket address is that long, so none can be meant */
		return 0;
	memcpy(key.path, path, n);
	return kbpf_put(k, s, KMAP_UNIX_ALLOW, &key, &value, 1, e);
}

/* The hook allows these trees as the sandbox's own; see unix.bpf.c. */
static int is_private(const char *path)
{
	static const char *const trees[] = { "/tmp", "/dev/shm", "/sandbox" };

	for (size_t i = 0; i < ARRAY_SIZE(trees); i++)
		if (lies_in(path, trees[i]) && strcmp(path, trees[i]))
			return 1;
	return 0;
}

int kbpf_unix_outside(struct kbpf *k, const struct kbpf_sandbox *s, const char *path, struct err *e)
{
	return is_private(path) ? unix_put(k, s, path, OSH_UNIX_OUTSIDE, e) : 0;
}

/*
 * Directories of the host that a former generation knew from its caller (the work directory): nobody
 * asks for them again, also not after an adoption, so they go on from generation to generation.
 */
static int carry_outside(const struct fill *f)
{
	struct osh_unix_key key, next;
	int more, r = 0;

	if (f->s->generation < 2)
		return 0;
	more = !bpf_map_get_next_key(f->k->map[KMAP_UNIX_ALLOW], NULL, &next);
	while (more && !r) {
		uint32_t value;

		key = next;
		more = !bpf_map_get_next_key(f->k->map[KMAP_UNIX_ALLOW], &key, &next);
		if (key.id != f->s->id || key.generation != f->s->generation - 1 ||
		    bpf_map_lookup_elem(f->k->map[KMAP_UNIX_ALLOW], &key, &value) || value != OSH_UNIX_OUTSIDE)
			continue;
		key.generation = f->s->generation;
		r = kbpf_put(f->k, f->s, KMAP_UNIX_ALLOW, &key, &value, 1, f->e);
		key.generation = f->s->generation - 1;
	}
	return r;
}

static int fill_unix(const struct fill *f)
{
	int r = carry_outside(f);

	for (uint32_t i = 0; !r && i < f->b->n_fs; i++)
		if (f->b->fs[i].mode != OSH_FS_DENY)
			r = kbpf_unix_outside(f->k, f->s, bundle_str(f->b, f->b->fs[i].path), f->e);
	for (uint32_t i = 0; !r && i < f->b->n_unix; i++)
		r = unix_put(f->k, f->s, bundle_str(f->b, f->b->unix_paths[i].path), OSH_UNIX_LISTED, f->e);
	return r;
}

static int fill_names(const struct fill *f)
{
	return kbpf_names_fill(f->k, f->s, f->b, f->addr, f->e);
}

void kbpf_unfill(struct kbpf *k, const struct kbpf_sandbox *s, const struct bundle *b)
{
	kbpf_names_undo(k, s, b);
	for (int m = 0; m < KMAP_MAX; m++)
		if (kbpf_maps[m].gen_at >= 0)
			kbpf_drop_generation(k, s, m, s->generation);
}

static int fill_wild(const struct fill *f)
{
	return kbpf_names_wild(f->k, f->s, f->e);
}

int kbpf_fill(struct kbpf *k, const struct kbpf_sandbox *s, const struct bundle *b, struct err *e)
{
	static int (*const steps[])(const struct fill *) = {
		fill_names, fill_suffixes, fill_wild, fill_cidrs, fill_endpoints, fill_binaries, fill_upstream, fill_unix,
	};
	_free_ uint32_t *addr = calloc((size_t)b->n_hosts + 1, sizeof(*addr));
	struct fill f = { k, s, b, e, addr };
	int r = 0;

	if (!addr)
		return fail(e, ENOMEM, "tables: out of memory");
	if (s->slot >= OSH_SLOTS || !s->id || !s->generation)
		return fail(e, EINVAL, "sandbox slot %u, id %u, generation %u", s->slot, s->id, s->generation);
	if (k->sandboxes[s->slot].id && k->sandboxes[s->slot].id != s->id)
		return fail(e, EBUSY, "slot %u is taken by sandbox %u", s->slot, k->sandboxes[s->slot].id);
	for (size_t i = 0; !r && i < ARRAY_SIZE(steps); i++)
		r = steps[i](&f);
	if (!r)
		r = kbpf_rejudge(k, s, b, e);	/* reads what the steps wrote */
	if (!r)
		return 0;
	kbpf_unfill(k, s, b);
	return r;
}
