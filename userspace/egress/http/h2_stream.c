/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of HTTP/2 as one side of an exchange: what came from the peer and waits for the exchange, what
 * came from the exchange and waits for the peer's window and the socket. A peer gets room on its stream
 * only for what the exchange took. The connection's window is given back at once, so that a stream that
 * stands still does not hold up others, as long as what is held stays within bounds.
 */
#include <stdlib.h>

#include "http/h2.h"

#define OUT 65536			/* bytes of one stream that wait for the peer */
#define OUT_SCARCE 4096			/* the same, once all streams together hold ALL_OUT */
#define ALL_OUT (32u << 20)
#define ALL_HELD (64u << 20)		/* bytes that wait for exchanges, all connections together */
#define FRAME_HEAD 9
#define LEAST 1024			/* a frame is not cut smaller because a batch is nearly full */

static size_t all_out, all_held;

struct h2_stream *h2_stream_new(struct h2 *h, int32_t id)
{
	struct h2_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->side.ops = h->role->ops;
	s->h = h;
	s->id = id;
	TAILQ_INSERT_TAIL(&h->streams, s, link);
	h->n_streams++;
	return s;
}

static void head_free(struct head **h)
{
	if (*h)
		head_done(*h);
	free(*h);
	*h = NULL;
}

/* What was received leaves `in`, or never went there: the windows are given back. */
static void settle(struct h2 *h)
{
	size_t most = (size_t)h->role->window / 2;

	if (h->owed && (!h->held || (h->held <= most && all_held <= ALL_HELD))) {
		(void)nghttp2_session_consume_connection(h->session, h->owed);
		h->owed = 0;
	}
}

static void unhold(struct h2_stream *s, size_t n)
{
	queue_drop(&s->in, n);
	s->h->held -= n;
	all_held -= n;
	if (s->id && !s->closed && n)
		(void)nghttp2_session_consume_stream(s->h->session, s->id, n);
	settle(s->h);
}

static void unwant(struct h2_stream *s)
{
	if (s->wanting) {
		TAILQ_REMOVE(&s->h->wanting, s, want);
		s->h->n_wanting--;
	}
	s->wanting = false;
}

static void drop_out(struct h2_stream *s)
{
	all_out -= s->out.n;
	queue_drop(&s->out, s->out.n);
	head_free(&s->out_trailers);
	unwant(s);
}

void h2_stream_free(struct h2_stream *s)
{
	drop_out(s);
	unhold(s, s->in.n);
	head_free(&s->in_trailers);
	TAILQ_REMOVE(&s->h->streams, s, link);
	s->h->n_streams--;
	free(s);
}

void h2_stream_gone(struct h2_stream *s, enum gone why)
{
	struct exchange *x = s->side.x;

	if (x)
		exchange_gone(x, &s->side, why);
	s->side.x = NULL;
}

void h2_stream_reset(struct h2_stream *s, uint32_t code)
{
	drop_out(s);
	unhold(s, s->in.n);
	s->in_end = true;
	s->out_end = true;
	if (!s->id || s->closed)
		h2_stream_retire(s);
	else if (!s->ours)
		(void)nghttp2_submit_rst_stream(s->h->session, NGHTTP2_FLAG_NONE, s->id, code);
	s->ours = true;
	h2_kick(s->h);
}

static void mark(struct h2_stream *s, bool *what)
{
	*what = true;
	s->h->sweep = true;
	h2_kick(s->h);
}

void h2_stream_fail(struct h2_stream *s)
{
	mark(s, &s->failed);
}

void h2_stream_retire(struct h2_stream *s)
{
	mark(s, &s->retired);
}

static struct h2_stream *next_marked(struct h2 *h)
{
	struct h2_stream *s;

	TAILQ_FOREACH(s, &h->streams, link) {
		if (s->failed || s->retired)
			return s;
	}
	return NULL;
}

/* Whoever hears of one may change the list: it is looked through anew each time. */
void h2_streams_sweep(struct h2 *h)
{
	struct h2_stream *s;

	h->sweep = false;
	while ((s = next_marked(h))) {
		if (s->failed) {
			s->failed = false;
			h2_stream_reset(s, NGHTTP2_INTERNAL_ERROR);
			h2_stream_gone(s, GONE_RESET);
			continue;
		}
		h2_stream_gone(s, GONE_RESET);
		h2_stream_free(s);
		h->role->closed(h);
	}
}

void h2_streams_drop(struct h2 *h, enum gone why)
{
	struct h2_stream *s;

	while ((s = TAILQ_FIRST(&h->streams))) {
		h2_stream_gone(s, s->headed || h->role->server ? GONE_RESET : why);
		h2_stream_free(s);
	}
}

/* From the peer to the exchange. */

static void deliver(struct h2_stream *s)
{
	s->again = true;
	if (s->delivering)
		return;			/* the loop below goes on by itself */
	s->delivering = true;
	while (s->again && s->in.n && s->side.x) {
		struct slice bytes = queue_bytes(&s->in);
		size_t n;

		s->again = false;
		n = exchange_body(s->side.x, &s->side, bytes);
		s->again |= n == bytes.n;
		unhold(s, n < s->in.n ? n : s->in.n);	/* a reset in between has emptied it */
	}
	s->delivering = false;
	if (!s->in.n && s->in_end && !s->told_end && s->side.x) {
		s->told_end = true;
		exchange_end(s->side.x, &s->side, s->in_trailers);
	}
	h2_kick(s->h);
}

void h2_stream_data(struct h2_stream *s, struct slice bytes)
{
	size_t n = 0;			/* what came earlier goes first */

	if (s->side.x && !s->in.n)
		n = exchange_body(s->side.x, &s->side, bytes);
	if (!s->side.x)
		n = bytes.n;
	s->h->owed += bytes.n;
	(void)nghttp2_session_consume_stream(s->h->session, s->id, n);
	if (n < bytes.n) {
		if (!queue_put(&s->in, (struct slice){ bytes.p + n, bytes.n - n })) {
			h2_stream_fail(s);
			return;
		}
		s->h->held += bytes.n - n;
		all_held += bytes.n - n;
	}
	settle(s->h);
}

void h2_stream_end(struct h2_stream *s, struct head *trailers)
{
	s->in_end = true;
	if (trailers && trailers->n_fields && s->side.x) {
		s->in_trailers = malloc(sizeof(*trailers));
		if (!s->in_trailers) {
			h2_stream_fail(s);
			return;
		}
		*s->in_trailers = *trailers;
		*trailers = (struct head){ 0 };
	}
	deliver(s);
}

void h2_side_resume(struct side *side)
{
	struct h2_stream *s = container_of(side, struct h2_stream, side);

	deliver(s);
	if (s->closed && (s->told_end || !side->x))
		h2_stream_retire(s);
}

/* From the exchange to the peer. */

static size_t out_room(const struct h2_stream *s)
{
	size_t most = all_out < ALL_OUT ? OUT : OUT_SCARCE;

	return s->out.n < most ? most - s->out.n : 0;
}

static void go_on(struct h2_stream *s)
{
	if (s->deferred && s->id && !s->closed)
		(void)nghttp2_session_resume_data(s->h->session, s->id);
	s->deferred = false;
	h2_kick(s->h);
}

size_t h2_side_body(struct side *side, struct slice bytes)
{
	struct h2_stream *s = container_of(side, struct h2_stream, side);
	size_t room = out_room(s), n = bytes.n < room ? bytes.n : room;

	if (s->out_end || s->failed)
		return bytes.n;		/* it closes, and nobody will see them */
	if (n && !queue_put(&s->out, (struct slice){ bytes.p, n })) {
		h2_stream_fail(s);
		return bytes.n;
	}
	all_out += n;
	if (n < bytes.n && !s->wanting) {
		s->wanting = true;
		TAILQ_INSERT_TAIL(&s->h->wanting, s, want);
		s->h->n_wanting++;
	}
	if (n)
		go_on(s);
	return n;
}

static struct head *head_copy(const struct head *from)
{
	struct head *h = calloc(1, sizeof(*h));

	for (uint32_t i = 0; h && i < from->n_fields; i++) {
		const struct field *f = &from->fields[i];

		(void)head_put(h, head_name(from, f), head_value(from, f));
	}
	if (h && h->too_big)
		head_free(&h);
	return h;
}

void h2_side_end(struct side *side, const struct head *trailers)
{
	struct h2_stream *s = container_of(side, struct h2_stream, side);

	if (s->out_end)
		return;
	if (trailers && trailers->n_fields && !(s->out_trailers = head_copy(trailers))) {
		h2_stream_fail(s);
		return;
	}
	s->out_end = true;
	go_on(s);
}

bool h2_streams_tell(struct h2 *h)
{
	uint32_t n = h->n_wanting;
	bool told = false;

	while (n--) {
		struct h2_stream *s = TAILQ_FIRST(&h->wanting);

		if (!s)
			break;
		unwant(s);
		if (out_room(s) < OUT_SCARCE / 2) {
			s->wanting = true;
			TAILQ_INSERT_TAIL(&h->wanting, s, want);
			h->n_wanting++;
			continue;
		}
		if (s->side.x) {
			told = true;
			exchange_writable(s->side.x, &s->side);
		}
	}
	return told;
}

/* 1 = they follow, 0 = nothing in them may be sent. */
static int send_trailers(struct h2_stream *s)
{
	static nghttp2_nv nvs[H2_NVS];
	size_t n = h2_head_nvs(s->out_trailers, H2_TRAILERS, NULL, nvs);

	if (!n)
		return 0;
	return nghttp2_submit_trailer(s->h->session, s->id, nvs, n) < 0 ? -1 : 1;
}

/* How much of `out` makes the next frame: whatever the batch has room for. */
ssize_t h2_stream_read(nghttp2_session *session, int32_t id, uint8_t *buf, size_t length, uint32_t *flags,
		       nghttp2_data_source *source, void *user)
{
	struct h2_stream *s = source->ptr;
	size_t room = h2_batch_room(), n = s->out.n;

	(void)session;
	(void)id;
	(void)buf;
	(void)user;
	if (room < FRAME_HEAD + LEAST)
		return NGHTTP2_ERR_PAUSE;
	n = n < length ? n : length;
	n = n < room - FRAME_HEAD ? n : room - FRAME_HEAD;
	if (!n && !s->out_end) {
		s->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (s->out_end && n == s->out.n) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		if (s->out_trailers) {
			int follow = send_trailers(s);

			if (follow < 0)
				return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
			if (follow)
				*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		}
	}
	return (ssize_t)n;
}

int h2_stream_send(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t length,
		   nghttp2_data_source *source, void *user)
{
	struct h2_stream *s = source->ptr;

	(void)session;
	(void)frame;
	(void)user;
	if (length > s->out.n || h2_batch_room() < FRAME_HEAD + length)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	h2_batch_put(head, FRAME_HEAD);
	if (length)
		h2_batch_put(queue_bytes(&s->out).p, length);
	queue_drop(&s->out, length);
	all_out -= length;
	return 0;
}
