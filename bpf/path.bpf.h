/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Where a file is, read from dentries and mounts up to the top of the mount namespace; never from
 * text that the caller of execve chose. Says as well whether the sandbox could have changed that
 * text. Run in tp_btf programs, where bpf_d_path is refused.
 */
#pragma once

#include "maps.bpf.h"

#define PATH_STEPS 192			/* components and mount crossings; a deeper path has no text */
#define PATH_BUF (2 * OSH_PATH_MAX)	/* verifier: offset and length are each below OSH_PATH_MAX */
#define MOUNT_READONLY 0x40		/* MNT_READONLY */
#define SUPER_READONLY 1		/* SB_RDONLY */

enum path_state {
	PATH_NONE = 0,			/* detached, deleted, foreign, too long or too deep */
	PATH_SOFT,			/* the sandbox can write the file or rename a directory above it */
	PATH_FIRM,			/* read-only from the file to the top */
};

struct path_walk {
	struct dentry *dentry;
	struct mount *mount;
	struct mnt_namespace *ns;	/* every mount on the way must belong to it */
	char *buf;			/* PATH_BUF bytes, filled from OSH_PATH_MAX - 1 downwards */
	__u32 pos;
	__u32 writable;			/* current mount */
	__u32 crossed;			/* dentry is a mount point: busy, so nobody renames it */
	__u32 state;
};

static __always_inline struct mount *path_mount(struct vfsmount *mnt)
{
	return (void *)mnt - bpf_core_field_offset(struct mount, mnt);
}

static __always_inline __u32 path_writable(struct mount *m)
{
	if (BPF_CORE_READ(m, mnt.mnt_flags) & MOUNT_READONLY)
		return 0;
	return !(BPF_CORE_READ(m, mnt.mnt_sb, s_flags) & SUPER_READONLY);
}

/* From the root of a mount to the dentry that it covers. 1 = stop. */
static __always_inline long path_cross(struct path_walk *w)
{
	struct mount *m = w->mount, *parent = BPF_CORE_READ(m, mnt_parent);

	if (parent == m)
		return 1;		/* top: the text is complete */
	w->dentry = BPF_CORE_READ(m, mnt_mountpoint);
	w->mount = parent;
	w->crossed = 1;
	if (BPF_CORE_READ(parent, mnt_ns) != w->ns) {
		w->state = PATH_NONE;
		return 1;
	}
	w->writable = path_writable(parent);
	return 0;
}

static __always_inline int path_prepend(struct path_walk *w, struct dentry *d)
{
	__u32 len = BPF_CORE_READ(d, d_name.len), pos = w->pos;
	const unsigned char *name = BPF_CORE_READ(d, d_name.name);

	if (!len || len >= OSH_PATH_MAX || pos >= OSH_PATH_MAX || pos < len + 1)
		return -1;
	pos -= len + 1;
	asm volatile("%0 &= 255" : "+r"(pos));	/* verifier: clang drops a mask written in C */
	asm volatile("%0 &= 255" : "+r"(len));
	w->buf[pos] = '/';
	if (bpf_probe_read_kernel(w->buf + pos + 1, len, name))
		return -1;
	w->pos = pos;
	return 0;
}

static long path_step(__u32 i, struct path_walk *w)
{
	struct dentry *d = w->dentry, *parent = BPF_CORE_READ(d, d_parent);
	struct mount *m = w->mount;

	if (d == BPF_CORE_READ(m, mnt.mnt_root))
		return path_cross(w);
	/* A root below no mount, a name that is no longer in its directory, or text too long. */
	if (d == parent || !BPF_CORE_READ(d, d_hash.pprev) || path_prepend(w, d)) {
		w->state = PATH_NONE;
		return 1;
	}
	if (w->writable && !w->crossed)
		w->state = PATH_SOFT;
	w->crossed = 0;
	w->dentry = parent;
	return 0;
}

/*
 * Writes the path of `file` to text[OSH_PATH_MAX], NUL padded, aligned; `buf` is PATH_BUF bytes of scratch,
 * `ns` the mount namespace of the sandbox. PATH_NONE leaves the length 0.
 */
static __always_inline __u32 path_of(struct file *file, struct mnt_namespace *ns, char *buf, char *text,
				     __u32 *ret_len)
{
	struct mount *m = path_mount(BPF_CORE_READ(file, f_path.mnt));
	struct path_walk w = {
		.dentry = BPF_CORE_READ(file, f_path.dentry), .mount = m, .ns = ns,
		.buf = buf, .pos = OSH_PATH_MAX - 1, .state = PATH_FIRM,
	};
	__u32 len, pos;

	for (int i = 0; i < OSH_PATH_MAX / 8; i++)
		((__u64 *)text)[i] = 0;
	if (!ns || BPF_CORE_READ(m, mnt_ns) != ns)
		return PATH_NONE;
	w.writable = path_writable(m);
	if (bpf_loop(PATH_STEPS, path_step, &w, 0) >= PATH_STEPS)
		return PATH_NONE;
	pos = w.pos;
	if (w.state == PATH_NONE || pos >= OSH_PATH_MAX - 1)
		return PATH_NONE;
	len = OSH_PATH_MAX - 1 - pos;
	asm volatile("%0 &= 255" : "+r"(pos));
	asm volatile("%0 &= 255" : "+r"(len));
	if (bpf_probe_read_kernel(text, len, buf + pos))
		return PATH_NONE;
	*ret_len = len;
	return w.state;
}

/*
 * For people alone: the path below the top of the mount's namespace, whoever may change it. A path that has no room has its
 * end here, and a file without a name in its directory what it was called, both without '/' in front. `text` and `buf` as
 * above. Returns the length.
 */
static __always_inline __u32 path_text(struct dentry *d, struct vfsmount *mnt, char *buf, char *text)
{
	struct mount *m = path_mount(mnt);
	struct path_walk w = {
		.dentry = d, .mount = m, .ns = BPF_CORE_READ(m, mnt_ns), .buf = buf, .pos = OSH_PATH_MAX - 1, .state = PATH_FIRM,
	};
	long whole = bpf_loop(PATH_STEPS, path_step, &w, 0) < PATH_STEPS && w.state != PATH_NONE;
	__u32 pos = w.pos, len;

	for (int i = 0; i < OSH_PATH_MAX / 8; i++)
		((__u64 *)text)[i] = 0;
	if (pos >= OSH_PATH_MAX - 1) {
		text[0] = '/';
		if (whole)
			return 1;	/* the top itself */
		len = bpf_probe_read_kernel_str(text, OSH_PATH_MAX, BPF_CORE_READ(d, d_name.name));
		return len - 1;
	}
	if (!whole)
		pos++;
	len = OSH_PATH_MAX - 1 - pos;
	asm volatile("%0 &= 255" : "+r"(pos));	/* verifier: clang drops a mask written in C */
	asm volatile("%0 &= 255" : "+r"(len));
	return bpf_probe_read_kernel(text, len, buf + pos) ? 0 : len;
}
