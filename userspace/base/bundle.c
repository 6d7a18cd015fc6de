/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bundle reader: the container (header, section table, hash). What the sections may say is checked
 * in bundle_check.c. Root runs this on bytes that an unprivileged process wrote.
 */
#include "bundle.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "bundle_check.h"
#include "hash.h"
#include "osh/inference.h"
#include "own.h"

static const struct row {
	const char *name;
	uint32_t entry, min, max;
	size_t at;			/* of the pointer in struct bundle */
	size_t n_at;			/* of its count; 0 = has none */
} rows[OSH_SEC_MAX] = {
/* clang-format off */
#define ROW(sec, type, field, min, max) \
	[sec] = { #field, sizeof(type), min, max, offsetof(struct bundle, field), offsetof(struct bundle, n_##field) }
#define n_meta map			/* offset 0: exactly one, so no count is kept */
#define n_unix_paths n_unix
	ROW(OSH_SEC_STRINGS,   char,                  strings,   1, OSH_BUNDLE_BYTES),
	ROW(OSH_SEC_META,      struct osh_b_meta,     meta,      1, 1),
	ROW(OSH_SEC_FS,        struct osh_b_fs,       fs,        0, OSH_FS_PATHS),
	ROW(OSH_SEC_HOSTS,     struct osh_b_host,     hosts,     0, OSH_HOSTS_MAX),
	ROW(OSH_SEC_SUFFIXES,  struct osh_b_suffix,   suffixes,  0, OSH_HOSTS_MAX),
	ROW(OSH_SEC_CIDRS,     struct osh_b_cidr,     cidrs,     0, OSH_HOSTS_MAX),
	ROW(OSH_SEC_ENDPOINTS, struct osh_b_endpoint, endpoints, 0, OSH_ENDPOINTS_MAX),
	ROW(OSH_SEC_ALTS,      struct osh_b_alt,      alts,      0, OSH_ALTS_MAX),
	ROW(OSH_SEC_RULES,     struct osh_b_rule,     rules,     0, OSH_ENDPOINTS_MAX),
	ROW(OSH_SEC_BINARIES,  struct osh_b_binary,   binaries,  0, OSH_BINARIES_MAX),
	ROW(OSH_SEC_UPSTREAM,  struct osh_b_upstream, upstream,  0, OSH_UPSTREAM_MAX),
	ROW(OSH_SEC_ENV,       struct osh_b_env,      env,       0, OSH_LIST_MAX),
	ROW(OSH_SEC_EXEC,      struct osh_b_exec,     exec,      0, OSH_LIST_MAX),
	ROW(OSH_SEC_UNIX,      struct osh_b_unix,     unix_paths, 0, OSH_LIST_MAX),
	ROW(OSH_SEC_L7,        struct osh_b_l7,       l7,        0, OSH_ENDPOINTS_MAX),
	ROW(OSH_SEC_MATCHES,   struct osh_b_match,    matches,   0, OSH_MATCHES_MAX),
	ROW(OSH_SEC_QUERIES,   struct osh_b_query,    queries,   0, OSH_MATCHES_MAX),
	ROW(OSH_SEC_PATTERNS,  uint32_t,              patterns,  0, 4 * OSH_MATCHES_MAX),
	ROW(OSH_SEC_PERSISTED, struct osh_b_persisted, persisted, 0, OSH_MATCHES_MAX),
	ROW(OSH_SEC_FIELDS,    uint32_t,              fields,    0, OSH_MATCHES_MAX),
	ROW(OSH_SEC_LIMITS,    struct osh_b_limits,   limits,    0, 1),
	ROW(OSH_SEC_GPUS,      struct osh_b_gpu,      gpus,      0, OSH_GPU_NAMES),
	ROW(OSH_SEC_INFERENCE, struct osh_b_inference, inference, 0, 1),
	ROW(OSH_SEC_ROUTES,    struct osh_b_route,    routes,    0, OSH_INFERENCE_ROUTES),
	ROW(OSH_SEC_ALIASES,   struct osh_b_alias,    aliases,   0, OSH_INFERENCE_ALIASES),
	ROW(OSH_SEC_BUDGETS,   struct osh_b_budget,   budgets,   0, OSH_INFERENCE_LIMITS),
	ROW(OSH_SEC_PRICES,    struct osh_b_price,    prices,    0, OSH_INFERENCE_PRICES),
	ROW(OSH_SEC_PRIVACY,   struct osh_b_privacy,  privacy,   0, OSH_PRIVACY_RULES),
	ROW(OSH_SEC_SERVES,    struct osh_b_serve,    serves,    0, OSH_SERVES),
#undef n_meta
#undef n_unix_paths
#undef ROW
/* clang-format on */
};
_Static_assert(offsetof(struct bundle, map) == 0, "rows use offset 0 for 'no count'");

static bool all_zero(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

/* One section: known, in order, aligned, inside, nothing hidden in the gap before it. */
static int take_section(struct bundle *b, const struct osh_bundle_section *s, uint64_t *end,
			uint32_t *last, struct err *e)
{
	const char *base = b->map;
	uint64_t start = s->offset, stop = start + (uint64_t)s->entry * s->count;
	const struct row *row;

	if (s->type <= *last || s->type >= OSH_SEC_MAX)
		return fail(e, EBADMSG, "bundle: section type %u unknown or out of order", s->type);
	row = &rows[s->type];
	if (s->entry != row->entry)
		return fail(e, EBADMSG, "bundle: %s entries are %u bytes, want %u; another osh compiled it: compile "
			    "the policy again", row->name, s->entry, row->entry);
	if (s->count < row->min || s->count > row->max)
		return fail(e, EBADMSG, "bundle: %u %s, at most %u", s->count, row->name, row->max);
	if (start % 8 || start < *end || start - *end >= 8 || stop > b->size)
		return fail(e, EBADMSG, "bundle: %s lies outside its place", row->name);
	if (!all_zero(base + *end, start - *end))
		return fail(e, EBADMSG, "bundle: bytes hidden before %s", row->name);
	*(const void **)((char *)b + row->at) = base + start;
	if (row->n_at)
		*(uint32_t *)((char *)b + row->n_at) = s->count;
	*end = stop;
	*last = s->type;
	return 0;
}

static int take_sections(struct bundle *b, struct err *e)
{
	const struct osh_bundle_section *s = (const void *)(b->header + 1);
	uint64_t end = sizeof(*b->header) + (uint64_t)b->header->n_sections * sizeof(*s);
	uint32_t last = OSH_SEC_NONE;

	if (b->header->n_sections >= OSH_SEC_MAX || end > b->size)
		return fail(e, EBADMSG, "bundle: %u sections", b->header->n_sections);
	for (uint32_t i = 0; i < b->header->n_sections; i++) {
		int r = take_section(b, &s[i], &end, &last, e);

		if (r < 0)
			return r;
	}
	if (end > b->size || b->size - end >= 8 ||
	    !all_zero((const char *)b->map + end, b->size - end))
		return fail(e, EBADMSG, "bundle: bytes hidden at the end");
	if (!b->strings || !b->meta)
		return fail(e, EBADMSG, "bundle: no %s section", b->strings ? "meta" : "strings");
	return 0;
}

static int check_header(const struct bundle *b, struct err *e)
{
	const struct osh_bundle_header *h = b->header;
	uint8_t digest[HASH_LEN];

	if (h->magic != OSH_BUNDLE_MAGIC)
		return fail(e, EBADMSG, "not a policy bundle");
	if (h->version != OSH_BUNDLE_VERSION)
		return fail(e, EBADMSG, "bundle version %u, this program reads %u", h->version,
			    OSH_BUNDLE_VERSION);
	if (h->size != b->size)
		return fail(e, EBADMSG, "bundle says %u bytes but has %zu", h->size, b->size);
	if (hash_bytes(h + 1, b->size - sizeof(*h), digest) < 0)
		return fail(e, ENOMEM, "bundle: no SHA-256 in libcrypto");
	if (memcmp(digest, h->content_hash, sizeof(digest)))
		return fail(e, EBADMSG, "bundle: content hash does not match");
	return 0;
}

static int open_checked(struct bundle *b, struct err *e)
{
	int r = check_header(b, e);

	if (r == 0)
		r = take_sections(b, e);
	if (r == 0)
		r = bundle_check(b, e);
	return r;
}

int bundle_open_mem(struct bundle *ret, const void *p, size_t n, struct err *e)
{
	struct bundle b = { .map = p, .size = n, .header = p };
	int r;

	if (n < sizeof(*b.header) || n > OSH_BUNDLE_BYTES)
		return fail(e, EBADMSG, "bundle has %zu bytes", n);
	if ((uintptr_t)p % 8)
		return fail(e, EINVAL, "bundle memory is not aligned");
	r = open_checked(&b, e);
	if (r == 0)
		*ret = b;
	return r;
}

int bundle_open_fd(struct bundle *ret, int fd, struct err *e)
{
	const int want = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;
	int seals = fcntl(fd, F_GET_SEALS), r;
	struct stat st;
	void *p;

	if (seals < 0)
		return fail(e, errno, "bundle descriptor is no memfd: %s", strerror(errno));
	if ((seals & want) != want)
		return fail(e, EPERM, "bundle memfd is not sealed");
	if (fstat(fd, &st) < 0)
		return fail(e, errno, "stat bundle: %s", strerror(errno));
	if (st.st_size < (off_t)sizeof(struct osh_bundle_header) || st.st_size > OSH_BUNDLE_BYTES)
		return fail(e, EBADMSG, "bundle has %lld bytes", (long long)st.st_size);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return fail(e, errno, "map bundle: %s", strerror(errno));
	r = bundle_open_mem(ret, p, (size_t)st.st_size, e);
	if (r < 0)
		munmap(p, (size_t)st.st_size);
	else
		ret->mapped = true;
	return r;
}

void bundle_done(struct bundle *b)
{
	if (b->mapped)
		munmap((void *)(uintptr_t)b->map, b->size);
	*b = (struct bundle){ 0 };
}
