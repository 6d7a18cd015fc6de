/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of a bundle, looked up the way the kernel does (tools/kernel_tables.h), against the meaning
 * of the policy (eval_*.c), over random policies and requests. The lookup is also run with one fault at
 * a time, to show that the test sees faults.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/kernel_tables.h"
#include "policy.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

static unsigned pick(unsigned n)
{
	return (unsigned)random() % n;
}

struct round {
	struct buf text, bundle_bytes;
	struct bundle bundle;
	struct policy policy;
};

/* One policy that compiles; contradictory ones are thrown away. */
static void round_new(struct round *r)
{
	for (;;) {
		struct diags d = { 0 };
		struct err e;
		int bad;

		*r = (struct round){ 0 };
		random_policy(&r->text);
		bad = policy_compile((struct slice){ r->text.p, r->text.n }, &d, &r->bundle_bytes);
		for (uint32_t i = 0; i < d.n; i++)
			if (diag_severity(d.v[i].code) == DIAG_ERROR && d.v[i].code != DIAG_AMBIGUOUS)
				fail_msg("%s\n%.*s", d.v[i].text, (int)r->text.n, r->text.p);
		diags_done(&d);
		if (bad < 0) {
			buf_done(&r->text);
			continue;
		}
		if (bundle_open_mem(&r->bundle, r->bundle_bytes.p, r->bundle_bytes.n, &e) < 0)
			fail_msg("%s", e.text);
		assert_int_equal(policy_read(&r->policy, (struct slice){ r->text.p, r->text.n }, &d), 0);
		diags_done(&d);
		return;
	}
}

static void round_done(struct round *r)
{
	policy_done(&r->policy);
	buf_done(&r->text);
	buf_done(&r->bundle_bytes);
}

struct tally {
	unsigned allowed, denied, wrong[FAULT_MAX], wrong_dns[FAULT_MAX];
};

static void ask(const struct round *r, struct tally *t)
{
	struct buf name = { 0 };
	const char *program = programs[pick(ARRAY_SIZE(programs))];
	struct eval_connect c = { .port = 1 + pick(4), .tainted = !pick(4) };
	struct decision want, dns;

	if (pick(5))
		random_name(&name, pick(5));
	else
		buf_str(&name, addrs[pick(ARRAY_SIZE(addrs))]);
	buf_put(&name, "", 1);
	c.host = name.p;
	c.binary = strpbrk(program, "*?{") ? NULL : program;
	want = eval_connect(&r->policy, &c);
	/* What is never dialled is in no table. */
	if (want.why == OSH_WHY_ADDR_FORBIDDEN)
		want.why = OSH_WHY_DEST_UNKNOWN;
	if (want.verdict == OSH_ALLOW)
		t->allowed++;
	else
		t->denied++;
	for (int f = 0; f < FAULT_MAX; f++) {
		struct decision got = look_up(&r->bundle, &c, (enum fault)f);

		t->wrong[f] += !same(&want, &got);
		if (f == FAULT_NONE && !same(&want, &got))
			fail_msg("%s:%u by %s%s: eval %u/%u %s:%u, tables %u/%u %s:%u\n%.*s", c.host, c.port,
				 c.binary ? c.binary : "-", c.tainted ? " tainted" : "", want.verdict,
				 want.why, want.rule ? want.rule : "-", want.line, got.verdict, got.why,
				 got.rule ? got.rule : "-", got.line, (int)r->text.n, r->text.p);
	}
	dns = eval_dns(&r->policy, c.host);
	for (int f = 0; f < FAULT_MAX && dns.why != OSH_WHY_NAME_BAD; f++)
		t->wrong_dns[f] += (dns.verdict == OSH_ALLOW) !=
				   (host_of_name(&r->bundle, c.host, (enum fault)f) != 0);
	buf_done(&name);
}

static void tables_mean_what_the_policy_means(void **state)
{
	const char *seed = getenv("OSH_SEED");
	struct tally t = { 0 };

	(void)state;
	srandom(seed ? (unsigned)atoi(seed) : 20261);
	for (int i = 0; i < 1500; i++) {
		struct round r;

		round_new(&r);
		for (int k = 0; k < 200; k++)
			ask(&r, &t);
		round_done(&r);
	}
	print_message("# %u allowed, %u denied\n", t.allowed, t.denied);
	assert_true(t.allowed > 10000 && t.denied > 10000);
	assert_int_equal(t.wrong_dns[FAULT_NONE], 0);
	for (int f = FAULT_NONE + 1; f < FAULT_MAX; f++)
		if (!t.wrong[f])
			fail_msg("fault %d goes unseen", f);
	for (int f = FAULT_SHORT_SUFFIX; f <= FAULT_NO_EXACT; f++)	/* those of names */
		if (!t.wrong_dns[f])
			fail_msg("fault %d of the names goes unseen", f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_mean_what_the_policy_means),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
