/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second layer behind the connect hook, the same for every policy: only lo carries packets, and on
 * lo a new flow to anything but loopback needs a mark of the sock_create or connect hook. A sandbox
 * cannot set marks (no CAP_NET_ADMIN over this namespace), so what neither hook saw ends here, counted:
 * every datagram, every other protocol.
 */
#include "nft.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdbool.h>

#include "osh/abi.h"
#include "own.h"

#define TABLE "osh"
#define LO_INDEX 1
#define BATCH_BYTES 16384
#define NL_ANSWER_BYTES 8192
#define TESTS 3
#define TCP_SYN 0x02
#define TCP_ACK 0x10

/* One comparison: load from meta or from the packet, mask, compare. len 0 ends the list. */
struct test {
	bool packet;			/* else meta */
	uint8_t key;			/* NFT_META_* or NFT_PAYLOAD_*_HEADER */
	uint8_t offset, len;
	bool differs;			/* != instead of == */
	uint8_t mask[4];		/* all zero = none; only for len <= 4 */
	uint8_t data[16];
};
struct rule {
	const char *chain;
	bool accept;			/* else count and drop */
	struct test tests[TESTS];
};

static const struct {
	const char *name;
	uint32_t hook;
} chains[] = {
	{ "output", NF_INET_LOCAL_OUT },
	{ "input", NF_INET_LOCAL_IN },
	{ "forward", NF_INET_FORWARD },
};

/* clang-format off */
#define LE32(v) { (v) & 0xff, (v) >> 8 & 0xff, (v) >> 16 & 0xff, (v) >> 24 }
#define META(key_, len_, ...) { false, key_, 0, len_, __VA_ARGS__ }
#define PACKET(base_, at_, len_, ...) { true, NFT_PAYLOAD_##base_##_HEADER, at_, len_, __VA_ARGS__ }
#define ANY_BITS { 0 }
#define FAMILY(f) META(NFT_META_NFPROTO, 1, false, ANY_BITS, { f })
#define PROTO(p)  META(NFT_META_L4PROTO, 1, false, ANY_BITS, { p })

static const struct rule rules[] = {
	{ "output", false, { META(NFT_META_OIF, 4, true, ANY_BITS, LE32(LO_INDEX)) } },
	{ "output", true, { FAMILY(NFPROTO_IPV4), PACKET(NETWORK, 16, 1, false, ANY_BITS, { 127 }) } },
	{ "output", true, { FAMILY(NFPROTO_IPV6), PACKET(NETWORK, 24, 16, false, ANY_BITS, { [15] = 1 }) } },
	{ "output", true, { META(NFT_META_MARK, 4, true, LE32(OSH_MARK_JUDGED), { 0 }) } },
	{ "output", true, { PROTO(IPPROTO_UDP), PACKET(TRANSPORT, 2, 2, false, ANY_BITS, { 0, 53 }) } },
	{ "output", true, { PROTO(IPPROTO_TCP), PACKET(TRANSPORT, 13, 1, true, { TCP_SYN | TCP_ACK }, { TCP_SYN }) } },
	{ "output", false, { { 0 } } },
	{ "input", true, { META(NFT_META_IIF, 4, false, ANY_BITS, LE32(LO_INDEX)) } },
	{ "input", false, { { 0 } } },
	{ "forward", false, { { 0 } } },
};
/* clang-format on */

struct batch {
	char buf[BATCH_BYTES];
	size_t n;
	uint32_t seq, last;		/* last: of the one message that asks for an answer */
	bool bad;
};

static struct nlmsghdr *batch_msg(struct batch *b, uint16_t type, uint16_t flags)
{
	return nftnl_nlmsg_build_hdr(b->buf + b->n, type, NFPROTO_INET, flags, b->seq++);
}

static void batch_add(struct batch *b, const struct nlmsghdr *h)
{
	b->n += MNL_ALIGN(h->nlmsg_len);
	if (b->n > BATCH_BYTES - 2048)	/* the largest message here is under 1 KiB */
		b->bad = true;
}

static struct nftnl_expr *expr_add(struct nftnl_rule *r, const char *name)
{
	struct nftnl_expr *x = nftnl_expr_alloc(name);

	if (x)
		nftnl_rule_add_expr(r, x);
	return x;
}

static bool rule_mask(struct nftnl_rule *r, const struct test *t)
{
	static const uint8_t zero[4];
	struct nftnl_expr *x;

	if (!memcmp(t->mask, zero, sizeof(zero)))
		return true;
	x = expr_add(r, "bitwise");
	if (!x)
		return false;
	nftnl_expr_set_u32(x, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(x, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(x, NFTNL_EXPR_BITWISE_LEN, t->len);
	nftnl_expr_set(x, NFTNL_EXPR_BITWISE_MASK, t->mask, t->len);
	nftnl_expr_set(x, NFTNL_EXPR_BITWISE_XOR, zero, t->len);
	return true;
}

static bool rule_test(struct nftnl_rule *r, const struct test *t)
{
	struct nftnl_expr *x = expr_add(r, t->packet ? "payload" : "meta");

	if (!x)
		return false;
	if (t->packet) {
		nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_BASE, t->key);
		nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_OFFSET, t->offset);
		nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_LEN, t->len);
		nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
	} else {
		nftnl_expr_set_u32(x, NFTNL_EXPR_META_KEY, t->key);
		nftnl_expr_set_u32(x, NFTNL_EXPR_META_DREG, NFT_REG_1);
	}
	if (!rule_mask(r, t))
		return false;
	x = expr_add(r, "cmp");
	if (!x)
		return false;
	nftnl_expr_set_u32(x, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(x, NFTNL_EXPR_CMP_OP, t->differs ? NFT_CMP_NEQ : NFT_CMP_EQ);
	nftnl_expr_set(x, NFTNL_EXPR_CMP_DATA, t->data, t->len);
	return true;
}

static bool rule_fill(struct nftnl_rule *r, const struct rule *row)
{
	struct nftnl_expr *x;

	nftnl_rule_set_str(r, NFTNL_RULE_TABLE, TABLE);
	nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, row->chain);
	nftnl_rule_set_u32(r, NFTNL_RULE_FAMILY, NFPROTO_INET);
	for (int i = 0; i < TESTS && row->tests[i].len; i++)
		if (!rule_test(r, &row->tests[i]))
			return false;
	if (!row->accept && !expr_add(r, "counter"))
		return false;
	x = expr_add(r, "immediate");
	if (!x)
		return false;
	nftnl_expr_set_u32(x, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(x, NFTNL_EXPR_IMM_VERDICT, row->accept ? NF_ACCEPT : NF_DROP);
	return true;
}

static void batch_table(struct batch *b)
{
	struct nftnl_table *t = nftnl_table_alloc();
	struct nlmsghdr *h;

	if (!t) {
		b->bad = true;
		return;
	}
	nftnl_table_set_str(t, NFTNL_TABLE_NAME, TABLE);
	h = batch_msg(b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
	nftnl_table_nlmsg_build_payload(h, t);
	batch_add(b, h);
	nftnl_table_free(t);
}

static void batch_chain(struct batch *b, const char *name, uint32_t hook)
{
	struct nftnl_chain *c = nftnl_chain_alloc();
	struct nlmsghdr *h;

	if (!c) {
		b->bad = true;
		return;
	}
	nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, TABLE);
	nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, name);
	nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, "filter");
	nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, hook);
	nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, 0);
	nftnl_chain_set_u32(c, NFTNL_CHAIN_POLICY, NF_DROP);
	h = batch_msg(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL);
	nftnl_chain_nlmsg_build_payload(h, c);
	batch_add(b, h);
	nftnl_chain_free(c);
}

static void batch_rule(struct batch *b, const struct rule *row, uint16_t flags)
{
	struct nftnl_rule *r = nftnl_rule_alloc();
	struct nlmsghdr *h;

	if (!r || !rule_fill(r, row)) {
		b->bad = true;
	} else {
		h = batch_msg(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND | flags);
		nftnl_rule_nlmsg_build_payload(h, r);
		batch_add(b, h);
	}
	if (r)
		nftnl_rule_free(r);
}

static void batch_build(struct batch *b)
{
	b->n += MNL_ALIGN(nftnl_batch_begin(b->buf, b->seq++)->nlmsg_len);
	batch_table(b);
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
		batch_chain(b, chains[i].name, chains[i].hook);
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		batch_rule(b, &rules[i], i + 1 == ARRAY_SIZE(rules) ? NLM_F_ACK : 0);
	b->last = b->seq - 1;
	b->n += MNL_ALIGN(nftnl_batch_end(b->buf + b->n, b->seq++)->nlmsg_len);
}

/*
 * Only the last rule asks for an acknowledgement; it is sent after the commit, and errors of earlier
 * messages, which abort the transaction, come before it.
 */
static int batch_commit(struct mnl_socket *nl, const struct batch *b, struct err *e)
{
	char in[NL_ANSWER_BYTES];
	const struct nlmsghdr *h;
	const struct nlmsgerr *a;
	ssize_t got;
	int n;

	if (mnl_socket_sendto(nl, b->buf, b->n) < 0)
		return fail(e, errno, "send to nftables: %s", strerror(errno));
	for (;;) {
		got = mnl_socket_recvfrom(nl, in, sizeof(in));
		if (got < 0)
			return fail(e, errno, "read from nftables: %s", strerror(errno));
		n = (int)got;
		for (h = (void *)in; mnl_nlmsg_ok(h, n); h = mnl_nlmsg_next(h, &n)) {
			if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_len < sizeof(*h) + sizeof(*a))
				return fail(e, EPROTO, "nftables: unexpected answer");
			a = mnl_nlmsg_get_payload(h);
			if (a->error)
				return fail(e, -a->error, "nftables table 'inet osh', message %u: %s",
					    h->nlmsg_seq, strerror(-a->error));
			if (h->nlmsg_seq == b->last)
				return 0;
		}
	}
}

int nft_install(struct err *e)
{
	struct batch b = { .seq = 1 };
	struct mnl_socket *nl;
	int ret;

	batch_build(&b);
	if (b.bad)
		return fail(e, ENOMEM, "build the nftables batch");
	nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!nl)
		return fail(e, errno, "open nftables netlink (NF_TABLES): %s", strerror(errno));
	ret = mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0
	      ? fail(e, errno, "bind nftables netlink: %s", strerror(errno))
	      : batch_commit(nl, &b, e);
	mnl_socket_close(nl);
	return ret;
}
