// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * What a sandbox may do with IP sockets: connect (host x port x program), send datagrams, bind,
 * create. Runs on the sandbox's cgroup, for its own tasks and for nobody else; trusts the maps that
 * the loader filled. A connection that is allowed leaves with the mark of who asked; the egress judges
 * every connection again by its mark, so a path around these hooks ends at a closed door.
 */
#include "decide.bpf.h"
#include "program.bpf.h"

#define AF_INET 2
#define AF_INET6 10
#define SOL_SOCKET 1
#define SO_MARK 36

#define NEIGHBOURS 8			/* programs of others on the same hook, at most, before ours */
#define V4_MAPPED bpf_htonl(0xffff)	/* third word of ::ffff:a.b.c.d */

/* Words of an IPv6 address, v4 as v4-mapped. */
struct dest {
	__u32 a[4];
};

static __always_inline int is_mapped(const __u32 *a)
{
	return !a[0] && !a[1] && a[2] == V4_MAPPED;
}

/*
 * Inside the sandbox's namespace: 127/8 and ::1, and the unspecified address, which Linux takes as
 * loopback when it is connected to.
 */
static __always_inline int is_loopback(const __u32 *a)
{
	if (is_mapped(a))
		return !a[3] || (bpf_ntohl(a[3]) >> 24) == 127;
	return !a[0] && !a[1] && !a[2] && (!a[3] || a[3] == bpf_htonl(1));
}

static __always_inline void dest4(struct ask *q, struct bpf_sock_addr *ctx)
{
	q->addr_be[0] = 0;
	q->addr_be[1] = 0;
	q->addr_be[2] = V4_MAPPED;
	q->addr_be[3] = ctx->user_ip4;
	q->family = AF_INET;
}

static __always_inline void dest6(struct ask *q, struct bpf_sock_addr *ctx)
{
	q->addr_be[0] = ctx->user_ip6[0];
	q->addr_be[1] = ctx->user_ip6[1];
	q->addr_be[2] = ctx->user_ip6[2];
	q->addr_be[3] = ctx->user_ip6[3];
	q->family = AF_INET6;
}

/* Index of a synthetic address of this sandbox; 0 = not one. Index 0 is never given out. */
static __always_inline __u32 addr_index(const struct ask *q)
{
	const __u32 *a = q->addr_be, *net = q->sb->net6;
	__u32 i;

	if (is_mapped(a)) {
		i = bpf_ntohl(a[3]);
		return (i & OSH_NET4_MASK) == OSH_NET4 ? i & ~OSH_NET4_MASK : 0;
	}
	if (!net[0] || a[0] != net[0] || a[1] != net[1] || a[2])
		return 0;
	i = bpf_ntohl(a[3]);
	return i < OSH_ADDR_EXACT + OSH_ADDR_WILD ? i : 0;
}

/* Host number of the destination under this generation; 0 = not in the policy. */
static __always_inline __u32 host_find(const struct ask *q, __u32 index)
{
	struct osh_addr_key ak = { .id = q->sb->id, .addr = index };
	struct osh_cidr_key ck;
	struct osh_addr *addr;
	struct osh_cidr *cidr;

	if (ak.addr) {
		addr = bpf_map_lookup_elem(&addrs, &ak);
		return addr ? OSH_HOST_IN(addr->by, q->generation) : 0;
	}
	ck.bits = 64 + 128;
	ck.id = ak.id;
	ck.generation = q->generation;
	__builtin_memcpy(ck.addr_be, q->addr_be, sizeof(ck.addr_be));
	cidr = bpf_map_lookup_elem(&cidrs, &ck);
	return cidr ? cidr->host : 0;
}

/* Is the asking program among those that the endpoint lists? */
static __always_inline __u32 judge_program(const struct ask *q, const struct osh_endpoint *ep)
{
	return ep->groups[0] & 1 ? OSH_WHY_ALLOWED : program_why(q, ep->groups, ep->taint_ok);
}

/* What the egress reads from the accepted socket: who asks, judged under which policy. */
static __always_inline __u32 mark_of(const struct ask *q)
{
	__u32 mark = OSH_MARK_JUDGED | OSH_MARK_IDENT(q->ident) | (q->generation & 0x3fff) << 17;

	return q->tainted ? mark | OSH_MARK_TAINT : mark;
}

/*
 * A socket has its maker's mark (osh_sock_create), which is nearly always the one it needs now: to set
 * one costs more than all the rest of the judgement. Here it is made sure of, by whoever connects: the
 * maker may have been another program, may have executed another since, or the policy may have changed.
 */
static __always_inline int mark_set(struct bpf_sock_addr *ctx, const struct ask *q)
{
	__u32 mark = mark_of(q);
	struct bpf_sock *sk = ctx->sk;

	if (sk && sk->mark == mark)
		return 0;
	return bpf_setsockopt(ctx, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
}

/*
 * From the front table, without a call. The loader may be replacing the entry: what was copied counts
 * only if its number was even and is still the same. That takes loads that stay in order, as on x86.
 */
static __always_inline int front_copy(const struct osh_endpoint_key *key, struct osh_endpoint *ret)
{
#ifdef __TARGET_ARCH_x86
	__u32 at = osh_front_at(key);
	struct osh_front *f = bpf_map_lookup_elem(&front, &at);
	__u64 seq;

	if (!f)
		return 0;
	seq = *(volatile __u64 *)&f->seq;
	barrier();
	if (seq & 1 || f->key.id != key->id || f->key.generation != key->generation ||
	    f->key.host != key->host || f->key.port != key->port)
		return 0;
	*ret = f->ep;
	barrier();
	return *(volatile __u64 *)&f->seq == seq;
#else
	return 0;
#endif
}

static __always_inline int endpoint_copy(const struct osh_endpoint_key *key, struct osh_endpoint *ret)
{
	struct osh_endpoint *ep = bpf_map_lookup_elem(&endpoints, key);

	if (!ep)
		return 0;
	*ret = *ep;
	return 1;
}

/* The endpoint that is asked for; q->host stays 0 where the host is not in the policy. */
static __always_inline int endpoint_find(struct ask *q, struct osh_endpoint *ret)
{
	__u32 index = addr_index(q);
	struct osh_endpoint_key key = {
		.id = q->sb->id, .generation = q->generation, .host = OSH_EP_ADDR | index, .port = q->port
	};

	if (index && index < OSH_ADDR_EXACT && (front_copy(&key, ret) || endpoint_copy(&key, ret))) {
		q->host = ret->host;
		return 1;
	}
	q->host = host_find(q, index);
	if (!q->host)
		return 0;
	key.host = q->host;
	return endpoint_copy(&key, ret);
}

static __always_inline __u32 judge_connect(struct bpf_sock_addr *ctx, struct ask *q)
{
	struct osh_endpoint ep;
	__u32 why;

	if (!endpoint_find(q, &ep))
		return q->host ? OSH_WHY_PORT : OSH_WHY_DEST_UNKNOWN;
	q->rule = ep.rule;
	why = judge_program(q, &ep);
	if (why == OSH_WHY_ALLOWED && mark_set(ctx, q))
		return OSH_WHY_INTERNAL;
	return why;
}

/*
 * A resolver sorts addresses by connecting UDP sockets to them (nothing is sent): to an address that
 * the in-kernel DNS gave out this succeeds and is no event. What such a socket then sends meets no
 * hook, but the address is local to `lo`, there is no other device, and only a program of the same
 * sandbox could be bound there: the packet is the sandbox talking to itself.
 */
static __always_inline int is_sorting(const struct ask *q)
{
	return q->sb && addr_index(q);
}

static __always_inline int hook_connect(struct bpf_sock_addr *ctx, struct ask *q)
{
	__u32 protocol = ctx->protocol, why;

	if (is_loopback(q->addr_be) && (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP))
		return 1;
	q->kind = OSH_EV_CONNECT;
	q->aux = ctx->type;
	q->port = bpf_ntohs(ctx->user_port);
	q->host = 0;
	q->rule = 0;
	ask_subject(q);
	ask_taint(q);
	if (protocol == IPPROTO_UDP && is_sorting(q))
		return 1;
	if (protocol != IPPROTO_TCP)
		why = protocol == IPPROTO_UDP ? OSH_WHY_UDP : OSH_WHY_FAMILY;
	else
		why = q->sb ? judge_connect(ctx, q) : OSH_WHY_NO_SANDBOX;
	return cgroup_ret(decide(q, why));
}

SEC("cgroup/connect4")
int osh_connect4(struct bpf_sock_addr *ctx)
{
	struct ask q;

	dest4(&q, ctx);
	return hook_connect(ctx, &q);
}

/* Also sees ::ffff:a.b.c.d, which never reaches connect4: dest words are the same, so are the rules. */
SEC("cgroup/connect6")
int osh_connect6(struct bpf_sock_addr *ctx)
{
	struct ask q;

	dest6(&q, ctx);
	return hook_connect(ctx, &q);
}

/* Datagrams with an address. Only loopback; DNS to the sandbox's own resolver is loopback too. */
static __always_inline int hook_sendmsg(struct bpf_sock_addr *ctx, struct ask *q)
{
	if (ctx->protocol == IPPROTO_UDP && is_loopback(q->addr_be))
		return 1;
	q->kind = OSH_EV_SENDMSG;
	q->aux = 0;
	q->port = bpf_ntohs(ctx->user_port);
	q->host = 0;
	q->rule = 0;
	ask_subject(q);
	return cgroup_ret(decide(q, OSH_WHY_UDP));
}

SEC("cgroup/sendmsg4")
int osh_sendmsg4(struct bpf_sock_addr *ctx)
{
	struct ask q;

	dest4(&q, ctx);
	return hook_sendmsg(ctx, &q);
}

SEC("cgroup/sendmsg6")
int osh_sendmsg6(struct bpf_sock_addr *ctx)
{
	struct ask q;

	dest6(&q, ctx);
	return hook_sendmsg(ctx, &q);
}

/*
 * Loopback and the wildcard only: nobody may sit on a synthetic address. A wildcard listener does not
 * get their connections either, sk_lookup comes before the listener tables.
 */
static __always_inline int hook_bind(struct bpf_sock_addr *ctx, struct ask *q)
{
	if (is_loopback(q->addr_be))
		return 1;
	q->kind = OSH_EV_BIND;
	q->aux = ctx->type;
	q->port = bpf_ntohs(ctx->user_port);
	q->host = 0;
	q->rule = 0;
	ask_subject(q);
	return cgroup_ret(decide(q, OSH_WHY_BIND_ADDR));
}

SEC("cgroup/bind4")
int osh_bind4(struct bpf_sock_addr *ctx)
{
	struct ask q;

	dest4(&q, ctx);
	return hook_bind(ctx, &q);
}

SEC("cgroup/bind6")
int osh_bind6(struct bpf_sock_addr *ctx)
{
	struct ask q;

	dest6(&q, ctx);
	return hook_bind(ctx, &q);
}

/* Is a program with one of these ids among those of this kind that run for the task's cgroup? */
static __always_inline int is_attached(const struct task_struct *t, __u64 kind, const volatile __u32 ids[2])
{
	struct bpf_prog_array *here = t->cgroups->dfl_cgrp->bpf.effective[kind];

	for (int i = 0; i < NEIGHBOURS; i++) {
		struct bpf_prog *p = here->items[i].prog;

		if (!p)
			break;
		if (p->aux->id == ids[0] || p->aux->id == ids[1])
			return 1;
	}
	return 0;
}

/* Both, whatever the socket's family: one of them may accept from the other over loopback. */
static __always_inline int has_connect(const struct task_struct *t)
{
	__u32 zero = 0;
	struct osh_host *h = bpf_map_lookup_elem(&host, &zero);

	return h && is_attached(t, bpf_core_enum_value(enum cgroup_bpf_attach_type, CGROUP_INET4_CONNECT),
				h->connect4) &&
	       is_attached(t, bpf_core_enum_value(enum cgroup_bpf_attach_type, CGROUP_INET6_CONNECT),
			   h->connect6);
}

/*
 * The kernel calls this for AF_INET and AF_INET6 alone (seccomp has the list of families) and with
 * the protocol resolved: TCP and UDP pass; raw, ping, SCTP, MPTCP, UDP-Lite do not. MPTCP matters:
 * its extra subflows would join addresses that nobody judged.
 *
 * A TCP socket is marked with who makes it, see mark_set(), but only where the connect hooks are in place:
 * nft lets marked sockets alone through, so that no socket gets by without its hook. Listeners are
 * marked as well, and must be: what they accept inherits their mark, and would else take the caller's.
 */
SEC("cgroup/sock_create")
int osh_sock_create(struct bpf_sock *ctx)
{
	__u32 type = ctx->type, protocol = ctx->protocol;
	struct ask q = { .kind = OSH_EV_SOCKET };

	if (type == SOCK_DGRAM && protocol == IPPROTO_UDP)
		return 1;
	if (type == SOCK_STREAM && protocol == IPPROTO_TCP) {
		ask_subject(&q);
		ask_taint(&q);
		if (q.sb && has_connect(q.t))
			ctx->mark = mark_of(&q);
		return 1;
	}
	q.family = ctx->family;
	q.port = protocol;		/* in full; `aux` has room for eight bits of it */
	q.aux = ctx->family << 16 | (type & 0xff) << 8 | (protocol & 0xff);
	ask_subject(&q);
	return cgroup_ret(decide(&q, OSH_WHY_FAMILY));
}

char LICENSE[] SEC("license") = "GPL";
