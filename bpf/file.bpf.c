// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * `filesystem_policy.deny`, where the kernel loads LSM programs: what it names inside writable trees is
 * read and never written, made, removed, renamed, linked or changed in mode, owner, times, attributes or flags.
 * Landlock and the mount view say what may be written at all; this only takes away. The same hooks keep what is for
 * some programs only (reserved.bpf.h).
 *
 * Nothing may become a way around an entry either. Where a denied path leads through a name, only a
 * directory may be made there: a symbolic link (or a file, which some programs follow) would lead the
 * host's programs elsewhere by that name. Opens for reading return at once where no path is for some programs only.
 */
#include "deny.bpf.h"
#include "reserved.bpf.h"

#define EPERM 1
#define FMODE_WRITE 2
#define S_IFMT 0170000
#define S_IFREG 0100000
#define S_IFDIR 0040000
#define S_IFLNK 0120000

/* How a path is used. */
#define USE_MAKE HIT_LITERAL		/* what is made, or comes there, is no directory */
#define USE_MAKE_LINK (HIT_LITERAL | HIT_ANY)
#define USE_CHANGE 4u			/* what is there is changed, by whatever name */

static __always_inline __u32 type_of(struct dentry *d)
{
	struct inode *inode = d->d_inode;

	return inode ? inode->i_mode & S_IFMT : 0;	/* verifier of 7.x: it may be none */
}

static __always_inline int has_names(struct dentry *d)
{
	struct inode *inode = d->d_inode;

	return inode && (inode->i_mode & S_IFMT) == S_IFREG && inode->i_nlink > 1;
}

static __always_inline int lsm_ret(__u32 verdict)
{
	asm volatile("" : "+r"(verdict));	/* verifier: clang would reckon "verdict - 1" */
	return verdict == OSH_DENY ? -EPERM : 0;
}

/*
 * The sandbox of the running task, where it has entries of `deny` at all. By the cgroup alone, which every task of a
 * sandbox is in for its life: most tasks are outside, and each look-up is theirs to pay. Who it is, is asked when it matters.
 */
static __always_inline int guarded(struct ask *q)
{
	struct task_struct *t = bpf_get_current_task_btf();

	q->sb = sandbox_by_cgroup(&by_cgroup, t->cgroups->dfl_cgrp->kn->id);
	return q->sb && q->sb->flags & OSH_SB_DENY;
}

/* ..., or paths that are for some programs only. */
static __always_inline int has_entries(struct ask *q)
{
	return guarded(q) || has_reserved(q);
}

static __always_inline struct deny_walk *walk_begin(const struct ask *q)
{
	struct deny_walk *w = walk_of_task(BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (w) {
		w->id = q->sb->id;
		w->slot = q->sb->slot;
	}
	return w;
}

/* A name in front of the text that is there. What has no room is left out: the text is for people. */
static long text_step(__u32 i, struct deny_walk **at)
{
	struct deny_walk *w = *at;
	__u32 len, pos = w->pos;
	struct dentry *d;

	if (i >= w->n)
		return 1;
	asm volatile("%0 &= 127" : "+r"(i));
	d = (void *)w->at[i];
	len = BPF_CORE_READ(d, d_name.len);
	asm volatile("%0 &= 255" : "+r"(len));
	if (pos >= OSH_PATH_MAX || pos < len + 1)
		return 1;
	pos -= len + 1;
	asm volatile("%0 &= 255" : "+r"(pos));
	w->text[pos] = '/';
	if (bpf_probe_read_kernel(w->text + pos + 1, len, BPF_CORE_READ(d, d_name.name)))
		return 1;
	w->pos = pos;
	return 0;
}

static __always_inline void text_before(struct deny_walk *w, const char *path, __u32 len)
{
	__u32 pos = w->pos;

	asm volatile("%0 &= 255" : "+r"(len));
	if (pos >= OSH_PATH_MAX || pos < len)
		return;
	pos -= len;
	asm volatile("%0 &= 255" : "+r"(pos));
	if (!bpf_probe_read_kernel(w->text + pos, len, path))
		w->pos = pos;
}

static __always_inline void text_root(struct deny_walk *w)
{
	struct osh_deny_inode_key key = { .inode = w->root, .id = w->id };
	struct osh_reserved_key other = { .inode = w->root, .id = w->id };
	struct osh_deny_root *root = bpf_map_lookup_elem(&deny_roots, &key);
	struct osh_reserved *entry = root ? NULL : bpf_map_lookup_elem(&reserved, &other);

	if (root)
		text_before(w, root->path, root->len);
	else if (entry)
		text_before(w, entry->path, entry->len);
}

/* The denial on record, with the path as far as it fits. */
__u32 deny_record(struct deny_walk *w, __u32 why)
{
	struct ask q = { .kind = OSH_EV_FILE };
	struct deny_walk *at = w;
	__u32 pos, len;

	ask_subject(&q);
	if (!w)
		return decide(&q, why);
	w->pos = OSH_PATH_MAX - 1;
	bpf_loop(OSH_DENY_DEPTH, text_step, &at, 0);
	text_root(w);
	pos = w->pos;
	asm volatile("%0 &= 255" : "+r"(pos));
	len = OSH_PATH_MAX - 1 - pos;
	for (int k = 0; k < OSH_PATH_MAX / 8; k++)
		w->name[k] = 0;
	asm volatile("%0 &= 255" : "+r"(len));
	bpf_probe_read_kernel(w->name, len, w->text + pos);
	q.aux = w->row ? w->row : w->near;
	return decide_named(&q, why, (const char *)w->name, OSH_PATH_MAX, len);
}

/* What the entries say, and why. `use`: what may not be there on the way to a denied path. */
static __always_inline __u32 deny_why(struct deny_walk *w, struct dentry *d, __u32 use)
{
	struct osh_deny *t = deny_table(w);
	__u32 why;

	if (!t)
		return 0;		/* no tree is entered yet: osh-launch's child builds the view */
	why = deny_look(w, t, d);
	if (!why && w->hit & use)
		why = OSH_WHY_FILE_DENIED;
	/* Several names, and not all denied files that have them are known by their inode. */
	if (!why && use & USE_CHANGE && t->linked && has_names(d))
		why = OSH_WHY_FILE_LINKED;
	return why;
}

/* What holds below a directory is the same by its old name and by its new one. */
static __always_inline __u32 deny_why_move(struct deny_walk *w, struct dentry *old, struct dentry *new)
{
	struct osh_deny *t = deny_table(w);
	__u32 why, near;

	if (!t)
		return 0;		/* no tree is entered yet: osh-launch's child builds the view */
	why = deny_look(w, t, new);
	if (why)
		return why;
	for (int k = 0; k < OSH_DENY_WORDS; k++)
		w->was[k] = w->live[k];
	near = w->near;
	why = deny_look(w, t, old);
	if (!w->near)
		w->near = near;
	for (int k = 0; k < OSH_DENY_WORDS; k++)
		if (!why && w->was[k] != w->live[k])
			why = OSH_WHY_FILE_DENIED;
	return why;
}

/* Most calls are in a directory that the task has been in. Most tasks are in no sandbox, and most sandboxes have no entries. */
static __always_inline int judge(struct dentry *d, __u32 use)
{
	struct deny_walk *w = walk_of_task(0);
	struct ask q = { .kind = OSH_EV_FILE };
	__u32 why = 0;

	if ((w && quick_allows(w, d)) || !has_entries(&q))
		return 0;
	w = walk_begin(&q);
	if (!w)
		return lsm_ret(deny_record(NULL, OSH_WHY_INTERNAL));
	if (has_reserved(&q))
		why = reserved_why(w, number_of(w, d), 1);
	if (!why && q.sb->flags & OSH_SB_DENY)
		why = deny_why(w, d, use);
	return why ? lsm_ret(deny_record(w, why)) : 0;
}

static __always_inline int judge_move(struct dentry *old, struct dentry *new)
{
	struct ask q = { .kind = OSH_EV_FILE };
	struct deny_walk *w;
	__u32 why = 0;

	if (!has_entries(&q))
		return 0;
	w = walk_begin(&q);
	if (!w)
		return lsm_ret(deny_record(NULL, OSH_WHY_INTERNAL));
	if (has_reserved(&q)) {
		why = reserved_why(w, number_of(w, old), 1);
		if (!why)
			why = reserved_why(w, number_of(w, new), 1);
	}
	if (!why && q.sb->flags & OSH_SB_DENY)
		why = deny_why_move(w, old, new);
	return why ? lsm_ret(deny_record(w, why)) : 0;
}

static __always_inline int judge_read(struct dentry *d)
{
	struct ask q = { .kind = OSH_EV_FILE };
	struct deny_walk *w;
	__u32 why;

	if (!reserved_anywhere())
		return 0;
	(void)guarded(&q);
	if (!has_reserved(&q))
		return 0;
	w = walk_begin(&q);
	why = w ? reserved_why(w, number_of(w, d), 0) : OSH_WHY_INTERNAL;
	return why ? lsm_ret(deny_record(w, why)) : 0;
}

SEC("lsm/file_open")
int BPF_PROG(osh_file_open, struct file *file, int ret)
{
	if (ret)
		return ret;		/* an earlier module refused already */
	if (!(file->f_mode & FMODE_WRITE))
		return judge_read(file->f_path.dentry);
	return judge(file->f_path.dentry, USE_CHANGE);
}

SEC("lsm/inode_create")
int BPF_PROG(osh_create, struct inode *dir, struct dentry *dentry, umode_t mode, int ret)
{
	return ret ? ret : judge(dentry, USE_MAKE);
}

SEC("lsm/inode_mknod")
int BPF_PROG(osh_mknod, struct inode *dir, struct dentry *dentry, umode_t mode, dev_t dev, int ret)
{
	return ret ? ret : judge(dentry, USE_MAKE);
}

SEC("lsm/inode_symlink")
int BPF_PROG(osh_symlink, struct inode *dir, struct dentry *dentry, const char *name, int ret)
{
	return ret ? ret : judge(dentry, USE_MAKE_LINK);
}

SEC("lsm/inode_mkdir")
int BPF_PROG(osh_mkdir, struct inode *dir, struct dentry *dentry, umode_t mode, int ret)
{
	return ret ? ret : judge(dentry, 0);
}

SEC("lsm/inode_unlink")
int BPF_PROG(osh_unlink, struct inode *dir, struct dentry *dentry, int ret)
{
	return ret ? ret : judge(dentry, 0);
}

SEC("lsm/inode_rmdir")
int BPF_PROG(osh_rmdir, struct inode *dir, struct dentry *dentry, int ret)
{
	return ret ? ret : judge(dentry, 0);
}


SEC("lsm/inode_link")
int BPF_PROG(osh_link, struct dentry *old, struct inode *dir, struct dentry *new, int ret)
{
	if (!ret)
		ret = judge(old, 0);
	if (!ret)
		ret = judge(new, type_of(old) == S_IFLNK ? USE_MAKE_LINK : USE_MAKE);
	return ret;
}

/* An exchange of two names is asked about both ways. */
SEC("lsm/inode_rename")
int BPF_PROG(osh_rename, struct inode *old_dir, struct dentry *old, struct inode *new_dir,
	     struct dentry *new, int ret)
{
	__u32 type;

	if (ret)
		return ret;
	type = type_of(old);
	if (type == S_IFDIR)
		return judge_move(old, new);
	ret = judge(old, 0);
	return ret ? ret : judge(new, type == S_IFLNK ? USE_MAKE_LINK : USE_MAKE);
}

SEC("lsm/inode_setattr")
int BPF_PROG(osh_setattr, struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr, int ret)
{
	return ret ? ret : judge(dentry, USE_CHANGE);
}

SEC("lsm/inode_setxattr")
int BPF_PROG(osh_setxattr, struct mnt_idmap *idmap, struct dentry *dentry, const char *name,
	     const void *value, size_t size, int flags, int ret)
{
	return ret ? ret : judge(dentry, USE_CHANGE);
}

SEC("lsm/inode_removexattr")
int BPF_PROG(osh_removexattr, struct mnt_idmap *idmap, struct dentry *dentry, const char *name, int ret)
{
	return ret ? ret : judge(dentry, USE_CHANGE);
}

SEC("lsm/inode_set_acl")
int BPF_PROG(osh_set_acl, struct mnt_idmap *idmap, struct dentry *dentry, const char *name,
	     struct posix_acl *acl, int ret)
{
	return ret ? ret : judge(dentry, USE_CHANGE);
}

SEC("lsm/inode_remove_acl")
int BPF_PROG(osh_remove_acl, struct mnt_idmap *idmap, struct dentry *dentry, const char *name, int ret)
{
	return ret ? ret : judge(dentry, USE_CHANGE);
}

/* Flags and project by a path, with no descriptor that an open was asked for: file_setattr(2), Linux 6.17. */
SEC("lsm/inode_file_setattr")
int BPF_PROG(osh_file_setattr, struct dentry *dentry, void *attr, int ret)
{
	return ret ? ret : judge(dentry, USE_CHANGE);
}

/* What only asks, of the system calls that change what no other hook sees: flags, attributes, verity, encryption. */
static __always_inline int ioctl_asks(__u32 cmd)
{
	switch (cmd) {
	case 0x5401:			/* TCGETS: is it a terminal? */
	case 0x541b:			/* FIONREAD */
	case 0x5421: case 0x5450: case 0x5451: case 0x5452: case 0x5460:	/* FIONBIO, FIO*CLEX, FIOASYNC, FIOQSIZE */
	case 0x0002: case 0xc020660b:	/* FIGETBSZ, FS_IOC_FIEMAP */
	case 0x80086601: case 0x80046601: case 0x80087601: case 0x80047601:	/* FS_IOC_GETFLAGS, FS_IOC_GETVERSION */
	case 0x801c581f:		/* FS_IOC_FSGETXATTR */
	case 0xc0046686: case 0xc0286687:	/* FS_IOC_MEASURE_VERITY, FS_IOC_READ_VERITY_METADATA */
	case 0x400c6615: case 0xc0096616:	/* FS_IOC_GET_ENCRYPTION_POLICY, _EX */
	case 0xc0189436:		/* FIDEDUPERANGE: bytes that are the same already */
		return 1;
	}
	return 0;
}

/* They make, copy and remove trees past the hooks that judge names: nowhere in a sandbox that has entries. */
static __always_inline int ioctl_makes_trees(__u32 cmd)
{
	__u32 nr = cmd & 0xff;

	return (cmd & 0xff00) == 0x9400 && (nr == 1 || nr == 14 || nr == 15 || nr == 23 || nr == 24 || nr == 63);
}

static __always_inline int judge_ioctl(struct file *file, __u32 cmd)
{
	struct dentry *d = file->f_path.dentry;
	__u32 type = type_of(d);

	if (type != S_IFREG && type != S_IFDIR)
		return 0;
	if (ioctl_makes_trees(cmd)) {
		struct ask q = { .kind = OSH_EV_FILE };

		return has_entries(&q) ? lsm_ret(deny_record(NULL, OSH_WHY_FILE_DENIED)) : 0;
	}
	return ioctl_asks(cmd) ? 0 : judge(d, USE_CHANGE);
}

SEC("lsm/file_ioctl")
int BPF_PROG(osh_ioctl, struct file *file, unsigned int cmd, unsigned long arg, int ret)
{
	return ret ? ret : judge_ioctl(file, cmd);
}

SEC("lsm/file_ioctl_compat")
int BPF_PROG(osh_ioctl_compat, struct file *file, unsigned int cmd, unsigned long arg, int ret)
{
	return ret ? ret : judge_ioctl(file, cmd);
}

/* Asked last of an inode that nobody has any more. Its memory may be another directory's from then on (known.bpf.h). */
SEC("lsm/inode_free_security")
int BPF_PROG(osh_inode_gone, struct inode *inode)
{
	__u64 *gone = dirs_gone_count();

	if (gone && *(volatile __u64 *)gone && (inode->i_mode & S_IFMT) == S_IFDIR)
		__sync_fetch_and_add(gone, 1);
	return 0;
}

/*
 * Of no row: run by tests over their own descriptors, on kernels that load no LSM programs too. What the entries
 * say of what is open comes back in `fd_inodes`: inode = 1 + reason, where both ways agree, and flags = 1 where the
 * quick way allows it as well, which is less.
 */
SEC("iter/task_file")
int osh_deny_probe(struct bpf_iter__task_file *ctx)
{
	struct ask q = { .kind = OSH_EV_FILE };
	struct file *file = ctx->file;
	struct osh_fd_inode *f;
	struct deny_walk *w;
	struct osh_deny *t;
	__u32 fd = ctx->fd, why, hit, row, quick;

	if (!file || !guarded(&q))
		return 0;
	f = bpf_map_lookup_elem(&fd_inodes, &fd);
	w = walk_begin(&q);
	t = w ? deny_table(w) : NULL;
	if (!f || !w || !t)
		return 0;
	quick = quick_allows(w, file->f_path.dentry);
	why = deny_look(w, t, file->f_path.dentry);
	hit = w->hit;
	row = w->row;
	if (deny_slow(w, t, number_of(w, file->f_path.dentry)) == LOOK_DONE && w->hit == hit && w->row == row &&
	    !(quick && (why || hit))) {
		f->inode = 1 + why;
		f->flags = quick;
	}
	return 0;
}

/* Likewise for paths that are for some programs: inode = 1 + reason for reading, mtime_s the same for writing. */
SEC("iter/task_file")
int osh_reserved_probe(struct bpf_iter__task_file *ctx)
{
	struct ask q = { .kind = OSH_EV_FILE };
	struct file *file = ctx->file;
	struct osh_fd_inode *f;
	struct deny_walk *w;
	__u32 fd = ctx->fd;

	if (!file)
		return 0;
	ask_subject(&q);
	if (!has_reserved(&q))
		return 0;
	f = bpf_map_lookup_elem(&fd_inodes, &fd);
	w = walk_begin(&q);
	if (!f || !w)
		return 0;
	f->inode = 1 + reserved_why(w, number_of(w, file->f_path.dentry), 0);
	f->mtime_s = 1 + reserved_why(w, number_of(w, file->f_path.dentry), 1);
	return 0;
}
