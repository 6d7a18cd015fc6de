/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both sides of HTTP/1.1 back to back, driven by the input: each record says who acts (client or server
 * writes, reads, half-closes; the loop turns). Invariants: what the server gets is requests, what the
 * client gets is answers, as our own strict reader reads them; and no state is reached that breaks.
 */
#include "../unit/h1_rig.h"
#include "http/h1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct far {				/* what came out at one far end */
	struct buf got;
	size_t at;
	bool in_body, tunnel, request;
	struct h1_body body;
	struct head head, trailers;
};

static void far_read(struct far *f, int fd)
{
	static char bytes[70000];
	ssize_t r = read(fd, bytes, sizeof(bytes));

	if (r > 0)
		buf_put(&f->got, bytes, (size_t)r);
}

/* Whole messages, as far as they came. */
static void far_check(struct far *f)
{
	const char *why = NULL;
	int status;

	while (f->at < f->got.n && !f->tunnel) {
		struct slice in = { f->got.p + f->at, f->got.n - f->at }, data;
		struct h1_message m;
		bool done = false;
		ssize_t r;

		if (f->in_body)
			r = h1_body_read(&f->body, in, &data, &done, &why);
		else if (f->request)
			r = h1_read_request(in, &f->head, &m, &why, &status);
		else
			r = h1_read_response(in, "GET", &f->head, &m, &why);
		rig_check(r >= 0);
		f->at += (size_t)r;
		if (!f->in_body && r) {
			f->in_body = true;
			f->tunnel = !f->request && f->head.status == 101;
			h1_body_start(&f->body, &m, &f->trailers);
		} else if (f->in_body && done) {
			f->in_body = false;
		} else if (!r) {
			return;
		}
	}
}

static bool asked(const struct far *up, const char *what)
{
	return up->got.n && memmem(up->got.p, up->got.n, what, strlen(what));
}

static void far_done(struct far *f)
{
	buf_done(&f->got);
	head_done(&f->head);
	head_done(&f->trailers);
	*f = (struct far){ .request = f->request };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct far up = { .request = true }, down = { 0 };
	bool other = false;		/* answers cannot be told without their requests: HEAD, tunnels */

	rig_start();
	for (size_t at = 0; at < n;) {
		uint8_t op = data[at] >> 5;
		size_t len = data[at] & 31;

		at++;
		if (op < 4) {
			len = op & 1 ? len * 40 : len;
			len = len < n - at ? len : n - at;
			(void)send(op & 2 ? rig.server : rig.client, data + at, len, MSG_NOSIGNAL);
			at += len;
			rig_turn(1);
		} else if (op == 4) {
			far_read(&up, rig.server);
		} else if (op == 5) {
			far_read(&down, rig.client);
		} else if (op == 6) {
			rig_turn((int)len);
		} else if (len < 4) {
			shutdown(len & 1 ? rig.server : rig.client, len & 2 ? SHUT_RDWR : SHUT_WR);
		} else if (len < 8 && rig.u.ending) {
			rig_turn(2);
			far_read(&up, rig.server);
			other |= asked(&up, "HEAD ") || asked(&up, "upgrade: ");
			if (!asked(&up, "upgrade: "))
				far_check(&up);
			far_done(&up);
			close(rig.server);
			rig_upstream();
		} else if (len < 10 && !rig.c.ending) {
			rig.c.ops->drain(&rig.c);
			rig_turn(1);
		}
	}
	rig_turn(4);
	far_read(&up, rig.server);
	far_read(&down, rig.client);
	other |= asked(&up, "HEAD ") || asked(&up, "upgrade: ");
	if (!asked(&up, "upgrade: "))
		far_check(&up);
	if (!other)
		far_check(&down);
	rig_stop_all();
	far_done(&up);
	far_done(&down);
	return 0;
}
