/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of a log, made by whoever, under a policy that says a little of everything. Whatever is
 * learnt from them is a policy, whose new rules name one program and single public hosts each, and
 * deny what was left out.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/oshctl/learn.h"
#include "host.h"
#include "policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char text[] = "version: 1\n"
			   "filesystem_policy: {include_workdir: true, read_only: [/usr], "
			   "read_write: [/srv/w], deny: [/srv/w/no]}\n"
			   "process: {exec: {mode: strict, allow: [/usr/bin/a]}}\n"
			   "network_policies:\n"
			   "  a:\n"
			   "    binaries: [/usr/bin/a]\n"
			   "    endpoints:\n"
			   "      - {host: a.example.com, port: 443, protocol: rest, rules: "
			   "[{allow: {method: GET, path: /a, query: {q: a}}}],\n"
			   "         deny_rules: [{method: PUT, path: /b}]}\n"
			   "      - {host: b.example.com, port: 443, allowed_ips: [10.0.0.0/8]}\n"
			   "assert: [{never_reach: {host: n.example.com}}]\n";

static void must(int ok)
{
	if (!ok)
		__builtin_trap();
}

static void must_be_exact(const struct rule *rule)
{
	must(!rule->any_program && !rule->taint_ok && rule->programs.n);
	for EACH (struct program, prog, &rule->programs)
		must(!prog->glob && !prog->inherit);
	for EACH (struct endpoint, e, &rule->endpoints) {
		must(e->host.kind == HOST_NAME ||
		     (e->host.kind == HOST_NET && e->host.net.bits == 128));
		must(e->host.kind != HOST_NET || net_class(&e->host.net) == ADDR_PUBLIC);
		must(e->n_ports == 1 && !e->n_allowed && !port_forbidden(e->ports[0]));
		must(strcmp(e->host.text, "n.example.com") &&
		     strcmp(e->host.text, "b.example.com"));
	}
}

static void judge(const struct learn *l)
{
	static struct ask q;
	struct diags d = { 0 };
	struct policy p;

	must(policy_read(&p, (struct slice){ l->made.p, l->made.n }, &d) == 0);
	diags_done(&d);
	for EACH (struct rule, rule, &p.rules)
		if (strcmp(rule->name, "a"))
			must_be_exact(rule);
	for (uint32_t i = 0; i < l->n; i++) {
		const struct learn_item *it = l->items[i];

		if (it->kind == LEARN_OTHER || learn_guard_text(l, it) ||
		    !learn_question(l, it, &q))
			continue;
		if (it->why && it->kind == LEARN_DNS) /* a name is answered whoever asks */
			continue;
		must(it->why ? ask_eval(&p, &q).verdict == ask_eval(l->p, &q).verdict
			     : ask_eval(&p, &q).verdict == OSH_ALLOW);
	}
	policy_done(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct learn l;
	static struct policy p;
	struct diags d = { 0 };
	struct err e;
	const char *at = (const char *)data, *end = at + n;

	if (!p.rules.n)
		must(policy_read(&p, slice_of(text), &d) == 0);
	l = (struct learn){ .p = &p, .text = slice_of(text), .workdir = "/w", .hash = "" };
	while (at < end) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((nl ? nl : end) - at);

		(void)learn_line(&l, (struct slice){ at, len }, NULL,
				 &e); /* here one that is wrong is passed over */
		at += len + 1;
	}
	must(learn_all(&l, &e) == 0);
	judge(&l);
	learn_done(&l);
	return 0;
}
