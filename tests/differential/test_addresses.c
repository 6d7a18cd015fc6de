/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard of the egress (addr.c, over the bundle's table of allowed_ips) against the meaning of the
 * policy (eval_addr): every special range at its edges and inside IPv6 forms that carry IPv4, and
 * random policies with random answers. Then the same with one fault in the table at a time, to show
 * that the test sees faults. Two questions also go through table_judge(), the egress' own look-up of
 * literals.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/egress/table.h"
#include "bundle.h"
#include "eval.h"
#include "own.h"
#include "policy.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

/* addr.h of the egress has an enum whose names are those of host.h, so it cannot be included beside it. */
enum osh_reason addr_judge(const struct bundle *b, uint32_t host, uint16_t port, const struct ip *a);

enum fault {
	FAULT_NONE, FAULT_SHORTER, FAULT_LONGER, FAULT_HOST, FAULT_PORT, FAULT_LOST, FAULT_EMPTY, FAULT_OTHER_BITS,
	FAULT_MAX,
};

struct world {
	struct buf text, bytes;
	struct bundle b;
	struct policy p;
	struct osh_b_upstream *upstream;	/* a copy that may be spoilt */
};

struct tally {
	unsigned allowed, denied, tried[FAULT_MAX], seen[FAULT_MAX];
};

static const char *const nets[] = {
	"1.2.3.0/24", "1.2.3.4", "1.2.0.0/16", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "192.168.0.0/16", "100.64.0.0/10",
	"2600::/16", "2600:1::/32", "fd00::/8", "fd00:1::7", "64:ff9b::10.1.0.0/112", "192.0.2.0/24",
};

/* First and last of what is special, and beside it; and forms that carry such an address. */
static const char *const edges[] = {
	"0.0.0.0", "0.255.255.255", "1.0.0.0", "9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0", "100.63.255.255",
	"100.64.0.0", "100.100.100.199", "100.100.100.200", "100.100.100.201", "100.127.255.255", "100.128.0.0",
	"126.255.255.255", "127.0.0.1", "127.255.255.255", "128.0.0.0", "168.63.129.15", "168.63.129.16", "168.63.129.17",
	"169.253.255.255", "169.254.0.0", "169.254.169.254", "169.255.0.0", "172.15.255.255", "172.16.0.0", "172.31.255.255",
	"172.32.0.0", "191.255.255.255", "192.0.0.0", "192.0.0.192", "192.0.0.255", "192.0.1.0", "192.0.2.0", "192.0.2.255",
	"192.0.3.0", "192.88.98.255", "192.88.99.1", "192.88.100.0", "192.167.255.255", "192.168.0.0", "192.168.255.255",
	"192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.100.9", "198.51.101.0", "203.0.112.255",
	"203.0.113.9", "203.0.114.0", "223.255.255.255", "224.0.0.0", "239.255.255.255", "240.0.0.0", "255.255.255.255",
	"::", "::1", "::2", "::1.1.1.1", "::ffff:1.1.1.1", "::ffff:10.0.0.1", "::fffe:1.1.1.1", "::1:0:0", "64:ff9a::1",
	"64:ff9b::1.1.1.1", "64:ff9b::10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b::1:1.1.1.1",
	"64:ff9b:1::1", "64:ff9b:2::1", "ff::1", "100::1", "100:0:0:1::1", "1fff::1", "2000::1", "2001::1", "2001:1ff::1",
	"2001:200::1", "2001:db7::1", "2001:db8::1", "2001:db9::1", "2002:101:101::1", "2002:a00:1::1", "2002:7f00:1::1",
	"2002:a9fe:a9fe::1", "2003::1", "2600::1", "2600:1::7", "3ffe::1", "3fff::1", "3fff:fff::1", "3fff:1000::1", "4000::1",
	"5eff::1", "5f00::1", "5f01::1", "8000::1", "fbff::1", "fc00::1", "fd00::1", "fd00:1::7", "fd00:ec2::253", "fd00:ec2::254",
	"fd20:ce::254", "fd20:ce::255", "fe00::1", "fe7f::1", "fe80::1", "febf::1", "fec0::1", "feff::1", "ff02::1", "ffff::1",
	"1.2.3.4", "1.2.3.5", "1.2.4.1", "10.1.2.3", "10.1.9.9", "9.9.9.9",
};

static unsigned pick(unsigned n)
{
	return (unsigned)random() % n;
}

static struct ip ip_of(const char *text)
{
	struct in_addr four;
	struct ip a;

	if (inet_pton(AF_INET, text, &four) == 1)
		return ip_from4(&four);
	assert_int_equal(inet_pton(AF_INET6, text, a.b), 1);
	return a;
}

static void random_address(char out[64])
{
	if (pick(4)) {
		strcpy(out, edges[pick(ARRAY_SIZE(edges))]);
		return;
	}
	if (pick(2))
		snprintf(out, 64, "%u.%u.%u.%u", pick(256), pick(256), pick(256), pick(256));
	else
		snprintf(out, 64, "%x:%x::%x:%x", pick(65536), pick(65536), pick(65536), pick(65536));
}

/* Names and ports with and without a list; several programs' rules for one name say the same. */
static void world_new(struct world *w)
{
	struct diags d = { 0 };
	struct err e;
	int r;

	do {
		*w = (struct world){ 0 };
		buf_str(&w->text, "network:\n");
		for (unsigned i = 0, n = 2 + pick(4); i < n; i++) {
			static const char *const stars[] = { "", "", "*.", "**." };

			buf_printf(&w->text, "  - {host: '%s%c.t.test', ports: [%u]", stars[pick(4)], "abc"[pick(3)], 1 + pick(2));
			if (pick(3)) {
				buf_str(&w->text, ", allowed_ips: [");
				for (unsigned k = 0, m = 1 + pick(3); k < m; k++)
					buf_printf(&w->text, "%s'%s'", k ? ", " : "", nets[pick(ARRAY_SIZE(nets))]);
				buf_str(&w->text, "]");
			}
			buf_str(&w->text, "}\n");
		}
		r = policy_compile((struct slice){ w->text.p, w->text.n }, &d, &w->bytes);
		diags_done(&d);
		if (r < 0)
			buf_done(&w->text);
	} while (r < 0);
	if (bundle_open_mem(&w->b, w->bytes.p, w->bytes.n, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(policy_read(&w->p, (struct slice){ w->text.p, w->text.n }, &d), 0);
	diags_done(&d);
	w->upstream = calloc(w->b.n_upstream + 1, sizeof(*w->upstream));
}

static void world_done(struct world *w)
{
	free(w->upstream);
	policy_done(&w->p);
	buf_done(&w->text);
	buf_done(&w->bytes);
}

/* Number of the host that the name has in the bundle, looked up plainly; 0 = none. */
static uint32_t host_of(const struct bundle *b, const char *name)
{
	uint32_t found = 0, best = 0;

	for (uint32_t i = 0; i < b->n_hosts; i++)
		if (b->hosts[i].kind == OSH_HOST_EXACT && !strcmp(bundle_str(b, b->hosts[i].name), name))
			return i + 1;
	for (uint32_t i = 0; i < b->n_suffixes; i++) {
		const char *suffix = bundle_str(b, b->suffixes[i].suffix);
		size_t n = strlen(suffix), len = strlen(name);

		if (n <= best || n >= len || strcmp(name + len - n, suffix))
			continue;
		best = (uint32_t)n;
		found = memchr(name, '.', len - n) ? b->suffixes[i].deep : b->suffixes[i].one;
	}
	return found;
}

/* Spoils the table; false = this fault cannot be made here. */
static bool spoil(struct world *w, struct bundle *b, enum fault f)
{
	uint32_t n = w->b.n_upstream, at = n ? pick(n) : 0;
	struct osh_b_upstream *u = &w->upstream[at];

	if (!n)
		return false;
	memcpy(w->upstream, w->b.upstream, n * sizeof(*u));
	*b = w->b;
	b->upstream = w->upstream;
	switch (f) {
	case FAULT_SHORTER:
		u->bits -= u->bits > 97;
		return true;
	case FAULT_LONGER:
		u->bits += u->bits < 128;
		return u->bits < 128;
	case FAULT_HOST:
		u->host = 1 + u->host % b->n_hosts;
		return b->n_hosts > 1;
	case FAULT_PORT:
		u->port = 3 - u->port;
		return true;
	case FAULT_LOST:
		*u = w->upstream[n - 1];
		b->n_upstream--;
		return true;
	case FAULT_EMPTY:
		b->n_upstream = 0;
		return true;
	case FAULT_OTHER_BITS:
		u->addr[u->bits / 8 - 1] ^= 1;
		return true;
	case FAULT_NONE:
	case FAULT_MAX:
		break;
	}
	return true;
}

static bool guard_allows(const struct bundle *b, uint32_t host, uint16_t port, const struct ip *a)
{
	return addr_judge(b, host, port, a) == OSH_WHY_ALLOWED;
}

static void ask(struct world *w, struct tally *t)
{
	static const char *const first[] = { "a", "b", "c", "x.a", "y.x.b", "z.c" };
	char name[64], text[64];
	const char *addr = text;
	struct eval_connect c = { .host = name, .port = 1 + pick(2) };
	uint32_t host;
	struct ip a;
	bool want;

	snprintf(name, sizeof(name), "%s.t.test", first[pick(6)]);
	if (eval_connect(&w->p, &c).verdict != OSH_ALLOW)
		return;
	random_address(text);
	a = ip_of(text);
	host = host_of(&w->b, name);
	want = eval_addr(&w->p, &c, &addr, 1).verdict == OSH_ALLOW;
	t->allowed += want;
	t->denied += !want;
	if (guard_allows(&w->b, host, (uint16_t)c.port, &a) != want)
		fail_msg("%s:%u at %s: eval %s, egress the other way\n%.*s", name, c.port, text, want ? "allows" : "denies",
			 (int)w->text.n, w->text.p);
	for (int f = FAULT_NONE + 1; f < FAULT_MAX; f++) {
		struct bundle spoilt;

		if (!spoil(w, &spoilt, (enum fault)f))
			continue;
		t->tried[f]++;
		t->seen[f] += guard_allows(&spoilt, host, (uint16_t)c.port, &a) != want;
	}
}

static void the_guard_means_what_the_policy_means(void **state)
{
	const char *seed = getenv("OSH_SEED");
	struct tally t = { 0 };

	(void)state;
	srandom(seed ? (unsigned)atoi(seed) : 4711);
	for (int i = 0; i < 1500; i++) {
		struct world w;

		world_new(&w);
		for (int k = 0; k < 300; k++)
			ask(&w, &t);
		world_done(&w);
	}
	print_message("# %u allowed, %u denied\n", t.allowed, t.denied);
	assert_true(t.allowed > 10000 && t.denied > 10000);
	for (int f = FAULT_NONE + 1; f < FAULT_MAX; f++)
		if (!t.seen[f])
			fail_msg("fault %d goes unseen in %u tables", f, t.tried[f]);
}

/* Without a list, every edge: here the two have nothing in common but RFC 6890. */
static void every_edge(void **state)
{
	static const char yaml[] = "network:\n  - {host: a.t.test}\n";
	struct diags d = { 0 };
	struct bundle none = { 0 };
	struct policy p;
	unsigned bad = 0;

	(void)state;
	assert_int_equal(policy_read(&p, slice_of(yaml), &d), 0);
	for (size_t i = 0; i < ARRAY_SIZE(edges); i++) {
		struct eval_connect c = { .host = "a.t.test", .port = 443 };
		enum osh_reason want = eval_addr(&p, &c, &edges[i], 1).why, got;
		struct ip a = ip_of(edges[i]);

		got = addr_judge(&none, 1, 443, &a);
		if (want != got) {
			print_error("%s: eval %u, egress %u\n", edges[i], want, got);
			bad++;
		}
	}
	policy_done(&p);
	diags_done(&d);
	assert_int_equal(bad, 0);
}

/* Literals: the egress looks them up by themselves, most specific network first. */
static void literals(void **state)
{
	static const char yaml[] = "network:\n  - {host: 1.2.0.0/16, ports: [1]}\n  - {host: 1.2.3.4, ports: [2]}\n"
				   "  - {host: 10.0.0.0/8, ports: [1], allowed_ips: [10.1.0.0/16]}\n";
	static const char *const ask_at[] = { "1.2.3.4", "1.2.3.5", "1.3.0.1", "10.1.0.1", "10.2.0.1", "9.9.9.9" };
	struct diags d = { 0 };
	struct buf bytes = { 0 };
	struct bundle b;
	struct policy p;
	struct err e;

	(void)state;
	assert_int_equal(policy_compile(slice_of(yaml), &d, &bytes), 0);
	assert_int_equal(bundle_open_mem(&b, bytes.p, bytes.n, &e), 0);
	assert_int_equal(policy_read(&p, slice_of(yaml), &d), 0);
	for (size_t i = 0; i < ARRAY_SIZE(ask_at); i++)
		for (uint32_t port = 1; port <= 3; port++) {
			const struct table tb = { .bundle = &b, .id = 1, .generation = 1, .addrs_fd = -1, .idents_fd = -1 };
			struct eval_connect c = { .host = ask_at[i], .port = port };
			bool want = eval_connect(&p, &c).verdict == OSH_ALLOW &&
				    eval_addr(&p, &c, &ask_at[i], 1).verdict == OSH_ALLOW;
			struct ip a = ip_of(ask_at[i]);
			struct target t;

			if ((table_judge(&tb, &a, (uint16_t)port, OSH_MARK_JUDGED | 1u << 17, &t) == OSH_WHY_ALLOWED) != want)
				fail_msg("%s:%u: eval %s", ask_at[i], port, want ? "allows" : "denies");
		}
	policy_done(&p);
	diags_done(&d);
	buf_done(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_edge),
		cmocka_unit_test(the_guard_means_what_the_policy_means),
		cmocka_unit_test(literals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
