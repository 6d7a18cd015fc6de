/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's tables against the meaning of the policy: the bytes choose a policy of the differential
 * test's kind and questions about it; tables and eval must give one answer, with one rule and line.
 */
#include <stdint.h>
#include <stdlib.h>

#include "../tools/kernel_tables.h"
#include "policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const uint8_t *next, *end;

static unsigned pick(unsigned n)
{
	return next < end ? *next++ % n : 0;
}

static void must(int ok)
{
	if (!ok)
		__builtin_trap();
}

static void ask(const struct bundle *b, const struct policy *p)
{
	const char *program = programs[pick(ARRAY_SIZE(programs))];
	struct eval_connect c = { .port = 1 + pick(4), .tainted = !pick(4) };
	struct decision want, got, dns;
	struct buf name = { 0 };

	if (pick(5))
		random_name(&name, pick(5));
	else
		buf_str(&name, addrs[pick(ARRAY_SIZE(addrs))]);
	buf_put(&name, "", 1);
	c.host = name.p;
	c.binary = strpbrk(program, "*?{") ? NULL : program;
	want = eval_connect(p, &c);
	if (want.why == OSH_WHY_ADDR_FORBIDDEN)		/* what is never dialled is in no table */
		want.why = OSH_WHY_DEST_UNKNOWN;
	got = look_up(b, &c, FAULT_NONE);
	must(same(&want, &got));
	dns = eval_dns(p, c.host);
	must(dns.why == OSH_WHY_NAME_BAD ||
	     (dns.verdict == OSH_ALLOW) == (host_of_name(b, c.host, FAULT_NONE) != 0));
	buf_done(&name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf text = { 0 }, out = { 0 };
	struct diags d = { 0 }, again = { 0 };
	struct bundle b;
	struct policy p;
	struct err e;

	next = data;
	end = data + n;
	random_policy(&text);
	if (policy_compile((struct slice){ text.p, text.n }, &d, &out) == 0) {
		must(bundle_open_mem(&b, out.p, out.n, &e) == 0);
		must(policy_read(&p, (struct slice){ text.p, text.n }, &again) == 0);
		for (int i = 0; i < 64 && next < end; i++)
			ask(&b, &p);
		policy_done(&p);
	}
	for (uint32_t i = 0; i < d.n; i++)	/* contradictions are all that may be wrong with such a policy */
		must(diag_severity(d.v[i].code) != DIAG_ERROR || d.v[i].code == DIAG_AMBIGUOUS);
	diags_done(&again);
	diags_done(&d);
	buf_done(&out);
	buf_done(&text);
	return 0;
}
