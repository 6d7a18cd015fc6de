/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 (RFC 9112) as bytes: a strict reader of heads and bodies, and a writer. Pure: no sockets, no
 * policy. Whatever two implementations could read in two ways is an error here.
 */
#pragma once

#include <sys/types.h>

#include "buf.h"
#include "http/head.h"

enum h1_framing { H1_NONE, H1_LENGTH, H1_CHUNKED, H1_UNTIL_CLOSE };

struct h1_message {
	enum h1_framing framing;
	uint64_t length;		/* H1_LENGTH */
	bool keep_alive;		/* the connection may be used again after this message */
	bool expect_continue;
	bool upgrade;			/* asks for (or, with 101, agrees to) another protocol; `upgrade` field has it */
};

/*
 * Where the head ends, for a reader that gets it in pieces: bytes (> 0), 0 = not yet, -1 = it holds a bare
 * LF (h1_read_* says the rest). *seen: starts at 0, remembers what was looked at.
 */
ssize_t h1_head_end(struct slice in, size_t *seen);

/*
 * Bytes of the head (> 0; it ends with its empty line), 0 = more is needed, -1 = refused: *why is one
 * line for a person and *status the answer (400, 414, 417, 431, 501, 505). Hop-by-hop fields (connection
 * and what it lists, keep-alive, te, trailer, transfer-encoding, upgrade, proxy-*) are consumed into *m
 * and do not appear in *h, except `te: trailers` and `upgrade` where m->upgrade. `host` becomes
 * h->authority (in lower case). `content-length` stays, once and checked: it is how the next side learns
 * the length; `expect: 100-continue` stays as well. The absolute form becomes the origin form; then, and
 * only then, h->scheme is set, and is the caller's to compare with its connection.
 */
ssize_t h1_read_request(struct slice in, struct head *h, struct h1_message *m, const char **why, int *status);
/* `method` of the request that it answers: HEAD and CONNECT change the framing. */
ssize_t h1_read_response(struct slice in, const char *method, struct head *h, struct h1_message *m, const char **why);

struct h1_body {			/* reader of one body; zeroed and started by h1_body_start() */
	enum h1_framing framing;
	uint64_t left;
	int state;
	uint32_t extra;			/* bytes of chunk extensions and trailers so far: bounded */
	struct head *trailers;
};
void h1_body_start(struct h1_body *b, const struct h1_message *m, struct head *trailers);
/*
 * Consumes from `in`; *data is the piece of body found in it (may be empty). Bytes consumed >= 0, or -1
 * with *why. *done: the body is complete, trailers read. With consumed == 0 and !*done more is needed.
 */
ssize_t h1_body_read(struct h1_body *b, struct slice in, struct slice *data, bool *done, const char **why);

/*
 * Framing for a message of ours: by `content-length` in *h, else H1_CHUNKED, unless `end` or the method
 * or the status leave no room for a body. h1_frame_response: an HTTP/1.0 client (`version` 10) gets
 * H1_UNTIL_CLOSE instead of chunks. False: *h has a content-length that is none, or two.
 */
bool h1_frame_request(const struct head *h, bool end, struct h1_message *m);
bool h1_frame_response(const struct head *h, bool end, const char *method, unsigned version, struct h1_message *m);

/*
 * Writers put the framing and the hop-by-hop fields that *m asks for: `connection` as keep_alive, upgrade
 * and `te` say. A `content-length` of *h is written where *m agrees, or where no body follows in an answer.
 */
void h1_write_request(struct buf *out, const struct head *h, const struct h1_message *m);
void h1_write_response(struct buf *out, const struct head *h, const struct h1_message *m);
void h1_write_chunk_start(struct buf *out, size_t n);
void h1_write_last_chunk(struct buf *out, const struct head *trailers);
