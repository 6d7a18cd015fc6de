/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that one policy allowed, judged again by the next (table_again(), grants): the answer is that of the
 * next policy's meaning (eval), whatever the first one said, for random pairs of policies. And a generation lives as
 * long as what it judged, no longer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/egress/grant.h"
#include "buf.h"
#include "bundle.h"
#include "eval.h"
#include "own.h"
#include "policy.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

#define PAIRS 400

static const char *const nets[] = { "1.2.0.0/16", "1.2.3.0/24", "1.2.3.4", "9.0.0.0/8", "9.9.0.0/16", "8.0.0.0/8", "2600::/16", "2600::7" };
static const char *const ask_at[] = { "1.2.3.4", "1.2.3.5", "1.2.9.9", "9.9.9.9", "9.8.0.1", "7.7.7.7", "2600::7", "2600::8", "8.8.8.8" };

struct world {
	struct buf text, bytes;
	struct policy p;
	struct generation g;
};

static void make(struct world *w, uint32_t generation)
{
	struct diags d = { 0 };
	struct err e;

	*w = (struct world){ 0 };
	do {				/* some say a thing twice, and do not compile */
		buf_done(&w->text);
		buf_done(&w->bytes);
		w->text = w->bytes = (struct buf){ 0 };
		diags_done(&d);
		d = (struct diags){ 0 };
		buf_str(&w->text, "network:\n");
		for (int i = 0, n = 1 + rand() % 5; i < n; i++)
			buf_printf(&w->text, "  - {host: '%s', ports: [%d]}\n", nets[rand() % ARRAY_SIZE(nets)], 1 + rand() % 3);
	} while (policy_compile((struct slice){ w->text.p, w->text.n }, &d, &w->bytes) < 0);
	assert_int_equal(bundle_open_mem(&w->g.bundle, w->bytes.p, w->bytes.n, &e), 0);
	assert_int_equal(policy_read(&w->p, (struct slice){ w->text.p, w->text.n }, &d), 0);
	diags_done(&d);
	w->g.table = (struct table){ .bundle = &w->g.bundle, .id = 1, .generation = generation, .addrs_fd = -1, .idents_fd = -1 };
	w->g.refs = 1;
}

static void done(struct world *w)
{
	policy_done(&w->p);
	buf_done(&w->text);
	buf_done(&w->bytes);
}

static bool means(const struct world *w, const char *host, uint32_t port)
{
	struct eval_connect c = { .host = host, .port = port };

	return eval_connect(&w->p, &c).verdict == OSH_ALLOW && eval_addr(&w->p, &c, &host, 1).verdict == OSH_ALLOW;
}

static struct ip ip_of(const char *s)
{
	struct ip a = { 0 };
	struct in_addr four;

	if (inet_pton(AF_INET, s, &four) == 1)
		return ip_from4(&four);
	assert_int_equal(inet_pton(AF_INET6, s, a.b), 1);
	return a;
}

static void the_next_policy_decides(void **state)
{
	unsigned from[2][2] = { { 0 } };

	(void)state;
	srand(7);
	for (int i = 0; i < PAIRS; i++) {
		struct world a, b;

		make(&a, 1);
		make(&b, 2);
		for (size_t k = 0; k < ARRAY_SIZE(ask_at); k++)
			for (uint16_t port = 1; port <= 3; port++) {
				struct ip ip = ip_of(ask_at[k]);
				struct grant *was = grant_new(&a.g, &ip, port, OSH_MARK_JUDGED | 1u << 17);
				struct grant *now = grant_again(&b.g, was);
				struct grant *new = grant_new(&b.g, &ip, port, OSH_MARK_JUDGED | 2u << 17);
				bool first = means(&a, ask_at[k], port), want = means(&b, ask_at[k], port);

				if ((was->why == OSH_WHY_ALLOWED) != first || (now->why == OSH_WHY_ALLOWED) != want)
					fail_msg("%s:%u after\n%.*sthen\n%.*s", ask_at[k], port, (int)a.text.n, a.text.p,
						 (int)b.text.n, b.text.p);
				assert_int_equal(now->why, new->why);
				assert_int_equal(now->target.host, new->target.host);
				assert_int_equal(now->target.rule, new->target.rule);
				assert_int_equal(now->target.n_rules, new->target.n_rules);
				from[first][want]++;
				grant_put(was);
				grant_put(now);
				grant_put(new);
			}
		assert_int_equal(a.g.refs, 1);
		assert_int_equal(b.g.refs, 1);
		done(&a);
		done(&b);
	}
	for (int i = 0; i < 4; i++)
		assert_true(from[i / 2][i % 2] > 100);
}

/* Who connects is carried over, the mark's generation is not. */
static void who_it_is_stays(void **state)
{
	struct world a, b;
	struct grant *was, *now;
	struct ip ip = ip_of("1.2.3.4");

	(void)state;
	make(&a, 1);
	make(&b, 2);
	was = grant_new(&a.g, &ip, 1, OSH_MARK_JUDGED | OSH_MARK_TAINT | 1u << 17 | 77);
	now = grant_again(&b.g, was);
	assert_int_equal(now->target.ident, 77);
	assert_true(now->target.tainted);
	assert_int_equal(now->target.port, 1);
	assert_ptr_equal(now->policy, &b.g);
	grant_put(now);
	now = grant_new(&a.g, &ip, 1, OSH_MARK_JUDGED | 2u << 17);
	assert_int_equal(now->why, OSH_WHY_MARK);	/* newer than the policy that it is shown to */
	grant_put(now);
	grant_put(was);
	done(&a);
	done(&b);
}

static void a_generation_lives_as_long_as_what_it_judged(void **state)
{
	struct world a, b;
	struct generations gs = { .sandboxes_fd = -1 };
	struct grant *held, *other;
	struct ip ip = ip_of("1.2.3.4");

	(void)state;
	make(&a, 1);
	make(&b, 2);
	gs.now = &a.g;
	held = grant_new(&a.g, &ip, 1, OSH_MARK_JUDGED | 1u << 17);
	other = grant_ref(held);
	assert_int_equal(a.g.refs, 2);
	gs.next = &b.g;
	assert_ptr_equal(generation_now(&gs), &a.g);	/* it cannot be told: the old one stays */
	gs.now = &b.g;
	gs.next = NULL;
	assert_true(grant_now(&gs, &held));
	assert_ptr_equal(held->policy, &b.g);
	assert_int_equal(a.g.refs, 2);		/* `other` holds it */
	grant_move(&other, held);
	assert_int_equal(a.g.refs, 1);
	grant_put(held);
	grant_put(other);
	assert_int_equal(b.g.refs, 1);
	done(&a);
	done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_policy_decides),
		cmocka_unit_test(who_it_is_stays),
		cmocka_unit_test(a_generation_lives_as_long_as_what_it_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
