/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Files by inode, where the kernel loads LSM programs: an open of a listed inode by a task of the
 * sandbox is refused, whatever path or descriptor leads there. A deny list only: Landlock and the
 * mount view say what may be opened at all. Loaded only where the loader found that LSM programs live.
 */
#include "decide.bpf.h"

#define EPERM 1

/* The loader keeps a descriptor open for every entry, so that the address stays this inode's. */
MAP_HASH(deny_inodes, struct osh_inode_key, __u32, 1 << 16, BPF_F_NO_PREALLOC);

static __always_inline int lsm_ret(__u32 verdict)
{
	return verdict == OSH_DENY ? -EPERM : 0;
}

SEC("lsm/file_open")
int BPF_PROG(osh_file_open, struct file *file, int ret)
{
	struct ask q = { .kind = OSH_EV_FILE };
	struct osh_inode_key key = { 0 };
	char path[OSH_NAME_MAX] = "";
	long n;

	if (ret)			/* an earlier module refused already */
		return ret;
	ask_subject(&q);
	if (!q.sb)
		return 0;
	key.inode = (__u64)file->f_inode;
	key.id = q.sb->id;
	key.generation = q.generation;
	if (!bpf_map_lookup_elem(&deny_inodes, &key))
		return 0;
	n = bpf_d_path((struct path *)&file->f_path, path, sizeof(path));
	return lsm_ret(decide_named(&q, OSH_WHY_FILE_DENIED, path, sizeof(path), n > 0 ? n - 1 : 0));
}
