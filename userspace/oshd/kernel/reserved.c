// SPDX-License-Identifier: Apache-2.0
/* Paths that are for some programs only, by inode, for bpf/reserved.bpf.h. Runs in oshd; what is entered comes from osh-launch. */
#include "kbpf.h"

#include "own.h"

/* The end of a long path says more than its beginning. */
static void name(struct osh_reserved *r, const char *path)
{
	size_t n = strlen(path);

	if (n >= sizeof(r->path)) {
		path += n - sizeof(r->path) + 1;
		n = sizeof(r->path) - 1;
	}
	r->len = (__u32)n;
	memset(r->path, 0, sizeof(r->path));
	memcpy(r->path, path, n);
}

bool kbpf_has_reserved(const struct kbpf *k, const struct kbpf_sandbox *s)
{
	const struct osh_sandbox *sb = &k->sandboxes[s->slot % OSH_SLOTS];

	return sb->id == s->id && sb->reserved_bits;
}

int kbpf_reserve(struct kbpf *k, const struct kbpf_sandbox *s, const struct osh_reserved *entry, const char *path, int fd,
		 struct err *e)
{
	struct osh_sandbox *sb = &k->sandboxes[s->slot % OSH_SLOTS];
	struct osh_reserved_key key = { .id = s->id };
	struct osh_reserved mine = *entry, was;
	struct osh_fd_inode f;
	int r = kbpf_inode_of(k, fd, path, &f, e);

	if (!r && sb->id != s->id)
		r = fail(e, EINVAL, "'%.100s' is for some programs only: the sandbox has no slot yet", path);
	if (r < 0)
		return r;
	key.inode = f.inode;
	name(&mine, path);
	if (!bpf_map_lookup_elem(k->map[KMAP_RESERVED], &key, &was)) {	/* one place under two names: either lets in */
		for (int i = 0; i < OSH_GROUP_WORDS; i++) {
			mine.read[i] |= was.read[i];
			mine.write[i] |= was.write[i];
		}
		mine.all = mine.all > was.all ? mine.all : was.all;
	}
	r = kbpf_put(k, s, KMAP_RESERVED, &key, &mine, 1, e);
	if (r < 0)
		return r;
	__atomic_store_n(&k->host->reserved, 1, __ATOMIC_RELEASE);
	__atomic_fetch_or(&sb->reserved_bits, osh_inode_bit(key.inode), __ATOMIC_RELEASE);
	return 0;
}
