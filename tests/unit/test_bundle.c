/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bundle reader against a liar: every byte flipped and every length cut, with the content hash as
 * it was (always refused) and with the hash made right again (refused, or consistent in itself).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bundle.h"
#include "emit.h"
#include "hash.h"
#include "osh/inference.h"
#include "own.h"
#include "policy.h"
#include "../tools/bundle_walk.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

static const char policy[] =
	"version: 1\n"
	"filesystem_policy: {include_workdir: true, read_only: [/usr], read_write: [/tmp]}\n"
	"process: {run_as_user: 1000, env: {pass: [TERM], set: {CI: \"1\"}}}\n"
	"resources: {cpu: 2, memory: 1Gi, files: 64, wall: 1h}\n"
	"network: [{host: api.example.com}, {host: 1.1.1.1, port: 53}]\n"
	"network_policies:\n"
	"  r:\n"
	"    endpoints:\n"
	"      - {host: '*.example.com', ports: [80, 443]}\n"
	"      - {host: '**.b.example.com', port: 443}\n"
	"      - {host: db.example.org, port: 5432, allowed_ips: [10.0.0.0/8]}\n"
	"      - {host: a.example.net, port: 443, protocol: rest, access: read-only, path: '/{a,b}/**', credential: c}\n"
	"      - {host: a.example.net, port: 443, protocol: rest, rules: [{allow: {method: GET, path: '/[x-z]', query: {k: {any: [v, 'w*']}}}}],\n"
	"         deny_rules: [{method: '*', path: '/\\?/**'}], enforcement: audit}\n"
	"      - {host: b.example.net, port: 443, protocol: graphql, rules: [{allow: {operation_type: query, operation_name: N, fields: [f]}}],\n"
	"         persisted_queries: allow_registered, graphql_persisted_queries: {h: {operation_type: mutation, operation_name: M, fields: [g, 'i[']}}}\n"
	"      - {host: b.example.net, port: 80, protocol: mcp, rules: [{allow: {tool: 't*'}}]}\n"
	"      - {host: b.example.net, port: 81, protocol: json-rpc, rules: [{allow: {method: m}}], tls: skip}\n"
	"    binaries: [{path: /usr/bin/git}, {path: '/opt/*/bin/x'}]\n";

static struct buf compiled(void)
{
	struct tables t = { 0 };
	struct diags d = { 0 };
	struct buf b = { 0 };
	struct policy p;

	/* The stages of policy_compile(), which refuses what is not enforced yet. */
	assert_int_equal(policy_read(&p, slice_of(policy), &d), 0);
	assert_int_equal(merge_policy(&p, &t, &d), 0);
	assert_int_equal(emit_bundle(&p, &t, slice_of(policy), &d, &b), 0);
	policy_done(&p);
	diags_done(&d);
	return b;
}

static void rehash(char *p, size_t n)
{
	struct osh_bundle_header *h = (void *)p;

	if (n < sizeof(*h))
		return;
	h->size = (uint32_t)n;
	assert_int_equal(hash_bytes(h + 1, n - sizeof(*h), h->content_hash), 0);
}

/* Opens a copy that ends where the bundle ends, so that a sanitizer sees one byte too far. */
static int try_open(const char *p, size_t n)
{
	char *copy = malloc(n ? n : 1);
	struct bundle b;
	struct err e;
	int r;

	memcpy(copy, p, n);
	r = bundle_open_mem(&b, copy, n, &e);
	if (r == 0)
		bundle_walk(&b);
	free(copy);
	return r;
}

/* An amount beyond its bounds, one that nobody knows, and none at all: with a right hash all are refused. */
static void refuses_amounts(void **state)
{
	static const struct {
		int at;
		uint64_t amount;
	} bad[] = { { OSH_RES_CPU, 9 }, { OSH_RES_FILES, 15 }, { OSH_RES_FILES, 1048577 }, { OSH_RES_MEMORY, UINT64_MAX },
		    { OSH_RES_IO_WEIGHT, 10001 }, { OSH_RES_GPU_MEMORY, 65535 }, { OSH_RESOURCES, 1 }, { OSH_RESOURCES_ROOM - 1, 1 } };
	struct buf b = compiled();
	struct bundle o;
	struct err e;

	(void)state;
	for (size_t i = 0; i <= ARRAY_SIZE(bad); i++) {
		struct buf copy = { 0 };
		uint64_t *amount;

		buf_put(&copy, b.p, b.n);
		assert_int_equal(bundle_open_mem(&o, copy.p, copy.n, &e), 0);
		amount = (uint64_t *)(void *)(copy.p + ((const char *)o.limits - copy.p));
		if (i < ARRAY_SIZE(bad))
			amount[bad[i].at] = bad[i].amount;
		else
			memset(amount, 0, sizeof(struct osh_b_limits));
		rehash(copy.p, copy.n);
		if (bundle_open_mem(&o, copy.p, copy.n, &e) != -EBADMSG || !strstr(e.text, "limit"))
			fail_msg("%zu: accepted", i);
		buf_done(&copy);
	}
	buf_done(&b);
}

static const char private[] = "inference:\n"
			      "  routes: [{name: a, api: openai, host: a.test}]\n"
			      "  privacy:\n"
			      "    - {name: abcd, kinds: [email], action: redact, patterns: [\"{0,1,2,3,4,5,6,7,8,9}{0,1,2,3,4}\"]}\n"
			      "    - {name: e, kinds: [email], action: redact, patterns: [x]}\n";

/* A copy in which the first rule about content has these kinds, so many patterns, and that name of four bytes. */
static int open_private(const struct buf *b, uint32_t kinds, uint32_t n, const char *name)
{
	struct buf copy = { 0 };
	struct osh_b_privacy *rule;
	struct bundle o;
	struct err e;
	int r;

	buf_put(&copy, b->p, b->n);
	assert_int_equal(bundle_open_mem(&o, copy.p, copy.n, &e), 0);
	rule = (struct osh_b_privacy *)(void *)(copy.p + ((const char *)o.privacy - copy.p));
	assert_int_equal(o.n_patterns, 51);
	rule->kinds = kinds;
	rule->patterns = (struct osh_b_range){ 0, n };
	memcpy(copy.p + (bundle_str(&o, rule->name) - copy.p), name, 4);
	rehash(copy.p, copy.n);
	r = try_open(copy.p, copy.n);
	buf_done(&copy);
	return r;
}

/* More than a rule can look for is not left away; and its name is put into JSON. */
static void refuses_rules_about_content(void **state)
{
	static const char *const names[] = { "ab\"d", "ab\\d", "ab d", "\nbcd", "abc\x80", "\0bcd" };
	struct diags d = { 0 };
	struct buf b = { 0 };
	uint32_t all = (1u << OSH_CONTENTS) - 1, shapes = 0;

	(void)state;
#define KIND(id, word)
#define TOKEN(kind, pattern, least, flags, until) shapes++;
#include "osh/content.def"
#undef KIND
#undef TOKEN
	assert_int_equal(policy_compile(slice_of(private), &d, &b), 0);
	assert_int_equal(open_private(&b, 1u << OSH_CONTENT_EMAIL, 51, "a.-_"), 0);
	assert_int_equal(open_private(&b, all, OSH_PRIVACY_SHAPES - shapes, "abcd"), 0);
	assert_int_equal(open_private(&b, all, OSH_PRIVACY_SHAPES - shapes + 1, "abcd"), -EBADMSG);
	assert_int_equal(open_private(&b, all, 51, "abcd"), -EBADMSG);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (open_private(&b, all, 1, names[i]) != -EBADMSG)
			fail_msg("name %zu: accepted", i);
	diags_done(&d);
	buf_done(&b);
}

static void accepts_what_the_compiler_writes(void **state)
{
	struct buf b = compiled();
	struct bundle o;
	struct err e;

	(void)state;
	if (bundle_open_mem(&o, b.p, b.n, &e) < 0)
		fail_msg("%s", e.text);
	bundle_walk(&o);
	assert_int_equal(o.n_fs, 2);
	assert_int_equal(o.n_env, 2);
	assert_int_equal(o.n_suffixes, 2);
	assert_int_equal(o.n_cidrs, 1);
	assert_int_equal(o.n_upstream, 1);
	assert_int_equal(o.meta->n_groups, 2);
	assert_int_equal(o.n_l7, 5);
	assert_int_equal(o.n_matches, 5);
	assert_int_equal(o.n_queries, 1);
	assert_int_equal(o.n_fields, 2);
	assert_int_equal(o.meta->uid, 1000);
	buf_done(&b);
}

static void refuses_every_flip(void **state)
{
	struct buf b = compiled();

	(void)state;
	for (size_t i = 0; i < b.n; i++) {
		if (i >= offsetof(struct osh_bundle_header, policy_hash) &&
		    i < sizeof(struct osh_bundle_header))
			continue;	/* says what the source was; covered by nothing */
		for (int bit = 0; bit < 8; bit++) {
			b.p[i] ^= (char)(1 << bit);
			if (try_open(b.p, b.n) == 0)
				fail_msg("byte %zu bit %d accepted", i, bit);
			b.p[i] ^= (char)(1 << bit);
		}
	}
	buf_done(&b);
}

static void flips_with_a_right_hash_stay_consistent(void **state)
{
	static const unsigned char with[] = { 0x01, 0x80, 0xff, 0x10, 0x02 };
	struct buf b = compiled();
	char *copy = malloc(b.n);
	unsigned refused = 0, taken = 0;

	(void)state;
	for (size_t i = 0; i < b.n; i++) {
		for (size_t k = 0; k < ARRAY_SIZE(with); k++) {
			memcpy(copy, b.p, b.n);
			copy[i] ^= (char)with[k];
			rehash(copy, b.n);
			if (try_open(copy, b.n) < 0)
				refused++;
			else
				taken++;
		}
	}
	print_message("# %u refused, %u consistent\n", refused, taken);
	assert_true(refused > taken);
	free(copy);
	buf_done(&b);
}

static void refuses_every_cut(void **state)
{
	struct buf b = compiled();
	char *copy = malloc(b.n + 8);

	(void)state;
	for (size_t n = 0; n < b.n; n++) {
		assert_true(try_open(b.p, n) < 0);
		memcpy(copy, b.p, b.n);
		rehash(copy, n);
		if (try_open(copy, n) == 0)
			fail_msg("cut to %zu of %zu accepted", n, b.n);
	}
	memset(copy, 0, b.n + 8);
	memcpy(copy, b.p, b.n);
	rehash(copy, b.n + 8);		/* longer is no better */
	assert_true(try_open(copy, b.n + 8) < 0);
	free(copy);
	buf_done(&b);
}

static void wants_seals(void **state)
{
	static const int seals[] = { 0, F_SEAL_WRITE, F_SEAL_WRITE | F_SEAL_GROW,
				     F_SEAL_SHRINK | F_SEAL_GROW };
	struct buf b = compiled();
	struct bundle o = { 0 };
	struct err e;

	(void)state;
	for (size_t i = 0; i <= ARRAY_SIZE(seals); i++) {
		_close_ int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		int all = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;

		assert_int_equal(write(fd, b.p, b.n), (ssize_t)b.n);
		assert_int_equal(fcntl(fd, F_ADD_SEALS, i < ARRAY_SIZE(seals) ? seals[i] : all), 0);
		assert_int_equal(bundle_open_fd(&o, fd, &e) == 0, i == ARRAY_SIZE(seals));
	}
	bundle_done(&o);
	assert_true(bundle_open_fd(&o, STDIN_FILENO, &e) < 0);
	bundle_done(&o);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_what_the_compiler_writes),
		cmocka_unit_test(refuses_amounts),
		cmocka_unit_test(refuses_rules_about_content),
		cmocka_unit_test(refuses_every_flip),
		cmocka_unit_test(flips_with_a_right_hash_stay_consistent),
		cmocka_unit_test(refuses_every_cut),
		cmocka_unit_test(wants_seals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
