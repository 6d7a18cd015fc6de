// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The cage of an egress process: it lives in the host's network, so what it may dial is checked by
 * the kernel too. Runs on the egress' cgroup. TCP to the policy's ports at public addresses, plus
 * what `egress_allow` lists (allowed_ips, the operator's upstream hosts, resolvers); UDP to listed
 * resolvers alone. A second layer: the egress itself has judged host by host before it dials.
 */
#include "decide.bpf.h"

#define AF_INET 2
#define AF_INET6 10
#define DNS_PORT 53
#define V4_MAPPED bpf_htonl(0xffff)

enum reach { PUBLIC, PRIVATE, FORBIDDEN };

/* Special-purpose IPv4 (RFC 6890 and successors), host order. */
static __always_inline int in_net(__u32 ip, __u32 net, __u32 bits)
{
	return (ip ^ net) >> (32 - bits) == 0;
}
#define IN4(ip, a, b, c, bits) in_net(ip, (a##u << 24) | (b##u << 16) | (c##u << 8), bits)

static __always_inline enum reach reach4(__u32 ip)
{
	if (IN4(ip, 10, 0, 0, 8) || IN4(ip, 172, 16, 0, 12) || IN4(ip, 192, 168, 0, 16) ||
	    IN4(ip, 100, 64, 0, 10))
		return ip == 0x646464c8u ? FORBIDDEN : PRIVATE;	/* 100.100.100.200: metadata */
	if (IN4(ip, 0, 0, 0, 8) || IN4(ip, 127, 0, 0, 8) || IN4(ip, 169, 254, 0, 16) ||
	    IN4(ip, 192, 0, 0, 24) || IN4(ip, 192, 0, 2, 24) || IN4(ip, 192, 88, 99, 24) ||
	    IN4(ip, 198, 18, 0, 15) || IN4(ip, 198, 51, 100, 24) || IN4(ip, 203, 0, 113, 24) ||
	    ip >= 0xe0000000u)
		return FORBIDDEN;	/* down to 224/4 multicast and 240/4 reserved */
	return PUBLIC;
}

/* Global unicast alone is public; forms that carry an IPv4 address are judged by it. */
static __always_inline enum reach reach6(const __u32 *a)
{
	__u32 w = bpf_ntohl(a[0]), w1 = bpf_ntohl(a[1]);

	if (!a[0] && !a[1] && a[2] == V4_MAPPED)
		return reach4(bpf_ntohl(a[3]));
	if (w == 0x0064ff9bu && !a[1] && !a[2])
		return reach4(bpf_ntohl(a[3]));			/* NAT64 64:ff9b::/96 */
	if (w >> 16 == 0x2002)
		return reach4(w << 16 | w1 >> 16);		/* 6to4 */
	if (w == 0xfd000ec2u && !a[1] && !a[2])
		return FORBIDDEN;				/* fd00:ec2::254, metadata */
	if (w >> 25 == 0xfc >> 1)
		return PRIVATE;					/* ULA fc00::/7 */
	if (w >> 29 != 1)
		return FORBIDDEN;				/* outside 2000::/3 */
	if (w >> 9 == 0x20010000u >> 9 || w == 0x20010db8u || w >> 12 == 0x3fff0)
		return FORBIDDEN;	/* 2001::/23 (Teredo, ORCHID), two for documentation */
	return PUBLIC;
}

/* Generation 0 is the operator's. Port 0: any port. */
static __always_inline int granted(const struct ask *q, __u32 generation, __u32 port)
{
	struct osh_upstream_key key;

	key.bits = 96 + 128;
	key.id = q->sb->id;
	key.generation = generation;
	key.port = port;
	__builtin_memcpy(key.addr_be, q->addr_be, sizeof(key.addr_be));
	return !!bpf_map_lookup_elem(&egress_allow, &key);
}

/* Policy opens private addresses; what is never public or private only the operator opens. */
static __always_inline __u32 judge_tcp(const struct ask *q)
{
	struct osh_eport_key pk = { .id = q->sb->id, .generation = q->generation, .port = q->port };
	enum reach reach;

	if (granted(q, 0, q->port))
		return OSH_WHY_ALLOWED;
	if (!bpf_map_lookup_elem(&egress_ports, &pk))
		return OSH_WHY_PORT;
	reach = reach6(q->addr_be);
	if (reach == PUBLIC || granted(q, 0, 0))
		return OSH_WHY_ALLOWED;
	if (reach == FORBIDDEN)
		return OSH_WHY_ADDR_FORBIDDEN;
	return granted(q, q->generation, 0) ? OSH_WHY_ALLOWED : OSH_WHY_ADDR_PRIVATE;
}

/* A resolver is an address that the operator lists with port 53 itself; "any port" makes none. */
static __always_inline __u32 judge_udp(const struct ask *q)
{
	return q->port == DNS_PORT && granted(q, 0, DNS_PORT) ? OSH_WHY_ALLOWED : OSH_WHY_UDP;
}

static __always_inline void subject(struct ask *q, struct bpf_sock_addr *ctx)
{
	ask_task(q, bpf_get_current_task_btf());
	q->task = NULL;
	q->sb = sandbox_by_cgroup(&by_egress, bpf_get_current_cgroup_id());
	q->generation = q->sb ? *(volatile __u32 *)&q->sb->generation : 0;
	q->kind = OSH_EV_EGRESS;
	q->aux = ctx->type;
	q->port = bpf_ntohs(ctx->user_port);
	q->ident = 0;
	q->rule = 0;
	q->host = 0;
}

/* Allowed dials give no event here: the egress' own record names the host as well. */
static __always_inline int answer(struct ask *q, struct bpf_sock_addr *ctx)
{
	__u32 why = OSH_WHY_NO_SANDBOX;

	if (q->sb && ctx->protocol == IPPROTO_TCP)
		why = judge_tcp(q);
	else if (q->sb)
		why = ctx->protocol == IPPROTO_UDP ? judge_udp(q) : OSH_WHY_FAMILY;
	return cgroup_ret(decide_quiet(q, why));
}

static __always_inline int hook4(struct bpf_sock_addr *ctx)
{
	struct ask q;

	q.addr_be[0] = 0;
	q.addr_be[1] = 0;
	q.addr_be[2] = V4_MAPPED;
	q.addr_be[3] = ctx->user_ip4;
	q.family = AF_INET;
	subject(&q, ctx);
	return answer(&q, ctx);
}

static __always_inline int hook6(struct bpf_sock_addr *ctx)
{
	struct ask q;

	q.addr_be[0] = ctx->user_ip6[0];
	q.addr_be[1] = ctx->user_ip6[1];
	q.addr_be[2] = ctx->user_ip6[2];
	q.addr_be[3] = ctx->user_ip6[3];
	q.family = AF_INET6;
	subject(&q, ctx);
	return answer(&q, ctx);
}

SEC("cgroup/connect4")
int osh_egress4(struct bpf_sock_addr *ctx)
{
	return hook4(ctx);
}

SEC("cgroup/connect6")
int osh_egress6(struct bpf_sock_addr *ctx)
{
	return hook6(ctx);
}

SEC("cgroup/sendmsg4")
int osh_egress_udp4(struct bpf_sock_addr *ctx)
{
	return hook4(ctx);
}

SEC("cgroup/sendmsg6")
int osh_egress_udp6(struct bpf_sock_addr *ctx)
{
	return hook6(ctx);
}

char LICENSE[] SEC("license") = "GPL";
