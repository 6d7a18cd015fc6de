// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Every TCP connection of the namespace that is not loopback goes to one socket, the egress'
 * listener, whatever its port. The daemon loads a copy per sandbox with a sockmap of its own (a
 * sk_lookup program cannot ask which namespace it runs in). Trusts nothing: without a listener the
 * connection is dropped, not handed to whoever is bound there.
 */
#include "maps.bpf.h"

#define AF_INET 2

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} steer SEC(".maps");

static __always_inline int is_local(const struct bpf_sk_lookup *ctx)
{
	if (ctx->family == AF_INET)
		return (bpf_ntohl(ctx->local_ip4) >> 24) == 127;
	return !ctx->local_ip6[0] && !ctx->local_ip6[1] && !ctx->local_ip6[2] &&
	       ctx->local_ip6[3] == bpf_htonl(1);
}

SEC("sk_lookup")
int osh_steer(struct bpf_sk_lookup *ctx)
{
	struct bpf_sock *sk;
	__u32 zero = 0;
	long r;

	if (ctx->protocol != IPPROTO_TCP || is_local(ctx))
		return SK_PASS;
	sk = bpf_map_lookup_elem(&steer, &zero);
	if (!sk)
		return SK_DROP;
	r = bpf_sk_assign(ctx, sk, 0);
	bpf_sk_release(sk);
	return r ? SK_DROP : SK_PASS;
}

char LICENSE[] SEC("license") = "GPL";
