/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first byte chooses the framing. Invariants: a body is read in pieces as in one, to the same bytes,
 * trailers and end; what is read, chunked again and read again is the same.
 */
#include "http/h1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct result {
	struct buf bytes;
	struct head trailers;
	size_t used;
	bool done, bad;
};

static void must(int ok)
{
	if (!ok)
		__builtin_trap();
}

static void read_all(struct slice in, const struct h1_message *m, size_t step, struct result *r)
{
	struct h1_body b;
	struct slice data;
	const char *why = NULL;
	size_t have = step < in.n ? step : in.n;

	*r = (struct result){ 0 };
	h1_body_start(&b, m, &r->trailers);
	while (!r->done) {
		ssize_t n = h1_body_read(&b, (struct slice){ in.p + r->used, have - r->used }, &data, &r->done, &why);

		if (n < 0) {
			must(why != NULL);
			r->bad = true;
			return;
		}
		must((size_t)n <= have - r->used && data.n <= (size_t)n);
		buf_put(&r->bytes, data.p, data.n);
		r->used += (size_t)n;
		if (!n && !r->done) {
			if (have == in.n)
				return;
			have = have + step < in.n ? have + step : in.n;
		}
	}
}

static void result_done(struct result *r)
{
	buf_done(&r->bytes);
	head_done(&r->trailers);
}

static void same(const struct result *a, const struct result *b)
{
	must(a->bytes.n == b->bytes.n && (!a->bytes.n || !memcmp(a->bytes.p, b->bytes.p, a->bytes.n)));
	must(a->trailers.n_fields == b->trailers.n_fields);
	for (uint32_t i = 0; i < a->trailers.n_fields; i++) {
		struct slice x = head_value(&a->trailers, &a->trailers.fields[i]);
		struct slice y = head_value(&b->trailers, &b->trailers.fields[i]);

		must(x.n == y.n && !memcmp(x.p, y.p, x.n));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct h1_message m = { 0 };
	struct result whole, pieces;
	struct slice in = { (const char *)data + 1, n - 1 };

	if (!n)
		return 0;
	m.framing = data[0] & 3;
	m.length = data[0] >> 2;
	read_all(in, &m, in.n, &whole);
	read_all(in, &m, in.n > 2000 ? 37 : 1, &pieces);
	must(whole.done == pieces.done && whole.bad == pieces.bad && (whole.bad || whole.used == pieces.used));
	same(&whole, &pieces);
	result_done(&pieces);
	if (whole.done && m.framing == H1_CHUNKED) {
		struct buf out = { 0 };

		if (whole.bytes.n) {
			h1_write_chunk_start(&out, whole.bytes.n);
			buf_put(&out, whole.bytes.p, whole.bytes.n);
			buf_put(&out, "\r\n", 2);
		}
		h1_write_last_chunk(&out, &whole.trailers);
		read_all((struct slice){ out.p, out.n }, &m, out.n, &pieces);
		must(pieces.done && pieces.used == out.n);
		same(&whole, &pieces);
		result_done(&pieces);
		buf_done(&out);
	}
	result_done(&whole);
	return 0;
}
