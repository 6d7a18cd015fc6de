// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Sockets and what comes through them, where LSM programs load. A unix socket is judged by who made it and
 * not by the name that leads there: a symbolic link, another mount and a hard link all end at the same
 * socket. What another process hands over is taken only where the sandbox could have come by it itself.
 */
#include "guard.bpf.h"

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define AF_NETLINK 16
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define UN_PATH 108			/* sizeof(sockaddr_un.sun_path) */
#define NAME_MAX_LOGGED 64

/* As seccomp.c lists them. */
static __always_inline int family_allowed(int family, int type, int protocol)
{
	if (family == AF_UNIX)
		return 1;
	if (family == AF_NETLINK)
		return !protocol && (type == SOCK_RAW || type == SOCK_DGRAM);	/* routes */
	if (family != AF_INET && family != AF_INET6)
		return 0;
	return (type == SOCK_STREAM && (!protocol || protocol == IPPROTO_TCP)) ||
	       (type == SOCK_DGRAM && (!protocol || protocol == IPPROTO_UDP));
}

SEC("lsm/socket_create")
int BPF_PROG(osh_socket, int family, int type, int protocol, int kern)
{
	struct ask q = { .kind = OSH_EV_SOCKET };

	if (kern || family_allowed(family, type, protocol) || !guarded_task(&q))
		return 0;
	q.aux = (__u32)family << 16 | ((__u32)type & 0xff) << 8 | ((__u32)protocol & 0xff);
	return decide(&q, OSH_WHY_FAMILY) == OSH_ALLOW ? 0 : -EACCES;
}

/* With the name that the socket was bound to, as whoever made it sees it. */
static __always_inline int refuse_peer(struct ask *q, struct sock *other)
{
	struct unix_address *addr = BPF_CORE_READ((struct unix_sock *)other, addr);
	char name[UN_PATH + 4] = "";
	__u32 len = 0;

	if (addr)
		len = BPF_CORE_READ(addr, len) - 2;	/* less sun_family */
	asm volatile("%0 &= 127" : "+r"(len));
	if (len > UN_PATH)
		len = UN_PATH;
	if (addr && len) {
		bpf_probe_read_kernel(name, len, (void *)addr + bpf_core_field_offset(struct unix_address, name) + 2);
		if (!name[0])
			name[0] = '@';
	}
	return decide_named(q, OSH_WHY_UNIX_PEER, name, UN_PATH, len) == OSH_ALLOW ? 0 : -EACCES;
}

SEC("lsm/unix_stream_connect")
int BPF_PROG(osh_unix_connect, struct sock *sock, struct sock *other)
{
	struct ask q = { .kind = OSH_EV_UNIX };

	if (!guarded_task(&q) || is_own_socket(&q, other))
		return 0;
	return refuse_peer(&q, other);
}

/*
 * Asked for each datagram, and for connect() of a datagram socket: a peer that is connected already was
 * judged then, or came connected from whoever started the sandbox.
 */
SEC("lsm/unix_may_send")
int BPF_PROG(osh_unix_send, struct socket *sock, struct socket *other)
{
	struct sock *sk = BPF_CORE_READ(sock, sk), *to = BPF_CORE_READ(other, sk);
	struct ask q = { .kind = OSH_EV_UNIX };

	if (BPF_CORE_READ((struct unix_sock *)sk, peer) == to)
		return 0;
	if (!guarded_task(&q) || is_own_socket(&q, to))
		return 0;
	return refuse_peer(&q, to);
}

/* ---- descriptors that are received ---- */

#define PIPEFS_MAGIC 0x50495045
#define SOCKFS_MAGIC 0x534f434b
#define ANON_INODE_FS_MAGIC 0x09041934
#define PID_FS_MAGIC 0x50494446
#define SECRETMEM_MAGIC 0x5345434d
#define TMPFS_MAGIC 0x01021994
#define MODE_EXECUTE 0111
#define ERRORS ((__u64)-4095)		/* pointers from here on are error numbers */

/* osh-init, which is given what the caller of a run or session hands to it. */
static __always_inline int is_starter(const struct ask *q)
{
	struct task_struct *t = q->t;

	return is_ns_init(t) && !is_fellow(q, BPF_CORE_READ(t, real_parent));
}

/* Kinds that hold nothing but themselves. */
static __always_inline int is_plain_anon(struct words w)
{
	return same_words(w, WORDS("[eventfd]")) || same_words(w, WORDS("[eventpoll]")) ||
	       same_words(w, WORDS("[timerfd]")) || same_words(w, WORDS("[signalfd]"));
}

/* Of a process of the sandbox. */
static __always_inline int is_own_pidfd(const struct ask *q, struct inode *inode)
{
	struct pid *pid = BPF_CORE_READ(inode, i_private);
	struct hlist_node *node;
	struct task_struct *t;

	if (!pid)
		return 0;
	node = BPF_CORE_READ(pid, tasks[0].first);	/* PIDTYPE_PID */
	if (!node)
		return 1;		/* it has ended: nobody is reached by it */
	t = (void *)node - bpf_core_field_offset(struct task_struct, pid_links);
	return is_fellow(q, t);
}

/* A file of the view: its mount is in the mount namespace that the sandbox began with. */
static __always_inline int is_in_view(const struct ask *q, struct mnt_namespace *ns)
{
	__u64 cgroup = q->sb->cgroup;
	__u32 *slot = bpf_map_lookup_elem(&by_cgroup, &cgroup);
	__u64 *view = slot ? bpf_map_lookup_elem(&views, slot) : NULL;

	return view && *view >> 32 == q->sb->id && BPF_CORE_READ(ns, ns.inum) == (__u32)*view;
}

static __always_inline int may_receive(const struct ask *q, struct file *file, struct inode *inode)
{
	struct vfsmount *mnt = BPF_CORE_READ(file, f_path.mnt);
	struct mount *m = (void *)mnt - bpf_core_field_offset(struct mount, mnt);
	struct mnt_namespace *ns = BPF_CORE_READ(m, mnt_ns);
	__u64 magic = BPF_CORE_READ(inode, i_sb, s_magic);
	struct socket *sock;

	if ((__u64)ns < ERRORS)		/* else it is a mount of the kernel's own; 0: of nobody any more */
		return ns && is_in_view(q, ns);
	switch (magic) {
	case PIPEFS_MAGIC:
	case SECRETMEM_MAGIC:
		return 1;
	case SOCKFS_MAGIC:
		sock = BPF_CORE_READ(file, private_data);
		return is_own_socket(q, BPF_CORE_READ(sock, sk));
	case ANON_INODE_FS_MAGIC:
		return is_plain_anon(words_of(BPF_CORE_READ(file, f_path.dentry, d_name.name)));
	case PID_FS_MAGIC:
		return is_own_pidfd(q, inode);
	case TMPFS_MAGIC:		/* memory without a name: under strict exec none that could be executed */
		return !(q->sb->flags & OSH_SB_STRICT) || !(BPF_CORE_READ(inode, i_mode) & MODE_EXECUTE);
	}
	return 0;
}

SEC("lsm/file_receive")
int BPF_PROG(osh_receive, struct file *file)
{
	struct ask q = { .kind = OSH_EV_FILE };
	char name[NAME_MAX_LOGGED] = "";
	long len;

	if (!guarded_task(&q) || is_starter(&q) || may_receive(&q, file, BPF_CORE_READ(file, f_inode)))
		return 0;
	len = bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(file, f_path.dentry, d_name.name));
	len = len > 0 ? len - 1 : 0;
	return decide_named(&q, OSH_WHY_RECEIVED, name, sizeof(name), len) == OSH_ALLOW ? 0 : -EPERM;
}
