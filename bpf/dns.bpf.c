/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * DNS on the sandbox's lo, answered in place on egress (clsact): no query ever causes a packet
 * anywhere. Trusts the maps; every byte of the packet is the agent's. Runs in the sender's context.
 *
 * A listed name gets its synthetic address, other record types of it NODATA, everything else one
 * denial. What is not a well-formed query with one question is dropped.
 *
 * The denial is NXDOMAIN, chosen by measurement: with REFUSED or SERVFAIL musl waits out its 5 s
 * timeout, and glibc, node and python report a temporary failure, which programs retry. NXDOMAIN ends
 * glibc, musl, c-ares, dig and curl at once and for good. Its drawback, that a cache then denies
 * every type of the name, does not arise: the denial is the same for every type, has no SOA to be
 * cached by, and no cache lives in the namespace. NODATA needs no SOA either: no client waits.
 */
#include "decide.bpf.h"

#define DNS_DENIED 3			/* RCODE of a denial */
#define TC_OK 0
#define TC_DROP 2
#define ETH_BYTES 14
#define IP4_BYTES 20
#define IP6_BYTES 40
#define UDP_BYTES 8
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define DNS_PORT 53
#define DNS_HEADER 12
#define DNS_WIRE 255			/* longest name on the wire, RFC 1035 */
#define DNS_TEXT 253			/* the same as text */
#define DNS_LABEL 63
#define DNS_READ (DNS_HEADER + DNS_WIRE + 4 + OPT_BYTES)	/* all that is ever looked at */
#define OPT_BYTES 11
#define OPT_TYPE 41
#define OPT_SIZE 1232			/* UDP payload that we claim to take */
#define EDE_BYTES 6			/* option code, length, info code */
#define EDE_CODE 15
#define EDE_BLOCKED 15
#define EDE_TEXT 80
#define ANSWER_BYTES 12			/* before the address */
#define TAIL_BYTES 128
#define TTL 60
#define CLASS_IN 1
#define TYPE_A 1
#define TYPE_AAAA 28
#define WAIT_TURNS 32768		/* about 1 ms for another CPU to finish an allocation */
#define TAKE_TURNS 4096			/* compare-and-swap retries */
#define EEXIST 17

#define STEP_DROP (-1)

struct dns_scratch {
	__u8 pkt[512];			/* DNS_READ used; the rest lets masks stand in for checks */
	struct osh_name_key key;
	__u8 key_slack[256];
	struct osh_suffix_key suffix;
	__u8 suffix_slack[256];
	struct osh_addr addr;
	__u8 tail[TAIL_BYTES + EDE_TEXT];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dns_scratch);
} dns_scratch SEC(".maps");

/* One query on its way through the program. */
struct query {
	struct dns_scratch *s;
	struct ask *ask;
	__u32 l4;			/* offset of the UDP header */
	__u32 have;			/* bytes of s->pkt that hold the message */
	__u32 size;			/* bytes of the message */
	__u32 text;			/* length of the name as text */
	__u32 wire;			/* length of the name on the wire */
	__u32 dots;
	__u32 type, class;
	__u32 addr;			/* index of the name's address */
	__u8 v6, opt, odd;		/* odd: a character outside [a-z0-9-_] */
	__u8 opt_do;
};

/* ---- the question ---- */

struct walk {
	struct query *q;
	__u32 left;			/* bytes left of the label */
	__u32 done, bad;
};

static __always_inline __u8 name_char(__u8 c)
{
	if (c - 'A' <= 25u)
		return c | 0x20;
	if (c - 'a' <= 25u || c - '0' <= 9u || c == '-' || c == '_')
		return c;
	return 0;
}

/* One byte of the name; label bytes outside the set become '?', which no policy can contain. */
static int walk_byte(__u32 i, struct walk *w)
{
	struct dns_scratch *s = w->q->s;
	__u8 c;

	if (i >= DNS_WIRE || DNS_HEADER + i >= w->q->have) {
		w->bad = 1;
		return 1;
	}
	c = s->pkt[(DNS_HEADER + i) & 511];
	if (w->left) {
		w->left--;
		c = name_char(c);
		if (!c) {
			w->q->odd = 1;
			c = '?';
		}
		s->key.name[(i - 1) & 255] = c;
		return 0;
	}
	if (!c) {
		w->q->wire = i + 1;
		w->q->text = i ? i - 1 : 0;
		w->done = 1;
		return 1;
	}
	if (c > DNS_LABEL) {		/* compression has no place in a question */
		w->bad = 1;
		return 1;
	}
	w->left = c;
	if (i) {
		w->q->dots++;
		s->key.name[(i - 1) & 255] = '.';
	}
	return 0;
}

static __always_inline __u32 be16(const __u8 *p)
{
	return (__u32)p[0] << 8 | p[1];
}

/* EDNS: nothing after the question, or exactly one OPT record that ends where the message does. */
static __always_inline int question_opt(struct query *q, __u32 end)
{
	const __u8 *p = q->s->pkt;
	__u32 extra = be16(p + 10);

	if (!extra)
		return end == q->size ? 0 : STEP_DROP;
	if (extra != 1 || end + OPT_BYTES > q->have || end > 511 - OPT_BYTES)
		return STEP_DROP;
	p += end;
	if (p[0] || be16(p + 1) != OPT_TYPE || end + OPT_BYTES + be16(p + 9) != q->size)
		return STEP_DROP;
	q->opt = 1;
	q->opt_do = p[7] & 0x80;
	return 0;
}

static __noinline int question(struct query *q)
{
	const __u8 *p = q->s->pkt;
	struct walk w = { .q = q };
	__u32 end;

	if ((p[2] & 0xf8) || be16(p + 4) != 1 || be16(p + 6) || be16(p + 8))
		return STEP_DROP;	/* an answer, not QUERY, or not exactly one question */
	bpf_loop(DNS_WIRE + 1, walk_byte, &w, 0);
	if (w.bad || !w.done || q->text > DNS_TEXT)
		return STEP_DROP;
	end = DNS_HEADER + q->wire;
	if (end + 4 > q->have || end > 500)
		return STEP_DROP;
	q->type = be16(p + end);
	q->class = be16(p + end + 2);
	return question_opt(q, end + 4);
}

/* ---- the policy ---- */

static int reverse_byte(__u32 i, struct query *q)
{
	if (i >= q->text || i >= OSH_SUFFIX_LEN)
		return 1;
	q->s->suffix.rev[i & 255] = q->s->key.name[(q->text - 1 - i) & 255];
	return 0;
}

/* Host number under the longest suffix that covers the name, 0 = none. */
static __always_inline __u32 suffix_host(struct query *q)
{
	struct osh_suffix_key *k = &q->s->suffix;
	__u32 n = q->text < OSH_SUFFIX_LEN ? q->text : OSH_SUFFIX_LEN;
	struct osh_suffix *f;

	if (q->odd || !n)
		return 0;
	__builtin_memset(k, 0, sizeof(*k));
	k->bits = 64 + 8 * n;
	k->id = q->ask->sb->id;
	k->generation = q->ask->generation;
	bpf_loop(OSH_SUFFIX_LEN, reverse_byte, q, 0);
	f = bpf_map_lookup_elem(&suffixes, k);
	if (!f || q->dots < f->dots)
		return 0;
	return q->dots == f->dots ? f->one : f->deep;
}

static __always_inline __u64 name_pair(struct query *q, __u32 host)
{
	return (__u64)q->ask->generation << 32 | host;
}

static __always_inline __u64 *pair_of(struct osh_name_in by[2], __u32 generation)
{
	return (__u64 *)&by[generation & 1];
}

/* The reverse entry, so that connect knows the address before anybody is told of it. */
static __always_inline int addr_put(struct query *q, __u32 index, __u32 host)
{
	struct osh_addr_key k = { .id = q->ask->sb->id, .addr = index };
	struct osh_addr *a = bpf_map_lookup_elem(&addrs, &k), *fresh = &q->s->addr;

	if (a) {
		*(volatile __u64 *)pair_of(a->by, q->ask->generation) = name_pair(q, host);
		return 0;
	}
	__builtin_memset(fresh->by, 0, sizeof(fresh->by));
	*pair_of(fresh->by, q->ask->generation) = name_pair(q, host);
	__builtin_memcpy(fresh->name, q->s->key.name, sizeof(fresh->name));
	return bpf_map_update_elem(&addrs, &k, fresh, BPF_ANY);
}

struct take {
	struct osh_sandbox *sb;
	__u32 index, got;
};

static int take_index(__u32 i, struct take *t)
{
	__u32 used = *(volatile __u32 *)&t->sb->wild_used;

	if (used >= t->sb->wild_budget || used >= OSH_ADDR_WILD)
		return 1;
	if (__sync_val_compare_and_swap(&t->sb->wild_used, used, used + 1) != used)
		return 0;
	t->index = used;
	t->got = 1;
	return 1;
}

struct wait {
	struct osh_name_key *key;
	__u32 addr;
};

static int wait_turn(__u32 i, struct wait *w)
{
	struct osh_name *v = bpf_map_lookup_elem(&names, w->key);

	w->addr = v ? *(volatile __u32 *)&v->addr : 0;
	return w->addr || !v;
}

/* Another CPU is giving this name its address; packets wait with softirqs off, so it is running. */
static __always_inline int name_wait(struct query *q)
{
	struct wait w = { .key = &q->s->key };

	bpf_loop(WAIT_TURNS, wait_turn, &w, 0);
	q->addr = w.addr;
	return w.addr ? OSH_WHY_ALLOWED : OSH_WHY_LIMIT;
}

/*
 * A new name under a wildcard. The name's entry goes in first, without an address: whoever inserts it
 * is alone in taking an index, so no index is ever spent on a lost race and the budget is exact.
 */
static __noinline int name_allocate(struct query *q, __u32 host)
{
	struct osh_name fresh = { .wild = 1 }, *v;
	struct take t = { .sb = q->ask->sb };
	struct osh_name_key *key = &q->s->key;
	long r;

	/* The last index may have gone to this very name, on another CPU, since we looked. */
	if (*(volatile __u32 *)&t.sb->wild_used >= t.sb->wild_budget)
		return bpf_map_lookup_elem(&names, key) ? name_wait(q) : OSH_WHY_NAME_BUDGET;
	*pair_of(fresh.by, q->ask->generation) = name_pair(q, host);
	r = bpf_map_update_elem(&names, key, &fresh, BPF_NOEXIST);
	if (r)
		return r == -EEXIST ? name_wait(q) : OSH_WHY_MAP_FULL;
	bpf_loop(TAKE_TURNS, take_index, &t, 0);
	if (!t.got) {
		bpf_map_delete_elem(&names, key);
		return OSH_WHY_NAME_BUDGET;
	}
	if (addr_put(q, OSH_ADDR_EXACT + t.index, host)) {
		__sync_val_compare_and_swap(&t.sb->wild_used, t.index + 1, t.index);
		bpf_map_delete_elem(&names, key);
		return OSH_WHY_MAP_FULL;
	}
	v = bpf_map_lookup_elem(&names, key);
	if (!v)
		return OSH_WHY_INTERNAL;
	__sync_lock_test_and_set(&v->addr, OSH_ADDR_EXACT + t.index);
	q->addr = OSH_ADDR_EXACT + t.index;
	return OSH_WHY_ALLOWED;
}

/* A name of an earlier generation that a wildcard of this one covers: same address, judged anew. */
static __always_inline int name_restamp(struct query *q, struct osh_name *v, __u32 host)
{
	q->addr = v->addr;
	if (addr_put(q, q->addr, host))
		return OSH_WHY_MAP_FULL;
	*(volatile __u64 *)pair_of(v->by, q->ask->generation) = name_pair(q, host);
	return OSH_WHY_ALLOWED;
}

/* Why the name resolves or not; on ALLOWED q->addr and ask->host are set. */
static __noinline int name_judge(struct query *q)
{
	struct osh_name *v = bpf_map_lookup_elem(&names, &q->s->key);
	__u32 generation = q->ask->generation, host;
	__u64 pair;

	if (q->odd)
		return OSH_WHY_NAME_BAD;
	if (v && v->addr) {
		pair = *(volatile __u64 *)pair_of(v->by, generation);
		if (pair >> 32 == generation && (__u32)pair) {
			q->addr = v->addr;
			q->ask->host = (__u32)pair;
			return OSH_WHY_ALLOWED;
		}
	}
	host = suffix_host(q);
	if (!host)
		return OSH_WHY_NAME_UNKNOWN;
	q->ask->host = host;
	if (v && v->addr)
		return name_restamp(q, v, host);
	return v ? name_wait(q) : name_allocate(q, host);
}

/* ---- the answer ---- */

/* What an EDNS client is told about a denial: the reason's own text. */
struct ede {
	__u8 len;
	char text[EDE_TEXT - 1];
} __attribute__((aligned(8)));
#define REASON(id, text_) [OSH_WHY_##id] = { sizeof(text_) - 1, text_ },
static const struct ede ede[128] = {
#include "osh/reasons.def"
};
#undef REASON
_Static_assert(OSH_WHY_MAX <= 128, "a mask bounds the index into ede");

static __always_inline void put16(__u8 *p, __u32 v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static __always_inline __u32 tail_address(const struct query *q, __u8 *t)
{
	t[0] = 0xc0;			/* the name is the question's */
	t[1] = DNS_HEADER;
	put16(t + 2, q->type);
	put16(t + 4, CLASS_IN);
	put16(t + 6, 0);
	put16(t + 8, TTL);
	if (q->type == TYPE_A) {
		put16(t + 10, 4);
		*(__u32 *)(t + ANSWER_BYTES) = bpf_htonl(OSH_NET4 + q->addr);
		return ANSWER_BYTES + 4;
	}
	put16(t + 10, 16);
	__builtin_memcpy(t + ANSWER_BYTES, q->ask->sb->net6, 12);
	*(__u32 *)(t + ANSWER_BYTES + 12) = bpf_htonl(q->addr);
	return ANSWER_BYTES + 16;
}

/* An OPT record of our own, nothing of the client's but DO; with `why`, Extended DNS Error 15. */
static __always_inline __u32 tail_opt(const struct query *q, __u8 *t, __u32 why)
{
	const struct ede *x = &ede[why & 127];
	__u32 len = x->len & 127;

	__builtin_memset(t, 0, OPT_BYTES);
	put16(t + 1, OPT_TYPE);
	put16(t + 3, OPT_SIZE);
	t[7] = q->opt_do;
	if (why == OSH_WHY_ALLOWED)
		return OPT_BYTES;
	put16(t + 9, EDE_BYTES + len);
	put16(t + 11, EDE_CODE);
	put16(t + 13, 2 + len);
	put16(t + 15, EDE_BLOCKED);
	__builtin_memcpy(t + OPT_BYTES + EDE_BYTES, x->text, sizeof(x->text));
	return OPT_BYTES + EDE_BYTES + len;
}

/* Swaps addresses and ports and sets the lengths; checksums stay right or are left out. */
static __always_inline int reply_ip(struct __sk_buff *skb, const struct query *q, __u32 len)
{
	__u8 b[32];
	__u16 ports[2], n, old;
	long r;

	if (q->v6) {
		r = bpf_skb_load_bytes(skb, ETH_BYTES + 8, b, 32);
		r |= bpf_skb_store_bytes(skb, ETH_BYTES + 8, b + 16, 16, 0);
		r |= bpf_skb_store_bytes(skb, ETH_BYTES + 24, b, 16, 0);
		n = bpf_htons(len - ETH_BYTES - IP6_BYTES);
		r |= bpf_skb_store_bytes(skb, ETH_BYTES + 4, &n, 2, 0);
	} else {
		r = bpf_skb_load_bytes(skb, ETH_BYTES + 12, b, 8);
		r |= bpf_skb_store_bytes(skb, ETH_BYTES + 12, b + 4, 4, 0);
		r |= bpf_skb_store_bytes(skb, ETH_BYTES + 16, b, 4, 0);
		n = bpf_htons(len - ETH_BYTES);
		r |= bpf_skb_load_bytes(skb, ETH_BYTES + 2, &old, 2);
		r |= bpf_l3_csum_replace(skb, ETH_BYTES + 10, old, n, 2);
		r |= bpf_skb_store_bytes(skb, ETH_BYTES + 2, &n, 2, 0);
		n = 0;			/* UDP over IPv4 needs no checksum; IPv6's is the device's */
		r |= bpf_skb_store_bytes(skb, q->l4 + 6, &n, 2, 0);
	}
	r |= bpf_skb_load_bytes(skb, q->l4, ports, 4);
	n = ports[0];
	ports[0] = ports[1];
	ports[1] = n;
	r |= bpf_skb_store_bytes(skb, q->l4, ports, 4, 0);
	n = bpf_htons(len - q->l4);
	r |= bpf_skb_store_bytes(skb, q->l4 + 4, &n, 2, 0);
	return r ? STEP_DROP : 0;
}

/* Header and records after the question, which stays as it came, letter case included. */
static __noinline int reply(struct __sk_buff *skb, struct query *q, __u32 why)
{
	__u32 end = q->l4 + UDP_BYTES + DNS_HEADER + q->wire + 4, n = 0;
	__u8 *p = q->s->pkt, *t = q->s->tail, h[10] = { 0 };
	int denied = why != OSH_WHY_ALLOWED && why != OSH_WHY_NAME_TYPE;

	if (why == OSH_WHY_ALLOWED) {
		n = tail_address(q, t);
		h[5] = 1;
	}
	if (q->opt) {
		n += tail_opt(q, t + (n & 31), why);
		h[9] = 1;
	}
	h[0] = 0x84 | (p[2] & 1);	/* answer, authoritative, RD as asked */
	h[1] = 0x80 | (p[3] & 0x10) | (denied ? DNS_DENIED : 0);	/* RA, CD as asked */
	h[3] = 1;
	if (bpf_skb_change_tail(skb, end + n, 0) ||
	    bpf_skb_store_bytes(skb, q->l4 + UDP_BYTES + 2, h, sizeof(h), 0))
		return STEP_DROP;
	if (n && n <= TAIL_BYTES && bpf_skb_store_bytes(skb, end, t, n, 0))
		return STEP_DROP;
	return reply_ip(skb, q, end + n);
}

/* ---- the packet ---- */

enum packet { PACKET_PASS, PACKET_DNS, PACKET_BAD };

static __always_inline enum packet packet_ip4(struct __sk_buff *skb, struct query *q, __u32 *ret_len)
{
	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, ETH_BYTES, &ip, sizeof(ip)))
		return PACKET_BAD;
	if (ip.protocol != IPPROTO_UDP)
		return PACKET_PASS;
	q->l4 = ETH_BYTES + IP4_BYTES;
	*ret_len = bpf_ntohs(ip.tot_len);
	return ip.ihl != 5 || (ip.frag_off & bpf_htons(0x3fff)) ? PACKET_BAD : PACKET_DNS;
}

static __always_inline enum packet packet_ip6(struct __sk_buff *skb, struct query *q, __u32 *ret_len)
{
	struct ipv6hdr ip;

	if (bpf_skb_load_bytes(skb, ETH_BYTES, &ip, sizeof(ip)))
		return PACKET_BAD;
	q->l4 = ETH_BYTES + IP6_BYTES;
	q->v6 = 1;
	*ret_len = IP6_BYTES + bpf_ntohs(ip.payload_len);
	if (ip.nexthdr == IPPROTO_UDP)
		return PACKET_DNS;
	/* extension headers could hide a query: hop-by-hop, routing, fragment, destination options */
	if (ip.nexthdr == 0 || ip.nexthdr == 43 || ip.nexthdr == 44 || ip.nexthdr == 60)
		return PACKET_BAD;
	return PACKET_PASS;
}

/* Which packet this is; fills q up to the message's size and reads what is looked at. */
static __always_inline enum packet packet(struct __sk_buff *skb, struct query *q)
{
	enum packet kind = PACKET_PASS;
	struct udphdr udp;
	__u32 ip_len = 0, n;

	if (skb->protocol == bpf_htons(ETH_P_IP))
		kind = packet_ip4(skb, q, &ip_len);
	else if (skb->protocol == bpf_htons(ETH_P_IPV6))
		kind = packet_ip6(skb, q, &ip_len);
	if (kind != PACKET_DNS)
		return kind;
	if (bpf_skb_load_bytes(skb, q->l4, &udp, sizeof(udp)))
		return PACKET_BAD;
	if (udp.dest != bpf_htons(DNS_PORT))
		return PACKET_PASS;
	n = bpf_ntohs(udp.len);
	if (skb->gso_size || n < UDP_BYTES + DNS_HEADER + 5 || q->l4 + n != skb->len ||
	    ETH_BYTES + ip_len != skb->len)
		return PACKET_BAD;
	q->size = n - UDP_BYTES;
	return PACKET_DNS;
}

/* Reads the message, or as much of a long one as is ever looked at. */
static __always_inline int packet_read(struct __sk_buff *skb, struct query *q)
{
	__u32 n = q->size < DNS_READ ? q->size : DNS_READ;

	__builtin_memset(&q->s->key, 0, sizeof(q->s->key));
	q->have = n;
	if (n < DNS_HEADER || n > DNS_READ)	/* verifier: the range of n */
		return STEP_DROP;
	return bpf_skb_load_bytes(skb, q->l4 + UDP_BYTES, q->s->pkt, n) ? STEP_DROP : 0;
}

/*
 * The namespace that the packet is in. bpf_get_netns_cookie() exists for tc from Linux 6.15 on; reading
 * the kernel's own packet works from 6.2 on. (libbpf 1.1 cannot link two objects that name one kfunc, and
 * the socket hooks have bpf_cast_to_kern_ctx().)
 */
extern void *bpf_rdonly_cast(void *, __u32) __ksym;

static __always_inline __u64 netns_cookie(struct __sk_buff *skb)
{
	struct sk_buff *kernel = bpf_rdonly_cast(skb, bpf_core_type_id_kernel(struct sk_buff));

	return kernel->dev->nd_net.net->net_cookie;
}

/* Who asks: the sandbox is the packet's namespace, the program the running task where it is of it. */
static __always_inline void ask_packet(struct __sk_buff *skb, struct ask *a)
{
	struct osh_sandbox *sb = NULL;

	a->kind = OSH_EV_DNS;
	ask_task(a, bpf_get_current_task_btf());
	a->sb = sandbox_by_netns(netns_cookie(skb));
	a->task = task_of(a->t, &sb);
	if (a->task && sb == a->sb)
		a->ident = a->task->ident;
	a->generation = a->sb ? *(volatile __u32 *)&a->sb->generation : 0;
}

static __always_inline __u32 query_why(struct query *q)
{
	int why = name_judge(q);

	if (why == OSH_WHY_ALLOWED && (q->class != CLASS_IN ||
				       (q->type != TYPE_A && q->type != TYPE_AAAA)))
		return OSH_WHY_NAME_TYPE;
	return why;
}

SEC("tc")
int osh_dns(struct __sk_buff *skb)
{
	struct ask a = { 0 };
	struct query q = { .ask = &a };
	enum packet kind = packet(skb, &q);
	__u32 zero = 0, why;

	if (kind == PACKET_PASS)
		return TC_OK;
	ask_packet(skb, &a);
	q.s = bpf_map_lookup_elem(&dns_scratch, &zero);
	if (kind == PACKET_BAD || !q.s || !a.sb || packet_read(skb, &q) || question(&q)) {
		decide(&a, OSH_WHY_NAME_BAD);
		return TC_DROP;
	}
	q.s->key.id = a.sb->id;
	why = query_why(&q);
	a.aux = q.type;
	decide_named(&a, why, q.s->key.name, OSH_NAME_MAX, q.text);
	if (why == OSH_WHY_LIMIT)	/* an allocation did not finish: let the client ask again */
		return TC_DROP;
	return reply(skb, &q, why) ? TC_DROP : TC_OK;
}
