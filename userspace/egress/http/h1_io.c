/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h1_io.h"

#include <stdlib.h>

#include "secret.h"

#define READ_MOST 65536
#define OWN_FIRST 4096
#define OWN_MOST (HEAD_BYTES + READ_MOST)
#define OUT_FIRST 1024
#define HEAD_OWN 256			/* of a head, besides its text: first line, framing, connection */
#define WRITE_NOW 16384			/* this much is written without waiting for the end of the round */

/* Where a connection reads that has nothing left over: most use all of it at once. */
static char common[READ_MOST];
static const struct h1_io *common_user;

static int own_room(struct h1_io *io)
{
	size_t at = io->own && io->in.n ? (size_t)(io->in.p - io->own) : 0, cap = io->own_cap;
	char *p;

	if (io->in.n >= OWN_MOST)
		return -ENOBUFS;
	if (cap - at - io->in.n >= OWN_FIRST / 2 && io->own)
		return 0;
	if (io->own && at) {
		memmove(io->own, io->in.p, io->in.n);
		io->in.p = io->own;
	}
	if (io->own && cap - io->in.n >= OWN_FIRST / 2)
		return 0;
	for (cap = cap ? cap : OWN_FIRST; cap - io->in.n < OWN_FIRST / 2; cap *= 2)
		;
	p = realloc(io->own, cap);
	if (!p)
		return -ENOMEM;
	io->own = p;
	io->own_cap = cap;
	io->in.p = p;
	return 0;
}

ssize_t h1_io_fill(struct h1_io *io)
{
	char *to = common;
	size_t room = sizeof(common);
	ssize_t n;

	if (io->s->drained && !stream_held(io->s))
		return IO_AGAIN;
	if (io->in.n || common_user) {
		n = own_room(io);
		if (n < 0)
			return n;
		if (!io->in.n)
			io->in.p = io->own;
		to = io->own + (io->in.p - io->own) + io->in.n;
		room = io->own_cap - (size_t)(to - io->own);
	}
	n = stream_read(io->s, to, room);
	if (n <= 0)
		return n;
	if (to == common) {
		common_user = io;
		io->in.p = common;
	}
	io->in.n += (size_t)n;
	return n;
}

void h1_io_use(struct h1_io *io, size_t n)
{
	io->in.p += n;
	io->in.n -= n;
}

int h1_io_keep(struct h1_io *io)
{
	struct slice left = io->in;

	if (common_user == io) {
		common_user = NULL;
		io->in = (struct slice){ NULL, 0 };
		if (left.n) {
			size_t cap = left.n + OWN_FIRST;
			char *p = malloc(cap);

			if (!p)
				return -ENOMEM;
			free(io->own);
			memcpy(p, left.p, left.n);
			io->own = p;
			io->own_cap = cap;
			io->in = (struct slice){ p, left.n };
		}
	}
	if (!io->in.n) {
		free(io->own);
		io->own = NULL;
		io->own_cap = 0;
		io->in = (struct slice){ NULL, 0 };
	}
	return 0;
}

static void out_free(struct h1_io *io)
{
	if (io->secret && io->out.p)
		secret_wipe(io->out.p, io->out.n);
	io->secret = false;
	buf_done(&io->out);
	io->out = (struct buf){ 0 };
	io->out_at = 0;
}

/* Not by realloc(), which would leave a copy behind. */
bool h1_io_room(struct h1_io *io, size_t n)
{
	struct buf to = { .n = h1_io_waiting(io), .bad = io->out.bad };
	bool secret = io->secret;

	if (io->out.cap - io->out.n >= n)
		return true;
	to.cap = to.n + n < OUT_FIRST ? OUT_FIRST : (to.n + n) * 3 / 2;
	to.p = malloc(to.cap);
	if (!to.p) {
		io->out.bad = true;
		return false;
	}
	if (to.n)
		memcpy(to.p, io->out.p + io->out_at, to.n);
	out_free(io);
	io->out = to;
	io->secret = secret;
	return true;
}

void h1_io_head(struct h1_io *io, const struct head *h)
{
	(void)h1_io_room(io, h->n_text + 4 * (size_t)h->n_fields + HEAD_OWN);
	io->secret |= h->secret;
}

size_t h1_io_waiting(const struct h1_io *io)
{
	return io->out.n - io->out_at;
}

bool h1_io_flush(struct h1_io *io)
{
	io->broken |= io->out.bad;
	while (!io->broken && h1_io_waiting(io)) {
		ssize_t n = stream_write(io->s, io->out.p + io->out_at, h1_io_waiting(io));

		if (n == IO_AGAIN)
			return false;
		io->wrote = true;
		if (n < 0)
			io->broken = true;
		else
			io->out_at += (size_t)n;
	}
	if (io->out.p)
		out_free(io);
	return true;
}

void h1_io_done(struct h1_io *io)
{
	if (common_user == io)
		common_user = NULL;
	free(io->own);
	out_free(io);
	*io = (struct h1_io){ .s = io->s, .broken = true };
}

/* ---- in */

void h1_feed_start(struct h1_feed *f, const struct h1_message *m)
{
	f->pend = 0;
	f->done = f->full = false;
	h1_body_start(&f->body, m, &f->trailers);
}

const struct head *h1_feed_trailers(const struct h1_feed *f)
{
	return f->trailers.n_fields ? &f->trailers : NULL;
}

static void give(struct h1_feed *f, struct h1_io *io, struct side *side)
{
	struct slice data = { io->in.p, f->pend };
	size_t took = data.n;

	if (side->x) {
		f->full = true;		/* `resume` may come before this call returns */
		took = exchange_body(side->x, side, data);
		if (took == data.n || !side->x)
			f->full = false;
		if (!side->x)
			took = data.n;
	}
	h1_io_use(io, took);
	f->pend -= took;
}

enum h1_fed h1_feed(struct h1_feed *f, struct h1_io *io, struct side *side, const char **why)
{
	for (;;) {
		struct slice data;
		ssize_t n;

		if (f->pend)
			give(f, io, side);
		if (f->pend)
			return H1_FED_FULL;
		if (f->done)
			return H1_FED_DONE;
		n = h1_body_read(&f->body, io->in, &data, &f->done, why);
		if (n < 0)
			return H1_FED_BAD;
		h1_io_use(io, (size_t)n - data.n);
		f->pend = data.n;
		if (!n && !f->done)
			return H1_FED_MORE;
	}
}

/* ---- out */

void h1_sink_start(struct h1_sink *k, const struct h1_message *m)
{
	*k = (struct h1_sink){ .framing = m->framing, .left = m->length };
}

static size_t append(struct h1_sink *k, struct h1_io *io, struct slice bytes)
{
	size_t waiting = h1_io_waiting(io), n;

	if (waiting >= H1_OUT_MOST)
		return 0;
	n = bytes.n < H1_OUT_MOST - waiting ? bytes.n : H1_OUT_MOST - waiting;
	(void)h1_io_room(io, n + 32);
	if (k->framing == H1_CHUNKED)
		h1_write_chunk_start(&io->out, n);
	buf_put(&io->out, bytes.p, n);
	if (k->framing == H1_CHUNKED)
		buf_put(&io->out, "\r\n", 2);
	k->wrong |= !buf_ok(&io->out);
	return n;
}

/* Large pieces go out past the buffer where nothing has to stand around them. */
static size_t write_past(struct h1_sink *k, struct h1_io *io, struct slice bytes)
{
	ssize_t n;

	if (k->framing == H1_CHUNKED || bytes.n < WRITE_NOW || io->broken || !h1_io_flush(io))
		return 0;
	n = stream_write(io->s, bytes.p, bytes.n);
	io->wrote |= n != IO_AGAIN;
	if (n >= 0)
		return (size_t)n;
	io->broken = n != IO_AGAIN;
	return 0;
}

size_t h1_sink_body(struct h1_sink *k, struct h1_io *io, struct slice bytes)
{
	size_t n;

	if (k->framing == H1_NONE || k->wrong || io->broken)
		return bytes.n;
	if (k->framing == H1_LENGTH && bytes.n > k->left) {
		k->wrong = true;
		return bytes.n;
	}
	n = write_past(k, io, bytes);
	if (n < bytes.n && !io->broken) {
		n += append(k, io, (struct slice){ bytes.p + n, bytes.n - n });
		if (h1_io_waiting(io) >= WRITE_NOW)
			(void)h1_io_flush(io);
	}
	if (io->broken)
		return bytes.n;
	if (k->framing == H1_LENGTH)
		k->left -= n;
	k->starved = n < bytes.n;
	return n;
}

void h1_sink_end(struct h1_sink *k, struct h1_io *io, const struct head *trailers)
{
	if (k->framing == H1_CHUNKED) {
		(void)h1_io_room(io, trailers ? trailers->n_text + 4 * (size_t)trailers->n_fields + 16 : 16);
		h1_write_last_chunk(&io->out, trailers);
	}
	k->wrong |= (k->framing == H1_LENGTH && k->left) || !buf_ok(&io->out);
}

bool h1_sink_room(struct h1_sink *k, const struct h1_io *io)
{
	if (!k->starved || (h1_io_waiting(io) > H1_OUT_MOST / 2 && !io->broken))
		return false;
	k->starved = false;
	return true;
}
