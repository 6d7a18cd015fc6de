// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Which struct inode is behind a descriptor that oshd holds? Run by oshd over its own descriptors
 * (a task_file iterator bound to its task). The pointer comes from the open file itself; device and
 * inode numbers can be made to collide on btrfs.
 */
#include "maps.bpf.h"

#define FUSE_SUPER_MAGIC 0x65735546
#define SMB_SUPER_MAGIC 0x517b
#define CIFS_SUPER_MAGIC 0xff534d42
#define SMB2_SUPER_MAGIC 0xfe534d42
#define OP_COMPARE 2			/* DCACHE_OP_COMPARE: the file system says which names are one */
#define CHANGE_NS 0x7fffffff		/* i_ctime_nsec without the "was read" flag that 6.13 put above */

/* Names are looked up by more than their bytes, here or at the server. */
static __always_inline int folds(struct file *file)
{
	__u32 magic = file->f_inode->i_sb->s_magic;

	return file->f_path.dentry->d_flags & OP_COMPARE || magic == SMB_SUPER_MAGIC ||
	       magic == CIFS_SUPER_MAGIC || magic == SMB2_SUPER_MAGIC;
}

SEC("iter/task_file")
int osh_inodes(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	__u32 fd = ctx->fd;
	struct osh_fd_inode *f;
	struct inode *inode;

	if (!file)
		return 0;
	f = bpf_map_lookup_elem(&fd_inodes, &fd);
	if (!f)
		return 0;
	inode = file->f_inode;
	f->mtime_s = inode->i_mtime_sec;
	f->mtime_ns = inode->i_mtime_nsec;
	f->ctime_s = inode->i_ctime_sec;
	f->ctime_ns = inode->i_ctime_nsec & CHANGE_NS;
	f->writers = inode->i_writecount.counter > 0;
	if (inode->i_sb->s_magic == FUSE_SUPER_MAGIC || inode->i_sb->s_user_ns->level)
		f->flags |= OSH_FD_USERS;
	if (folds(file))
		f->flags |= OSH_FD_FOLDS;
	f->inode = (__u64)inode;
	return 0;
}
