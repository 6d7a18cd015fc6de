// SPDX-License-Identifier: Apache-2.0
/*
 * Names and their addresses. A sandbox gives an index to each exact name of its policy, 1 upwards
 * without gaps, and never takes one back: generations that come later keep what they find and number
 * on. So the indices themselves are the list of names, and no other record is needed. Names under
 * wildcards are numbered by the DNS program from OSH_ADDR_EXACT on, the same way.
 */
#include "kbpf.h"
#include "own.h"

#define CHUNK 512

struct name_chunk {
	struct osh_name_key name_keys[CHUNK];
	struct osh_name names[CHUNK];
	struct osh_addr_key addr_keys[CHUNK];
	struct osh_addr addrs[CHUNK];
	uint32_t n;
};

static int addr_get(struct kbpf *k, uint32_t id, uint32_t index, struct osh_addr *ret)
{
	struct osh_addr_key key = { .id = id, .addr = index };

	return bpf_map_lookup_elem(k->map[KMAP_ADDRS], &key, ret);
}

/* First index from `from` on that is not taken, by bisection: taken ones have no gaps. */
static uint32_t first_free(struct kbpf *k, uint32_t id, uint32_t from, uint32_t end)
{
	struct osh_addr a;

	while (from < end) {
		uint32_t mid = from + (end - from) / 2;

		if (addr_get(k, id, mid, &a))
			end = mid;
		else
			from = mid + 1;
	}
	return from;
}

uint32_t kbpf_names_used(struct kbpf *k, uint32_t id)
{
	return first_free(k, id, 1, OSH_ADDR_EXACT) - 1;
}

static int chunk_write(struct kbpf *k, const struct kbpf_sandbox *s, struct name_chunk *c, struct err *e)
{
	/* Address first: what resolves must also be known to the connect hook. */
	int r = kbpf_put(k, s, KMAP_ADDRS, c->addr_keys, c->addrs, c->n, e);

	if (!r)
		r = kbpf_put(k, s, KMAP_NAMES, c->name_keys, c->names, c->n, e);
	c->n = 0;
	return r;
}

/* One exact name: its former entry with this generation's host, or a new one at *next. */
static int name_add(struct kbpf *k, const struct kbpf_sandbox *s, struct name_chunk *c,
		    const char *text, uint32_t host, uint32_t *next, uint32_t *ret_addr, struct err *e)
{
	struct osh_name_in in = { .host = host, .generation = s->generation };
	struct osh_name_key *nk = &c->name_keys[c->n];
	struct osh_addr_key *ak = &c->addr_keys[c->n];
	struct osh_name *name = &c->names[c->n];
	struct osh_addr *addr = &c->addrs[c->n];

	memset(nk, 0, sizeof(*nk));
	memset(name, 0, sizeof(*name));
	memset(addr, 0, sizeof(*addr));
	nk->id = s->id;
	if (strlen(text) >= sizeof(nk->name))
		return fail(e, ENAMETOOLONG, "host name '%.64s...' is too long", text);
	strcpy(nk->name, text);
	if (s->generation > 1 && !bpf_map_lookup_elem(k->map[KMAP_NAMES], nk, name) && name->addr) {
		if (addr_get(k, s->id, name->addr, addr))
			return fail(e, EPROTO, "host '%s' has an address that is not listed", text);
	} else {
		if (*next >= OSH_ADDR_EXACT)
			return fail(e, ENOSPC, "no address is left for host '%s'", text);
		name->addr = (*next)++;
		name->wild = 0;
	}
	ak->id = s->id;
	ak->addr = name->addr;
	name->by[s->generation & 1] = in;
	addr->by[s->generation & 1] = in;
	strcpy(addr->name, text);
	*ret_addr = name->addr;
	c->n++;
	return 0;
}

int kbpf_names_fill(struct kbpf *k, const struct kbpf_sandbox *s, const struct bundle *b, uint32_t *ret_addr,
		    struct err *e)
{
	_free_ struct name_chunk *c = calloc(1, sizeof(*c));
	uint32_t next = s->generation > 1 ? first_free(k, s->id, 1, OSH_ADDR_EXACT) : 1;
	int r = 0;

	if (!c)
		return fail(e, ENOMEM, "names: out of memory");
	for (uint32_t i = 0; !r && i < b->n_hosts; i++) {
		if (b->hosts[i].kind != OSH_HOST_EXACT)
			continue;
		r = name_add(k, s, c, bundle_str(b, b->hosts[i].name), i + 1, &next, &ret_addr[i], e);
		if (!r && c->n == CHUNK)
			r = chunk_write(k, s, c, e);
	}
	return r ? r : chunk_write(k, s, c, e);
}

/* As the DNS program looks: the longest suffix that covers the name, in this generation. */
static uint32_t host_by_suffix(struct kbpf *k, const struct kbpf_sandbox *s, const char *name)
{
	struct osh_suffix_key key = { .id = s->id, .generation = s->generation };
	size_t n = strnlen(name, OSH_NAME_MAX), text = n < OSH_SUFFIX_LEN ? n : OSH_SUFFIX_LEN;
	struct osh_suffix f;
	uint32_t dots = 0;

	for (size_t i = 0; i < n; i++)
		dots += name[i] == '.';
	for (size_t i = 0; i < text; i++)
		key.rev[i] = name[n - 1 - i];
	key.bits = 64 + 8 * (uint32_t)text;
	if (!n || bpf_map_lookup_elem(k->map[KMAP_SUFFIXES], &key, &f) || dots < f.dots)
		return 0;
	return dots == f.dots ? f.one : f.deep;
}

int kbpf_names_wild(struct kbpf *k, const struct kbpf_sandbox *s, struct err *e)
{
	uint32_t used = k->sandboxes[s->slot].id == s->id ? k->sandboxes[s->slot].wild_used : 0;

	for (uint32_t i = 0; s->generation > 1 && i < used && i < OSH_ADDR_WILD; i++) {
		struct osh_addr_key ak = { .id = s->id, .addr = OSH_ADDR_EXACT + i };
		struct osh_name_key nk = { .id = s->id };
		struct osh_name name;
		struct osh_addr addr;

		if (addr_get(k, s->id, ak.addr, &addr))
			continue;
		memcpy(nk.name, addr.name, sizeof(nk.name));
		if (!bpf_map_lookup_elem(k->map[KMAP_NAMES], &nk, &name) && OSH_HOST_IN(name.by, s->generation))
			continue;	/* listed by itself now: kbpf_names_fill() was here */
		addr.by[s->generation & 1] = (struct osh_name_in){ host_by_suffix(k, s, addr.name), s->generation };
		if (bpf_map_update_elem(k->map[KMAP_ADDRS], &ak, &addr, BPF_EXIST))
			return fail(e, errno, "map 'addrs': %s", strerror(errno));
	}
	return 0;
}

/*
 * Takes back what a failed fill wrote: names that only it had go, the others lose this generation's
 * pair. Nothing of that generation was ever in force, so the freed indices were never seen.
 */
void kbpf_names_undo(struct kbpf *k, const struct kbpf_sandbox *s, const struct bundle *b)
{
	for (uint32_t i = 0; i < b->n_hosts; i++) {
		struct osh_name_in *mine, *other;
		struct osh_name_key nk = { .id = s->id };
		struct osh_addr_key ak = { .id = s->id };
		struct osh_name name;
		struct osh_addr addr;

		if (b->hosts[i].kind != OSH_HOST_EXACT)
			continue;
		snprintf(nk.name, sizeof(nk.name), "%s", bundle_str(b, b->hosts[i].name));
		if (bpf_map_lookup_elem(k->map[KMAP_NAMES], &nk, &name))
			continue;
		mine = &name.by[s->generation & 1];
		other = &name.by[!(s->generation & 1)];
		if (mine->generation != s->generation)
			continue;
		ak.addr = name.addr;
		/* Later an empty pair may be one that was overwritten: such a name keeps its address. */
		if (s->generation <= 2 && !other->generation && !name.wild) {
			kbpf_delete(k, KMAP_NAMES, &nk, 1);
			kbpf_delete(k, KMAP_ADDRS, &ak, 1);
			continue;
		}
		memset(mine, 0, sizeof(*mine));
		(void)bpf_map_update_elem(k->map[KMAP_NAMES], &nk, &name, BPF_EXIST);
		if (addr_get(k, s->id, ak.addr, &addr))
			continue;
		memset(&addr.by[s->generation & 1], 0, sizeof(*addr.by));
		(void)bpf_map_update_elem(k->map[KMAP_ADDRS], &ak, &addr, BPF_EXIST);
	}
}

/* What is said for a generation other than the one in force is not to be believed once that comes. */
static void only_in(struct osh_name_in by[2], uint32_t generation)
{
	for (int i = 0; i < 2; i++)
		if (by[i].generation != generation)
			memset(&by[i], 0, sizeof(by[i]));
}

static void only_range(struct kbpf *k, const struct kbpf_sandbox *s, uint32_t from, uint32_t end)
{
	for (uint32_t i = from; i < end; i++) {
		struct osh_addr_key ak = { .id = s->id, .addr = i };
		struct osh_name_key nk = { .id = s->id };
		struct osh_name name;
		struct osh_addr addr;

		if (addr_get(k, s->id, i, &addr))
			continue;
		only_in(addr.by, s->generation);
		(void)bpf_map_update_elem(k->map[KMAP_ADDRS], &ak, &addr, BPF_EXIST);
		memcpy(nk.name, addr.name, sizeof(nk.name));
		if (bpf_map_lookup_elem(k->map[KMAP_NAMES], &nk, &name))
			continue;
		only_in(name.by, s->generation);
		(void)bpf_map_update_elem(k->map[KMAP_NAMES], &nk, &name, BPF_EXIST);
	}
}

void kbpf_names_only(struct kbpf *k, const struct kbpf_sandbox *s, uint32_t wild_used)
{
	uint32_t wild = wild_used < OSH_ADDR_WILD ? wild_used : OSH_ADDR_WILD;

	only_range(k, s, 1, first_free(k, s->id, 1, OSH_ADDR_EXACT));
	only_range(k, s, OSH_ADDR_EXACT, OSH_ADDR_EXACT + wild);
}

static void clear_range(struct kbpf *k, uint32_t id, uint32_t from, uint32_t end)
{
	_free_ struct name_chunk *c = calloc(1, sizeof(*c));
	struct osh_addr a;

	if (!c)
		return;
	for (uint32_t i = from; i < end; i++) {
		c->addr_keys[c->n] = (struct osh_addr_key){ .id = id, .addr = i };
		c->name_keys[c->n].id = id;
		memset(c->name_keys[c->n].name, 0, OSH_NAME_MAX);
		if (!addr_get(k, id, i, &a))
			memcpy(c->name_keys[c->n].name, a.name, OSH_NAME_MAX);
		if (++c->n < CHUNK && i + 1 < end)
			continue;
		kbpf_delete(k, KMAP_NAMES, c->name_keys, c->n);
		kbpf_delete(k, KMAP_ADDRS, c->addr_keys, c->n);
		c->n = 0;
	}
}

void kbpf_names_clear(struct kbpf *k, const struct kbpf_sandbox *s, uint32_t wild_used)
{
	uint32_t wild = wild_used < OSH_ADDR_WILD ? wild_used : OSH_ADDR_WILD;

	clear_range(k, s->id, 1, first_free(k, s->id, 1, OSH_ADDR_EXACT));
	clear_range(k, s->id, OSH_ADDR_EXACT, OSH_ADDR_EXACT + wild);
}
