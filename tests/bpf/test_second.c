/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The egress' second judgement: a mark that the connect hook should never have given is refused here
 * too. Real maps, a bundle of one host, no kernel program.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <arpa/inet.h>
#include <bpf/bpf.h>

#include "../../userspace/egress/table.h"
#include "own.h"

#include <cmocka.h>			/* last: it defines fail() */

#define ID 7
#define GEN 3
#define MARK(ident) (OSH_MARK_JUDGED | GEN << 17 | (ident))
#define CURL 11				/* ident in group 1 */
#define GIT 12				/* ident in group 2, whose rule ignores taint */
#define OLD 13				/* judged for another generation only */
#define NOBODY 99

static const char strings[] = "\0api.test\0rule";
static const struct osh_b_host hosts[] = { { 1, OSH_HOST_EXACT }, { 0, OSH_HOST_CIDR } };
static const struct osh_b_endpoint endpoints[] = {
	{ 1, 80, 2, 1 }, { 1, 443, 0, 2 }, { 1, 8080, 3, 4 }, { 2, 80, 2, 1 },
};
static const struct osh_b_cidr cidrs[] = { { { [10] = 0xff, 0xff, 127 }, 96 + 8, 2 } };
static const struct osh_b_alt alts[] = {
	{ 1, 0, 0, 0 }, { 2, 1, OSH_ALT_TAINT_OK, 0 },	/* 443: two programs */
	{ 0, 2, 0, 0 },					/* 80: any */
	{ 0, 7, OSH_ALT_L7 | OSH_ALT_TLS_SKIP, 0 },	/* 8080: who is looked into by which rules */
	{ 1, 3, OSH_ALT_TLS_SKIP, 0 }, { 1, 9, OSH_ALT_L7, 0 },
	{ 2, 1, OSH_ALT_L7 | OSH_ALT_TAINT_OK, 0 },
};
static const struct bundle bundle = {
	.strings = strings, .n_strings = sizeof(strings), .hosts = hosts, .n_hosts = 2,
	.cidrs = cidrs, .n_cidrs = 1, .endpoints = endpoints, .n_endpoints = 4, .alts = alts, .n_alts = 7,
};
static struct table table = { .bundle = &bundle, .id = ID, .generation = GEN };

static void put_ident(uint32_t ident, uint32_t generation, uint64_t groups)
{
	struct osh_ident_key k = { ID, ident };
	struct osh_ident v = { .path = "/usr/bin/curl" };	/* the same path: it must not matter */

	v.by[generation & 1].generation = generation;
	v.by[generation & 1].groups[0] = groups;
	assert_int_equal(bpf_map_update_elem(table.idents_fd, &k, &v, BPF_ANY), 0);
}

static int setup(void **state)
{
	struct osh_addr_key k = { ID, 5 };
	struct osh_addr a = { .name = "api.test" };

	(void)state;
	table.addrs_fd = bpf_map_create(BPF_MAP_TYPE_HASH, "addrs", sizeof(k), sizeof(a), 8, NULL);
	table.idents_fd = bpf_map_create(BPF_MAP_TYPE_HASH, "idents", sizeof(struct osh_ident_key),
					 sizeof(struct osh_ident), 8, NULL);
	if (table.addrs_fd < 0 || table.idents_fd < 0)
		return -1;
	put_ident(CURL, GEN, 1 << 1);
	put_ident(GIT, GEN, 1 << 2);
	put_ident(OLD, GEN - 1, 1 << 1);
	return bpf_map_update_elem(table.addrs_fd, &k, &a, BPF_ANY);
}

static int teardown(void **state)
{
	(void)state;
	own_close(&table.addrs_fd);
	own_close(&table.idents_fd);
	return 0;
}

static void marks(void **state)
{
	static const struct {
		uint32_t index;
		uint16_t port;
		uint32_t mark;
		enum osh_reason want;
		uint32_t rule;
	} cases[] = {
		{ 5, 443, 0, OSH_WHY_MARK, 0 },
		{ 5, 443, CURL, OSH_WHY_MARK, 0 },			/* never judged */
		{ 5, 443, MARK(CURL) + (1 << 17), OSH_WHY_MARK, 0 },	/* another generation */
		{ 6, 443, MARK(CURL), OSH_WHY_DEST_UNKNOWN, 0 },
		{ 5, 22, MARK(CURL), OSH_WHY_PORT, 0 },
		{ 5, 443, MARK(CURL), OSH_WHY_ALLOWED, 1 },
		{ 5, 443, MARK(GIT), OSH_WHY_ALLOWED, 2 },
		{ 5, 443, MARK(0), OSH_WHY_NO_IDENTITY, 0 },
		{ 5, 443, MARK(NOBODY), OSH_WHY_BINARY, 0 },
		{ 5, 443, MARK(OLD), OSH_WHY_BINARY, 0 },
		{ 5, 443, MARK(CURL) | OSH_MARK_TAINT, OSH_WHY_TAINTED, 0 },
		{ 5, 443, MARK(GIT) | OSH_MARK_TAINT, OSH_WHY_ALLOWED, 2 },
		{ 5, 80, MARK(0), OSH_WHY_ALLOWED, 3 },
		{ 5, 80, MARK(CURL) | OSH_MARK_TAINT, OSH_WHY_ALLOWED, 3 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t be = htonl(OSH_NET4 + cases[i].index);
		struct ip dst = ip_from4(&be);
		struct target t;
		enum osh_reason why = table_judge(&table, &dst, cases[i].port, cases[i].mark, &t);

		if (why != cases[i].want || (why == OSH_WHY_ALLOWED && t.rule != cases[i].rule))
			fail_msg("case %zu: reason %d, rule %u", i, why, t.rule);
	}
}

/* Requests are judged by the rules that let the program through, in the order of the policy, and by no others. */
static void rules_that_let_it_through(void **state)
{
	static const struct {
		uint32_t mark, n, rules[4], flags, common;
	} cases[] = {
		{ MARK(CURL), 3, { 3, 7, 9 }, OSH_ALT_L7 | OSH_ALT_TLS_SKIP, 0 },
		{ MARK(GIT), 2, { 1, 7 }, OSH_ALT_L7 | OSH_ALT_TLS_SKIP | OSH_ALT_TAINT_OK, OSH_ALT_L7 },
		{ MARK(GIT) | OSH_MARK_TAINT, 2, { 1, 7 }, OSH_ALT_L7 | OSH_ALT_TLS_SKIP | OSH_ALT_TAINT_OK, OSH_ALT_L7 },
		{ MARK(CURL) | OSH_MARK_TAINT, 1, { 7 }, OSH_ALT_L7 | OSH_ALT_TLS_SKIP, OSH_ALT_L7 | OSH_ALT_TLS_SKIP },
		{ MARK(0), 1, { 7 }, OSH_ALT_L7 | OSH_ALT_TLS_SKIP, OSH_ALT_L7 | OSH_ALT_TLS_SKIP },
	};
	uint32_t be = htonl(OSH_NET4 + 5);
	struct ip dst = ip_from4(&be);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct target t;

		assert_int_equal(table_judge(&table, &dst, 8080, cases[i].mark, &t), OSH_WHY_ALLOWED);
		if (t.n_rules != cases[i].n || memcmp(t.rules, cases[i].rules, t.n_rules * sizeof(*t.rules)) ||
		    t.flags != cases[i].flags || t.common != cases[i].common)
			fail_msg("case %zu: %u rules, flags %x, common %x", i, t.n_rules, t.flags, t.common);
	}
}

/*
 * A sandbox can find the listener's port on its own loopback, where no hook judges, and its sockets are
 * marked. Nothing comes of it, not even where a policy lists loopback addresses.
 */
static void the_listener_itself(void **state)
{
	static const uint8_t own[][16] = { { [10] = 0xff, 0xff, 127, 0, 0, 1 }, { [15] = 1 } };
	static const enum osh_reason want[][2] = { { OSH_WHY_ADDR_FORBIDDEN, OSH_WHY_PORT },
						   { OSH_WHY_DEST_UNKNOWN, OSH_WHY_DEST_UNKNOWN } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		struct ip dst;
		struct target t;

		memcpy(dst.b, own[i], sizeof(dst.b));
		assert_int_equal(table_judge(&table, &dst, 80, MARK(CURL), &t), want[i][0]);
		assert_int_equal(table_judge(&table, &dst, 40001, MARK(CURL), &t), want[i][1]);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks),
		cmocka_unit_test(rules_that_let_it_through),
		cmocka_unit_test(the_listener_itself),
	};

	return cmocka_run_group_tests_name("second", tests, setup, teardown);
}
