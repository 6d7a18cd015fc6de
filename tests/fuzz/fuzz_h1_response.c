/* SPDX-License-Identifier: Apache-2.0 */
/* Invariants: an answer is read in pieces as in one; what is accepted, framed and written reads the same again. */
#include "http/h1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(int ok)
{
	if (!ok)
		__builtin_trap();
}

/* As a client side would write it, for a client of either version. */
static void write_again(const struct head *h, const struct h1_message *m, const char *method, unsigned version)
{
	bool end = m->framing == H1_NONE || (m->framing == H1_LENGTH && !m->length);
	struct h1_message ours, back;
	struct head again = { 0 };
	struct buf out = { 0 };
	const char *why = NULL;

	must(h1_frame_response(h, end, method, version, &ours));
	must(m->framing != H1_LENGTH || ours.framing == H1_LENGTH);
	h1_write_response(&out, h, &ours);
	must(h1_read_response((struct slice){ out.p, out.n }, method, &again, &back, &why) == (ssize_t)out.n);
	must(again.status == h->status && back.framing == ours.framing);
	must(back.framing != H1_LENGTH || back.length == ours.length);
	for (uint32_t i = 0; i < h->n_fields; i++) {
		const char *name = h->text + h->fields[i].name;

		must(!strcmp(name, "content-length") || head_find(&again, name, 0) != NULL);
	}
	head_done(&again);
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const methods[] = { "GET", "HEAD" };
	struct slice in = { (const char *)data, n };

	for (int i = 0; i < 2; i++) {
		struct head h = { 0 };
		struct h1_message m;
		const char *why = NULL;
		size_t step = n > 2000 ? n / 50 : 1;
		ssize_t got = h1_read_response(in, methods[i], &h, &m, &why), piece = 0;

		must(got <= (ssize_t)n && (got >= 0 || why));
		for (size_t k = 0; k < n && !piece; k += step)
			piece = h1_read_response((struct slice){ in.p, k }, methods[i], &h, &m, &why);
		must(!piece || piece == got);
		got = h1_read_response(in, methods[i], &h, &m, &why);
		if (got > 0) {
			write_again(&h, &m, methods[i], 11);
			write_again(&h, &m, methods[i], 10);
		}
		head_done(&h);
	}
	return 0;
}
