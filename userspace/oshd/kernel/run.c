// SPDX-License-Identifier: Apache-2.0
/* What `process.exec: strict` lets run, by inode, for bpf/run.bpf.c. Runs in oshd; what is entered comes from osh-launch. */
#include "kbpf.h"

int kbpf_run_enter(struct kbpf *k, const struct kbpf_sandbox *s, enum osh_run what, const char *path, int fd,
		   struct err *e)
{
	struct osh_run_key key = { .id = s->id };
	__u32 value = what, was;
	struct osh_fd_inode f;
	int r = kbpf_inode_of(k, fd, path, &f, e);

	if (r < 0)
		return r;
	key.inode = f.inode;
	/* One directory under two names, one of them writable: what is made by that one does not run by the other. */
	if (what == OSH_RUN_ALLOWED && !bpf_map_lookup_elem(k->map[KMAP_RUN_INODES], &key, &was) && was == OSH_RUN_NOT)
		return 0;
	return kbpf_put(k, s, KMAP_RUN_INODES, &key, &value, 1, e);
}
