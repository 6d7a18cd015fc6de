/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text: refused with at least one error that has a place in the text, or a bundle that the reader
 * accepts, that follows freely, and that answers as eval does for every host that it lists. Whatever
 * is read whole can be asked about requests, and a request is never allowed where its connection is not.
 */
#include <errno.h>
#include <string.h>

#include "../tools/bundle_walk.h"
#include "eval.h"
#include "home.h"
#include "policy.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	bundle_must(policy_home("/home/u"));
	return 0;
}

static void check_meaning(const struct policy *p, const struct bundle *b)
{
	for (uint32_t i = 0; i < b->n_hosts && i < 64; i++)
		if (b->hosts[i].kind == OSH_HOST_EXACT)
			bundle_must(eval_dns(p, bundle_str(b, b->hosts[i].name)).verdict == OSH_ALLOW);
	for (uint32_t i = 0; i < b->n_endpoints && i < 64; i++) {
		const struct osh_b_endpoint *e = &b->endpoints[i];
		const struct osh_b_host *h = &b->hosts[e->host - 1];
		struct eval_connect c = { .host = bundle_str(b, h->name), .port = e->port };
		struct decision d;

		if (h->kind != OSH_HOST_EXACT)
			continue;
		d = eval_connect(p, &c);
		bundle_must(d.why == (b->alts[e->first_alt].group ? OSH_WHY_NO_IDENTITY
								    : OSH_WHY_ALLOWED));
	}
}

/* Every endpoint, by a name that it may cover and a program that it may list. */
static void ask_requests(const struct policy *p)
{
	static const char *const fields[] = { "a" };
	const struct eval_operation op = { "query", "a", fields, 1, true, "a" };
	const struct eval_graphql graphql = { false, &op, 1 };
	const struct eval_call call = { .method = "tools/call", .tool = "a" };
	unsigned asked = 0;

	for EACH (struct rule, rule, &p->rules) {
		const struct program *prog = rule->programs.n ? rule->programs.v : NULL;

		for EACH (struct endpoint, e, &rule->endpoints) {
			struct eval_request q = {
				.connect = { .host = e->host.kind == HOST_ONE || e->host.kind == HOST_DEEP
							     ? e->host.text + 1
							     : e->host.text,
					     .port = e->ports[0],
					     .binary = prog ? prog->path : "/a" },
				.method = "POST", .path = "/a", .graphql = &graphql, .calls = &call, .n_calls = 1,
			};

			if (asked++ > 64)
				return;
			if (eval_request(p, &q).verdict == OSH_ALLOW)
				bundle_must(eval_inspects(p, &q.connect) &&
					    eval_connect(p, &q.connect).verdict == OSH_ALLOW);
		}
	}
}

static void check_reading(struct slice text, bool compiled)
{
	struct diags d = { 0 };
	struct policy p;
	int r = policy_read(&p, text, &d);

	bundle_must(!compiled || (r == 0 && !p.unkept.n));
	if (r == 0 || (r == -EINVAL && policy_complete(&d)))
		ask_requests(&p);
	policy_done(&p);
	diags_done(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct slice text = { (const char *)data, n };
	struct diags d = { 0 }, again = { 0 };
	struct buf out = { 0 };
	struct bundle b;
	struct policy p;
	struct err e;
	int r = policy_compile(text, &d, &out);

	bundle_must(r == 0 ? !d.n_errors : r == -EINVAL && d.n_errors > 0);
	if (r == 0) {
		bundle_must(bundle_open_mem(&b, out.p, out.n, &e) == 0);
		bundle_walk(&b);
		bundle_must(policy_read(&p, text, &again) == 0);
		check_meaning(&p, &b);
		policy_done(&p);
	}
	check_reading(text, r == 0);
	diags_done(&again);
	again = (struct diags){ 0 };
	(void)policy_check(text, &again);	/* the lints; what compile refuses for later is judged too */
	diags_done(&again);
	diags_done(&d);
	buf_done(&out);
	return 0;
}
