// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * `filesystem_policy.deny`, where the kernel loads LSM programs: what it names inside writable trees is
 * read and never written, made, removed, renamed, linked or changed in mode, owner, times or attributes.
 * Landlock and the mount view say what may be written at all; this only takes away.
 *
 * Nothing may become a way around an entry either. Where a denied path leads through a name, only a
 * directory may be made there: a symbolic link (or a file, which some programs follow) would lead the
 * host's programs elsewhere by that name. Opens for reading return at once.
 */
#include "deny.bpf.h"

#define EPERM 1
#define FMODE_WRITE 2

/* How a path is used. */
#define USE_MAKE HIT_LITERAL		/* what is made, or comes there, is no directory */
#define USE_MAKE_LINK (HIT_LITERAL | HIT_ANY)

static __always_inline int lsm_ret(__u32 verdict)
{
	return verdict == OSH_DENY ? -EPERM : 0;
}

/* The sandbox of the running task, where it has entries at all. */
static __always_inline int guarded(struct ask *q)
{
	ask_subject(q);
	return q->sb && q->sb->flags & OSH_SB_DENY;
}

static __always_inline struct deny_walk *walk_begin(const struct ask *q)
{
	struct deny_walk *w = walk_of_task(BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (w)
		w->id = q->sb->id;
	return w;
}

/* A name in front of the text that is there. What has no room is left out: the text is for people. */
static long text_step(__u32 i, struct up *u)
{
	struct deny_walk *w = u->w;
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

static __always_inline void text_root(struct deny_walk *w)
{
	struct osh_deny_inode_key key = { .inode = w->root, .id = w->id };
	struct osh_deny_root *root = bpf_map_lookup_elem(&deny_roots, &key);
	__u32 len, pos = w->pos;

	if (!root)
		return;
	len = root->len;
	asm volatile("%0 &= 255" : "+r"(len));
	if (pos >= OSH_PATH_MAX || pos < len)
		return;
	pos -= len;
	asm volatile("%0 &= 255" : "+r"(pos));
	if (!bpf_probe_read_kernel(w->text + pos, len, root->path))
		w->pos = pos;
}

/* The denial on record, with the path as far as it fits. */
__u32 deny_record(__u32 why)
{
	struct ask q = { .kind = OSH_EV_FILE };
	struct up u = { .w = walk_of_task(0) };
	struct deny_walk *w = u.w;
	__u32 pos, len;

	ask_subject(&q);
	if (!w)
		return decide(&q, why);
	w->pos = OSH_PATH_MAX - 1;
	bpf_loop(OSH_DENY_DEPTH, text_step, &u, 0);
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

/* w->leaf: enum osh_verdict. `use`: what may not be there on the way to a denied path. */
__u32 deny_judge(__u32 use)
{
	struct deny_walk *w = walk_of_task(0);
	__u32 why;

	if (!w)
		return deny_record(OSH_WHY_INTERNAL);
	why = deny_look(w->leaf);
	if (!why && w->hit & use)
		why = OSH_WHY_FILE_DENIED;
	return why ? deny_record(why) : OSH_ALLOW;
}

/* What holds below a directory is the same by its old name (w->other) and by its new one (w->leaf). */
__u32 deny_judge_move(__u32 unused)
{
	struct deny_walk *w = walk_of_task(0);
	__u32 why, near;

	if (!w)
		return deny_record(OSH_WHY_INTERNAL);
	why = deny_look(w->leaf);
	if (why)
		return deny_record(why);
	for (int k = 0; k < OSH_DENY_WORDS; k++)
		w->was[k] = w->live[k];
	near = w->near;
	why = deny_look(w->other);
	if (!w->near)
		w->near = near;
	for (int k = 0; k < OSH_DENY_WORDS; k++)
		if (!why && w->was[k] != w->live[k])
			why = OSH_WHY_FILE_DENIED;
	return why ? deny_record(why) : OSH_ALLOW;
}

/* Most tasks are in no sandbox, and most sandboxes have no entries. */
static __always_inline int judge(struct dentry *d, __u32 use)
{
	struct ask q = { .kind = OSH_EV_FILE };
	struct deny_walk *w;

	if (!guarded(&q))
		return 0;
	w = walk_begin(&q);
	if (w)
		w->leaf = (__u64)d;
	return lsm_ret(w ? deny_judge(use) : deny_record(OSH_WHY_INTERNAL));
}

static __always_inline int judge_move(struct dentry *old, struct dentry *new)
{
	struct ask q = { .kind = OSH_EV_FILE };
	struct deny_walk *w;

	if (!guarded(&q))
		return 0;
	w = walk_begin(&q);
	if (w) {
		w->leaf = (__u64)new;
		w->other = (__u64)old;
	}
	return lsm_ret(w ? deny_judge_move(0) : deny_record(OSH_WHY_INTERNAL));
}

SEC("lsm/file_open")
int BPF_PROG(osh_file_open, struct file *file, int ret)
{
	if (ret || !(file->f_mode & FMODE_WRITE))
		return ret;		/* an earlier module refused already, or it is read */
	return judge(file->f_path.dentry, 0);
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

#define S_IFMT 0170000
#define S_IFDIR 0040000
#define S_IFLNK 0120000

static __always_inline __u32 type_of(struct dentry *d)
{
	return BPF_CORE_READ(d, d_inode, i_mode) & S_IFMT;
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
	return ret ? ret : judge(dentry, 0);
}

SEC("lsm/inode_setxattr")
int BPF_PROG(osh_setxattr, struct mnt_idmap *idmap, struct dentry *dentry, const char *name,
	     const void *value, size_t size, int flags, int ret)
{
	return ret ? ret : judge(dentry, 0);
}

SEC("lsm/inode_removexattr")
int BPF_PROG(osh_removexattr, struct mnt_idmap *idmap, struct dentry *dentry, const char *name, int ret)
{
	return ret ? ret : judge(dentry, 0);
}

SEC("lsm/inode_set_acl")
int BPF_PROG(osh_set_acl, struct mnt_idmap *idmap, struct dentry *dentry, const char *name,
	     struct posix_acl *acl, int ret)
{
	return ret ? ret : judge(dentry, 0);
}

SEC("lsm/inode_remove_acl")
int BPF_PROG(osh_remove_acl, struct mnt_idmap *idmap, struct dentry *dentry, const char *name, int ret)
{
	return ret ? ret : judge(dentry, 0);
}

/*
 * Of no row: run by tests over their own descriptors, on kernels that load no LSM programs too. What the entries
 * say of what is open comes back in `fd_inodes`: inode = 1 + reason, flags = hits.
 */
SEC("iter/task_file")
int osh_deny_probe(struct bpf_iter__task_file *ctx)
{
	struct ask q = { .kind = OSH_EV_FILE };
	struct file *file = ctx->file;
	struct osh_fd_inode *f;
	struct deny_walk *w;
	__u32 fd = ctx->fd;

	if (!file || !guarded(&q))
		return 0;
	f = bpf_map_lookup_elem(&fd_inodes, &fd);
	w = walk_begin(&q);
	if (!f || !w)
		return 0;
	w->leaf = (__u64)file->f_path.dentry;
	barrier();			/* verifier: a number comes back, not the pointer */
	f->inode = 1 + deny_look(*(volatile __u64 *)&w->leaf);
	f->flags = w->hit;
	return 0;
}
