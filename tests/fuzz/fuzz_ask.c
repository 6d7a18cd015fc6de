/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy, a line of three dashes, and questions as people write them, one a line. Whatever is understood is
 * answered, twice alike; a change that is proposed turns eval's answer around; a policy does not
 * differ from itself.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/oshctl/diff.h"
#include "../../userspace/oshctl/flip.h"
#include "policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(int ok)
{
	if (!ok)
		__builtin_trap();
}

static void ask(const struct policy *p, const char *text)
{
	static struct ask q;
	struct arena a = { 0 };
	struct decision d, again;
	struct flip flip;
	struct err e;

	if (ask_parse(&q, text, "/usr/bin/curl", "/w", &e) < 0)
		return;
	d = ask_eval(p, &q);
	again = ask_eval(p, &q);
	must(d.verdict == again.verdict && d.why == again.why && d.line == again.line);
	must(d.verdict == OSH_ALLOW || d.verdict == OSH_DENY);
	flip_find(p, &q, &a, &flip);
	must(flip.n <= FLIP_STEPS && (!flip.n || (flip.after.verdict == OSH_ALLOW) != (d.verdict == OSH_ALLOW)));
	for (uint32_t i = 0; i < flip.n; i++)
		must(flip.step[i].action && flip.step[i].yaml && *flip.step[i].yaml);
	arena_done(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *mark = memmem(data, n, "\n---\n", 5);
	size_t head = mark ? (size_t)(mark + 1 - (const char *)data) : 0;
	char *lines, *save = NULL;
	struct diags d = { 0 };
	struct policy p;
	int asked = 0;

	if (!mark || n > 16384)
		return 0;
	if (policy_read(&p, (struct slice){ (const char *)data, head }, &d) == 0) {
		struct diff same;

		lines = strndup(mark + 5, n - head - 4);
		for (char *l = strtok_r(lines, "\n", &save); l && asked++ < 16; l = strtok_r(NULL, "\n", &save))
			ask(&p, l);
		free(lines);
		if (head < 300) {		/* thousands of questions: small policies only */
			diff_policies(&p, &p, "/w", &same);
			must(!same.found.n && !same.settings.n);
			diff_done(&same);
		}
	}
	policy_done(&p);
	diags_done(&d);
	return 0;
}
