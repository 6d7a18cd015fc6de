/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of one HTTP/1.1 connection: what was read and not yet used, what waits to be written, and the
 * two bodies under way. An idle connection holds no memory besides its struct. One thread.
 */
#pragma once

#include "http/exchange.h"
#include "http/h1.h"
#include "tls/stream.h"

#define H1_OUT_MOST 65536		/* bytes of a body that wait to be written; more is not taken */

struct h1_io {
	struct stream *s;
	struct slice in;		/* read and not yet used: lies in `own`, or for a moment in memory of all */
	char *own;
	size_t own_cap;
	size_t seen;			/* of `in`, for h1_head_end() */
	struct buf out;			/* room for it: h1_io_room() */
	size_t out_at;
	bool secret;			/* `out` holds a credential: wiped before it goes back to the heap */
	bool wrote;			/* something was written since the owner cleared this */
	bool broken;			/* writing failed: what is to be written is dropped */
};

/*
 * Reads more behind `in`. Bytes (> 0), IO_END, IO_AGAIN or another -errno; -ENOBUFS: `in` is full, which
 * no head and no line of a body can make it. After using `in`, h1_io_keep(): before anything else reads.
 */
ssize_t h1_io_fill(struct h1_io *io);
int h1_io_keep(struct h1_io *io);		/* 0 or -ENOMEM */
void h1_io_use(struct h1_io *io, size_t n);	/* the first n bytes of `in` are done with */

bool h1_io_room(struct h1_io *io, size_t n);	/* n bytes may be put into `out` without moving it */
void h1_io_head(struct h1_io *io, const struct head *h);	/* room for a head; secret as it is */
size_t h1_io_waiting(const struct h1_io *io);	/* bytes to be written */
bool h1_io_flush(struct h1_io *io);		/* true: nothing waits any more (or nothing can be written) */
void h1_io_done(struct h1_io *io);

/* A body on its way from the connection to the exchange. */
struct h1_feed {
	struct h1_body body;
	struct head trailers;
	size_t pend;			/* first bytes of `in` that are body, and were not taken yet */
	bool done;
	bool full;			/* the exchange takes no more: `resume` will come */
};
enum h1_fed { H1_FED_MORE, H1_FED_FULL, H1_FED_DONE, H1_FED_BAD };

void h1_feed_start(struct h1_feed *f, const struct h1_message *m);
/*
 * Gives `in` to the exchange of `side`. DONE: the body is whole, exchange_end() is the caller's to call;
 * without an exchange what comes is dropped.
 */
enum h1_fed h1_feed(struct h1_feed *f, struct h1_io *io, struct side *side, const char **why);
const struct head *h1_feed_trailers(const struct h1_feed *f);

/* A body on its way from the exchange to the connection. */
struct h1_sink {
	enum h1_framing framing;
	uint64_t left;
	bool starved;			/* said "full": exchange_writable() is owed */
	bool wrong;			/* longer or shorter than its head said: the message cannot be saved */
};
void h1_sink_start(struct h1_sink *k, const struct h1_message *m);
size_t h1_sink_body(struct h1_sink *k, struct h1_io *io, struct slice bytes);
void h1_sink_end(struct h1_sink *k, struct h1_io *io, const struct head *trailers);
bool h1_sink_room(struct h1_sink *k, const struct h1_io *io);	/* once: room again for what was refused */
