/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invariants: a request is read in pieces as it is read in one; what is accepted, written and read again
 * is the same request; nothing beyond its head matters.
 */
#include "http/h1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(int ok)
{
	if (!ok)
		__builtin_trap();
}

static int same(const struct head *a, const struct head *b)
{
	if (strcmp(head_str(a, a->method), head_str(b, b->method)) ||
	    strcmp(head_str(a, a->target), head_str(b, b->target)) ||
	    strcmp(head_str(a, a->authority), head_str(b, b->authority)))
		return 0;
	for (uint32_t i = 0; i < a->n_fields; i++) {
		const struct field *f = &a->fields[i];
		uint32_t nth = 0;

		for (uint32_t k = 0; k < i; k++)
			nth += !strcmp(a->text + a->fields[k].name, a->text + f->name);
		const struct field *g = head_find(b, a->text + f->name, nth);

		if (!g || g->value_len != f->value_len || memcmp(a->text + f->value, b->text + g->value, f->value_len))
			return 0;
	}
	return a->n_fields == b->n_fields;
}

static void in_pieces(struct slice in, ssize_t want, struct head *h)
{
	size_t step = in.n > 2000 ? in.n / 50 : 1, seen = 0;
	struct h1_message m;
	const char *why = NULL;
	int status = 0;
	ssize_t got = 0, end = 0;

	for (size_t k = 0; k < in.n && !got; k += step) {
		got = h1_read_request((struct slice){ in.p, k }, h, &m, &why, &status);
		end = end ? end : h1_head_end((struct slice){ in.p, k }, &seen);
		must(got <= 0 || end == got);
	}
	must(!got || got == want);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct slice in = { (const char *)data, n };
	struct head h = { 0 }, again = { 0 };
	struct h1_message m, back;
	struct buf out = { 0 };
	const char *why = NULL;
	int status = 0;
	ssize_t got = h1_read_request(in, &h, &m, &why, &status);

	must(got <= (ssize_t)n && (got >= 0 || (why && status >= 400)));
	in_pieces(in, got, &again);
	if (got > 0 && h.authority) {
		must(!memcmp(in.p + got - 4, "\r\n\r\n", 4) && !memmem(in.p, (size_t)got - 1, "\r\n\r\n", 4));
		h1_write_request(&out, &h, &m);
		must(h1_read_request((struct slice){ out.p, out.n }, &again, &back, &why, &status) == (ssize_t)out.n);
		must(same(&h, &again) && back.framing == m.framing && back.upgrade == m.upgrade);
		must(m.framing != H1_LENGTH || back.length == m.length);
	}
	buf_done(&out);
	head_done(&h);
	head_done(&again);
	return 0;
}
