/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what a client says on a WebSocket whose messages are judged: whatever is sent on are whole,
 * masked frames, no data frame among them that the rules would deny, and how the bytes were cut changes
 * nothing.
 */
#include <stdlib.h>

#include "emit.h"
#include "http/websocket.h"
#include "policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char policy[] =
	"version: 1\nnetwork_policies:\n  r:\n    binaries: [/x]\n    endpoints:\n"
	"      - {host: a.x.test, port: 80, protocol: websocket, graphql_max_body_bytes: 300, rules: "
	"[{allow: {operation_type: '*', fields: [a, b]}}]}\n";

static struct buf bytes;
static struct bundle b;
static struct target t = { .n_rules = 1, .rule = 1 };

static void must(bool ok)
{
	if (!ok)
		__builtin_trap();
}

static void start(void)
{
	struct tables tables = { 0 };
	struct diags d = { 0 };
	struct policy p;
	struct err e;

	must(rules_init() == 0 && policy_read(&p, slice_of(policy), &d) == 0 &&
	     merge_policy(&p, &tables, &d) == 0 && emit_bundle(&p, &tables, slice_of(policy), &d, &bytes) == 0 &&
	     bundle_open_mem(&b, bytes.p, bytes.n, &e) == 0);
	policy_done(&p);
	diags_done(&d);
}

/* Takes one frame off `in`; its payload is unmasked into `to`. */
static uint8_t take_frame(struct slice *in, struct buf *to)
{
	const unsigned char *p = (const unsigned char *)in->p;
	size_t len, head = 2;

	must(in->n >= 6 && (p[0] & 0xf0) == 0x80 && (p[1] & 0x80));
	len = p[1] & 0x7f;
	must(len != 127);
	if (len == 126) {
		len = (size_t)p[2] << 8 | p[3];
		head = 4;
	}
	must(in->n >= head + 4 + len);
	for (size_t i = 0; i < len; i++)
		buf_put(to, &(char){ (char)(p[head + 4 + i] ^ p[head + (i & 3)]) }, 1);
	in->p += head + 4 + len;
	in->n -= head + 4 + len;
	return p[0] & 15;
}

/* Kinds and payloads of what was sent on, one after the other. */
static void check(const struct buf *out, struct buf *ret)
{
	struct slice left = { out->p, out->n };

	while (left.n) {
		struct buf one = { 0 };
		uint8_t kind = take_frame(&left, &one);
		struct rules_request q = { .method = "WEBSOCKET_TEXT", .target = SLICE("/"), .message = true,
					   .body = { one.p ? one.p : "", one.n } };
		struct rules_answer a;

		if (kind < 8) {
			rules_judge(&b, &t, &q, &a);
			must((kind == 1 || kind == 2) && a.verdict == OSH_ALLOW);
		}
		buf_put(ret, &kind, 1);
		buf_put(ret, one.p, one.n);
		buf_done(&one);
	}
}

/* Bytes in pieces of `piece`; whether it went through to the end. */
static bool run(const uint8_t *data, size_t n, size_t piece, struct buf *ret)
{
	enum websocket_step step = WS_MORE;
	struct websocket *w;
	struct buf out = { 0 };
	bool good = true;

	must(websocket_new(&w, &b, &t, SLICE("/")) && w);
	for (size_t i = 0; good && i < n; i += piece) {
		websocket_feed(w, (struct slice){ (const char *)data + i, n - i < piece ? n - i : piece });
		do {
			struct rules_answer a;
			const char *why = NULL;

			step = websocket_next(w, &out, &a, &why);
			must(step != WS_BROKEN || why);
			good = step == WS_MORE || (step == WS_JUDGED && a.verdict != OSH_DENY);
		} while (good && step != WS_MORE);
	}
	websocket_free(w);
	check(&out, ret);
	buf_done(&out);
	return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf whole = { 0 }, pieces = { 0 };

	if (!bytes.n)
		start();
	must(run(data, n, n + 1, &whole) == run(data, n, 3, &pieces));
	must(whole.n == pieces.n && !memcmp(whole.p ? whole.p : "", pieces.p ? pieces.p : "", whole.n));
	buf_done(&whole);
	buf_done(&pieces);
	return 0;
}
