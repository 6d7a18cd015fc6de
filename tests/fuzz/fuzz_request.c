/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random rules and a random request: a deny rule more never allows more, an allow rule more never
 * allows less, audit mode changes no verdict, a HEAD is allowed where its GET is, and the spelling of
 * a path makes no difference once it is canonical.
 */
#include <ctype.h>
#include <string.h>

#include "canon.h"
#include "eval.h"
#include "policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define FIELD 48

struct input {
	char allow[2][FIELD], deny[2][FIELD], allow_q[FIELD], deny_q[FIELD], path[FIELD], value[FIELD];
	uint8_t how;
};

static void must(int ok)
{
	if (!ok)
		__builtin_trap();
}

/* The next text of the input: up to a newline, without bytes that YAML cannot hold. */
static void take(const uint8_t **p, const uint8_t *end, char out[FIELD])
{
	size_t n = 0;

	for (; *p < end && **p != '\n'; (*p)++)
		if (n < FIELD - 1 && isprint(**p))
			out[n++] = (char)**p;
	*p += *p < end;
	out[n] = 0;
}

static void put_text(struct buf *b, const char *s)
{
	buf_str(b, "\"");
	for (; *s; s++)
		buf_printf(b, "\\x%02x", (unsigned char)*s);
	buf_str(b, "\"");
}

static void put_rule(struct buf *b, const char *method, const char *path, const char *query)
{
	buf_printf(b, "{method: '%s', path: ", method);
	put_text(b, path);
	if (*query) {
		buf_str(b, ", query: {k: ");
		put_text(b, query);
		buf_str(b, "}");
	}
	buf_str(b, "}");
}

static bool build(struct policy *p, const struct input *in, int allows, int denies, bool audit)
{
	static const char *const methods[] = { "GET", "*", "POST", "HEAD" };
	struct buf b = { 0 };
	struct diags d = { 0 };
	bool ok;

	buf_printf(&b, "version: 1\nnetwork_policies: {r: {binaries: [/x], endpoints: [{host: a.test, "
		       "port: 80, protocol: rest, enforcement: %s, rules: [",
		   audit ? "audit" : "enforce");
	for (int i = 0; i < allows; i++) {
		buf_str(&b, i ? ", {allow: " : "{allow: ");
		put_rule(&b, methods[in->how >> 2 * i & 3], in->allow[i], i ? in->allow_q : "");
		buf_str(&b, "}");
	}
	buf_str(&b, denies ? "], deny_rules: [" : "]");
	for (int i = 0; i < denies; i++) {
		buf_str(&b, i ? ", " : "");
		put_rule(&b, methods[in->how >> (4 + 2 * i) & 3], in->deny[i], i ? "" : in->deny_q);
	}
	buf_str(&b, denies ? "]}]}}\n" : "}]}}\n");
	ok = policy_read(p, (struct slice){ b.p, b.n }, &d) == 0;
	buf_done(&b);
	diags_done(&d);
	return ok;
}

static struct decision judge(const struct input *in, int allows, int denies, bool audit,
			     const char *method, const char *path)
{
	const char *values[] = { in->value };
	struct eval_param q = { "k", values, 1 };
	struct eval_request r = {
		.connect = { .host = "a.test", .port = 80, .binary = "/x" },
		.method = method, .path = path, .query = &q, .n_query = *in->value != 0,
	};
	struct decision d;
	struct policy p;

	d = (struct decision){ .why = OSH_WHY_INTERNAL };
	if (build(&p, in, allows, denies, audit))
		d = eval_request(&p, &r);
	d.rule = NULL;
	policy_done(&p);
	return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct canon_options o = { 0 };
	const uint8_t *p = data, *end = data + n;
	struct decision one, more, fewer, audit, head;
	char path[CANON_MAX + 1];
	struct input in;
	struct policy all;

	if (!n)
		return 0;
	in.how = *p++;
	take(&p, end, in.allow[0]);
	take(&p, end, in.allow[1]);
	take(&p, end, in.deny[0]);
	take(&p, end, in.deny[1]);
	take(&p, end, in.allow_q);
	take(&p, end, in.deny_q);
	take(&p, end, in.path);
	take(&p, end, in.value);
	if (!build(&all, &in, 2, 2, false) || canon_path(slice_of(in.path), &o, path) != CANON_OK) {
		policy_done(&all);
		return 0;
	}
	policy_done(&all);
	one = judge(&in, 1, 1, false, "GET", path);
	must(one.why != OSH_WHY_INTERNAL);
	more = judge(&in, 1, 2, false, "GET", path);
	must(more.verdict != OSH_ALLOW || one.verdict == OSH_ALLOW);
	fewer = judge(&in, 2, 1, false, "GET", path);
	must(one.verdict != OSH_ALLOW || fewer.verdict == OSH_ALLOW);
	audit = judge(&in, 1, 1, true, "GET", path);
	must(audit.verdict == one.verdict && audit.why == one.why);
	must(audit.audit == (one.verdict == OSH_DENY) && !one.audit);
	head = judge(&in, 1, 0, false, "HEAD", path);
	must(judge(&in, 1, 0, false, "GET", path).verdict != OSH_ALLOW || head.verdict == OSH_ALLOW);
	return 0;
}
