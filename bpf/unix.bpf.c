// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Unix sockets by name. A network namespace separates abstract names but not pathnames: a socket of
 * the host that lies in a listed directory can be connected to. Runs on the sandbox's cgroup for
 * connect and for datagrams with an address; sees the caller's text and nothing of the socket.
 *
 * Allowed: abstract names; absolute names without "." ".." or "//" below the private trees /tmp,
 * /dev/shm and /sandbox, except below a host directory mounted there; exact names in `unix_allow`.
 *
 * What text cannot see: a symbolic link in a private tree to a host's socket in a listed directory
 * (/tmp/x -> /work/y.sock). What stops that is the view (the launcher refuses one that holds an
 * engine's socket), file permissions, and, where LSM programs live, who made the socket (peer.bpf.c).
 * Without them, a socket that some other program of the same user listens on inside a listed directory
 * is in reach of a sandbox that looks for it.
 */
#include "decide.bpf.h"

#define UN_PATH 108			/* sizeof(sockaddr_un.sun_path) */

static __always_inline __u32 listed_as(const struct osh_unix_key *key)
{
	__u32 *v = bpf_map_lookup_elem(&unix_allow, key);

	return v ? *v : 0;
}

/* verifier: few values, so that the states of the walk meet again; counters never would. */
enum part { PART_EMPTY, PART_DOT, PART_DOTS, PART_PLAIN };

/* A walk along the path; `key` holds the text so far, with zeros after it. */
struct walk {
	struct osh_unix_key key;
	const char *from;		/* the kernel's copy of the caller's address */
	__u32 n;			/* bytes there */
	__u32 len;			/* of the text, at the end */
	__u32 part;			/* component so far, enum part */
	__u32 odd;			/* an empty, "." or ".." component: it is not where it seems */
	__u32 outside;			/* a directory on the way is a mount of the host's */
};

static long walk_step(__u32 i, struct walk *w)
{
	char c = 0;

	if (i < w->n && bpf_probe_read_kernel(&c, 1, w->from + i))
		w->odd = 1;
	if (c && c != '/' && i < UN_PATH) {
		w->part = c == '.' && w->part < PART_DOTS ? w->part + 1 : PART_PLAIN;
		w->key.path[i] = c;
		return 0;
	}
	if (i && w->part != PART_PLAIN)
		w->odd = 1;
	if (!c || i >= UN_PATH) {
		w->len = i;
		return 1;
	}
	if (i && listed_as(&w->key) == OSH_UNIX_OUTSIDE)
		w->outside = 1;
	bpf_probe_read_kernel(w->key.path + i, 1, &c);	/* not by a store: see walk_clear() */
	w->part = PART_EMPTY;
	return 0;
}

/*
 * Below /tmp, /dev/shm or /sandbox, which are the sandbox's own? verifier: whole words; a loop over
 * bytes with early exits multiplies the paths through all that comes after it.
 */
static __always_inline int is_private(const char *path)
{
	__u64 head, tmp = 0, shm, home;

	__builtin_memcpy(&head, path, 8);
	__builtin_memcpy(&tmp, "/tmp/", 5);
	__builtin_memcpy(&shm, "/dev/shm", 8);
	__builtin_memcpy(&home, "/sandbox", 8);
	if ((head & 0xffffffffffull) == tmp)	/* little endian: the first five bytes */
		return 1;
	return (head == shm || head == home) && path[8] == '/';
}

static __always_inline __u32 judge_path(struct walk *w)
{
	const char *path = w->key.path;

	bpf_loop(UN_PATH + 1, walk_step, w, 0);
	if (path[0] != '/' || w->odd)
		return OSH_WHY_UNIX_PATH;
	if (listed_as(&w->key) == OSH_UNIX_LISTED)
		return OSH_WHY_ALLOWED;
	return !w->outside && is_private(path) ? OSH_WHY_ALLOWED : OSH_WHY_UNIX_PATH;
}

/*
 * verifier of Linux 6.18.15 and 6.19: it keeps the value that a program stored at a fixed place of the stack, and when a byte of
 * that word is then written by an index, it lets nobody read the word any more. It keeps nothing of what a helper
 * writes; and what this one cannot read is zero.
 */
static __always_inline void walk_clear(struct walk *w)
{
	bpf_probe_read_kernel(w, sizeof(*w), NULL);
}

static __always_inline int hook_unix(struct bpf_sock_addr *ctx)
{
	struct bpf_sock_addr_kern *kern = (void *)ctx;
	struct ask q = { .kind = OSH_EV_UNIX };
	struct walk w;
	__u32 why;
	char c;

	/*
	 * The context that programs see holds nothing of a unix address; the kernel's struct, at the same
	 * place, does. Read, not cast by a kfunc: libbpf 1.1 cannot link two objects that use the same one.
	 */
	walk_clear(&w);
	w.n = BPF_CORE_READ(kern, uaddrlen) - 2;	/* less sun_family; shorter ones came no further */
	w.from = (const char *)BPF_CORE_READ(kern, uaddr) + 2;
	ask_subject(&q);
	if (w.n > UN_PATH || bpf_probe_read_kernel(&c, 1, w.from))
		return cgroup_ret(decide(&q, OSH_WHY_INTERNAL));
	if (!c)
		return 1;		/* abstract: exists inside the sandbox's namespace alone */
	if (!q.sb)
		return cgroup_ret(decide(&q, OSH_WHY_NO_SANDBOX));
	w.key.id = q.sb->id;
	w.key.generation = q.generation;
	why = judge_path(&w);
	return cgroup_ret(decide_named(&q, why, w.key.path, UN_PATH, w.len));
}

SEC("cgroup/connect_unix")
int osh_connect_unix(struct bpf_sock_addr *ctx)
{
	return hook_unix(ctx);
}

SEC("cgroup/sendmsg_unix")
int osh_sendmsg_unix(struct bpf_sock_addr *ctx)
{
	return hook_unix(ctx);
}

char LICENSE[] SEC("license") = "GPL";
