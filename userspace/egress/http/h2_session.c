/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nghttp2 session of a connection: its bounds, and what its callbacks mean. Whatever costs a peer
 * little and us more comes out of a budget that time refills; who overdraws it is sent away with GOAWAY
 * ENHANCE_YOUR_CALM.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "http/h2.h"
#include "secret.h"

#define STREAMS 100			/* requests under way on one connection */
#define CONTINUATIONS 8			/* frames behind a HEADERS; a head of HEAD_BYTES needs 5 */
#define SETTINGS 32			/* entries of one frame */
#define ACKS 100			/* answers to SETTINGS and PING that wait for a peer that does not read */
#define TABLE 4096			/* bytes of compression context, each direction */
#define SEND_HEAD (4 * HEAD_BYTES)	/* a head to send, as nghttp2 estimates it */

#define RESETS 200			/* requests that a peer may give up or break at once ... */
#define RESETS_S 33			/* ... and each second */
#define CHORES 2000			/* frames that carry nothing, weighed by the table below */
#define CHORES_S 500
#define CHORES_FRAME 4			/* what a HEADERS or DATA that we send earns the peer, */
#define CHORES_KIB 1			/* and each KiB in it: windows are updated for these */

static const uint8_t chore[] = {
	[NGHTTP2_DATA] = 0,		/* the empty ones are counted where they end */
	[NGHTTP2_HEADERS] = 0,
	[NGHTTP2_PRIORITY] = 1,
	[NGHTTP2_RST_STREAM] = 1,
	[NGHTTP2_SETTINGS] = 20,
	[NGHTTP2_PING] = 2,
	[NGHTTP2_GOAWAY] = 100,
	[NGHTTP2_WINDOW_UPDATE] = 1,
	[NGHTTP2_CONTINUATION] = 4,
};
#define CHORE_UNKNOWN 4			/* nghttp2 skips most of them without a word, and at no cost */

static bool spend(struct h2 *h, struct h2_budget *b, uint32_t cost, uint32_t most, uint32_t each_s)
{
	uint64_t now = h->io->loop->now_ms, refill = (now - b->at_ms) * each_s / 1000;

	if (!b->at_ms || refill + b->left >= most) {
		b->left = most;
		b->at_ms = now;
	} else if (refill) {
		b->left += (uint32_t)refill;
		b->at_ms = now;
	}
	if (b->left < cost)
		return false;
	b->left -= cost;
	return true;
}

static void chores(struct h2 *h, uint32_t cost)
{
	if (cost && !spend(h, &h->chores, cost, CHORES, CHORES_S))
		h2_fault(h, "a flood of frames that carry nothing");
}

void h2_amiss(struct h2 *h)
{
	if (h->role->server && !spend(h, &h->resets, 1, RESETS, RESETS_S))
		h2_fault(h, "requests are reset or broken at a rate that no client has");
}

static void bad(struct h2 *h, const char *why)
{
	if (!h->told)
		h->role->bad(h, why);
	h->told = true;
}

void h2_fault(struct h2 *h, const char *why)
{
	if (h->fault)
		return;
	h->fault = true;
	bad(h, why);
	(void)nghttp2_session_terminate_session(h->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

static struct h2_stream *stream_of(struct h2 *h, int32_t id)
{
	return id ? nghttp2_session_get_stream_user_data(h->session, id) : NULL;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user)
{
	struct h2 *h = user;

	(void)session;
	if (hd->type == NGHTTP2_PUSH_PROMISE)
		h2_fault(h, "a push that nobody asked for");
	chores(h, hd->type < sizeof(chore) ? chore[hd->type] : CHORE_UNKNOWN);
	return 0;
}

static enum h2_kind kind_of(const struct h2 *h, const struct h2_stream *s, const nghttp2_frame *f)
{
	if (f->headers.cat == NGHTTP2_HCAT_REQUEST)
		return H2_REQUEST;
	return h->role->server || s->headed ? H2_TRAILERS : H2_RESPONSE;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *f, void *user)
{
	static const nghttp2_extpri in_turn = { .urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY, .inc = 1 };
	struct h2 *h = user;
	struct h2_stream *s = stream_of(h, f->hd.stream_id);

	if (f->hd.type != NGHTTP2_HEADERS || h->fault)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (f->headers.cat == NGHTTP2_HCAT_REQUEST) {
		s = h2_stream_new(h, f->hd.stream_id);
		if (!s)
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
		(void)nghttp2_session_set_stream_user_data(session, s->id, s);
		(void)nghttp2_session_change_extpri_stream_priority(session, s->id, &in_turn, 1);
	}
	if (!s)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	h->in_head = true;
	h2_reading_start(&h->reading, kind_of(h, s, f));
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *f, const uint8_t *name, size_t name_len,
		     const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
	struct h2 *h = user;

	(void)session;
	(void)f;
	(void)flags;
	if (h->fault)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (!h2_reading_field(&h->reading, (struct slice){ (const char *)name, name_len },
			      (struct slice){ (const char *)value, value_len })) {
		h2_fault(h, "a head that is many times too large");
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	return 0;
}

/* nghttp2 would leave such a field out and go on. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *f, const uint8_t *name, size_t name_len,
			     const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
	struct h2 *h = user;

	(void)session;
	(void)f;
	(void)name;
	(void)name_len;
	(void)value;
	(void)value_len;
	(void)flags;
	h2_reading_refuse(&h->reading, "a field whose name or value HTTP/2 does not allow");
	return 0;
}

static void trailers(struct h2_stream *s, int status)
{
	struct h2 *h = s->h;

	if (!status) {
		h2_stream_end(s, &h->reading.head);
		return;
	}
	h2_amiss(h);
	h2_stream_reset(s, NGHTTP2_PROTOCOL_ERROR);
	h2_stream_gone(s, GONE_PROTOCOL);
}

static void on_head(struct h2 *h, struct h2_stream *s, bool end)
{
	const char *why;
	int status = h2_reading_end(&h->reading, h->scheme, &why);

	h->in_head = false;
	h->awaited = TIMER_NOW;		/* the next head gets its own time */
	if (h->reading.kind == H2_TRAILERS)
		trailers(s, status);
	else
		h->role->head(s, &h->reading.head, status, why, end);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *f, void *user)
{
	struct h2 *h = user;
	struct h2_stream *s = stream_of(h, f->hd.stream_id);
	bool end = f->hd.flags & NGHTTP2_FLAG_END_STREAM;

	(void)session;
	if (h->fault)
		return 0;
	h->greeted = true;		/* nghttp2 lets nothing come before SETTINGS */
	if (s && f->hd.type == NGHTTP2_RST_STREAM)
		s->theirs = true;
	if (f->hd.type == NGHTTP2_DATA && !end && f->hd.length <= f->data.padlen)
		chores(h, 1);
	if (f->hd.type == NGHTTP2_HEADERS && s)
		on_head(h, s, end);
	else if (f->hd.type == NGHTTP2_DATA && s && end)
		h2_stream_end(s, NULL);
	else if (f->hd.type != NGHTTP2_HEADERS && f->hd.type != NGHTTP2_DATA)
		h->role->frame(h, f);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *user)
{
	struct h2 *h = user;
	struct h2_stream *s = stream_of(h, id);

	(void)flags;
	if (s)
		h2_stream_data(s, (struct slice){ (const char *)p, n });
	else
		(void)nghttp2_session_consume(session, id, n);
	return 0;
}

static int on_invalid(nghttp2_session *session, const nghttp2_frame *f, int error, void *user)
{
	struct h2 *h = user;
	struct h2_stream *s = stream_of(h, f->hd.stream_id);

	(void)session;
	if (f->hd.type == NGHTTP2_HEADERS)
		h->in_head = false;
	if (error == NGHTTP2_ERR_REFUSED_STREAM)
		h2_amiss(h);		/* more streams than were announced */
	else if (s && !s->headed)
		h->role->bad(h, nghttp2_strerror(error));
	else if (!s)
		bad(h, nghttp2_strerror(error));
	return 0;
}

/* nghttp2 ends the connection, and its GOAWAY says in words why. */
static void broken(struct h2 *h, const nghttp2_goaway *g)
{
	char why[96];
	int n = g->opaque_data_len < 60 ? (int)g->opaque_data_len : 60;

	snprintf(why, sizeof(why), "HTTP/2 was broken: %.*s", n, n ? (const char *)g->opaque_data : "");
	bad(h, n ? why : "HTTP/2 was broken");
	h->fault = true;
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *f, void *user)
{
	struct h2 *h = user;
	struct h2_stream *s = stream_of(h, f->hd.stream_id);

	if (f->hd.type == NGHTTP2_GOAWAY && f->goaway.error_code != NGHTTP2_NO_ERROR)
		broken(h, &f->goaway);
	if (f->hd.type != NGHTTP2_DATA && f->hd.type != NGHTTP2_HEADERS)
		return 0;
	h->chores.left += CHORES_FRAME + (uint32_t)(f->hd.length >> 10) * CHORES_KIB;
	if (h->chores.left > CHORES)
		h->chores.left = CHORES;
	/* The answer is whole and the request is not: the rest of it is not wanted. */
	if (s && h->role->server && f->hd.flags & NGHTTP2_FLAG_END_STREAM && !s->in_end && !s->ours) {
		s->ours = true;
		(void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_NO_ERROR);
	}
	return 0;
}

static int on_not_sent(nghttp2_session *session, const nghttp2_frame *f, int error, void *user)
{
	struct h2_stream *s = stream_of(user, f->hd.stream_id);

	(void)session;
	(void)error;
	if (s && f->hd.type == NGHTTP2_HEADERS && f->headers.cat != NGHTTP2_HCAT_REQUEST)
		h2_stream_fail(s);
	return 0;
}

static enum gone why_closed(const struct h2_stream *s, uint32_t code)
{
	if (code == NGHTTP2_REFUSED_STREAM && !s->h->role->server && !s->headed)
		return GONE_REFUSED;
	return code == NGHTTP2_PROTOCOL_ERROR && !s->theirs ? GONE_PROTOCOL : GONE_RESET;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
	struct h2 *h = user;
	struct h2_stream *s = stream_of(h, id);

	(void)session;
	if (!s)
		return 0;
	if (code != NGHTTP2_NO_ERROR && !s->ours)
		h2_amiss(h);
	s->closed = true;
	if (!h->role->server && s->in_end && !s->told_end && !s->ours && s->side.x)
		return 0;		/* the answer is whole, but the client is slow */
	h2_stream_gone(s, why_closed(s, code));
	h2_stream_free(s);
	h->role->closed(h);
	if (!h->n_streams && !h->in_head)
		h2_reading_done(&h->reading);
	return 0;
}

static nghttp2_session_callbacks *callbacks(void)
{
	static nghttp2_session_callbacks *cb;

	if (cb || nghttp2_session_callbacks_new(&cb) < 0)
		return cb;
	nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(cb, on_invalid_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_sent);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(cb, on_not_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
	nghttp2_session_callbacks_set_send_data_callback(cb, h2_stream_send);
	return cb;
}

static nghttp2_option *options(void)
{
	static nghttp2_option *o;

	if (o || nghttp2_option_new(&o) < 0)
		return o;
	nghttp2_option_set_no_auto_window_update(o, 1);
	nghttp2_option_set_no_closed_streams(o, 1);
	nghttp2_option_set_max_reserved_remote_streams(o, 0);
	nghttp2_option_set_max_send_header_block_length(o, SEND_HEAD);
	nghttp2_option_set_max_deflate_dynamic_table_size(o, TABLE);
	nghttp2_option_set_max_outbound_ack(o, ACKS);
	nghttp2_option_set_max_settings(o, SETTINGS);
	nghttp2_option_set_max_continuations(o, CONTINUATIONS);
	nghttp2_option_set_stream_reset_rate_limit(o, 2 * RESETS, 2 * RESETS_S);	/* behind ours */
	return o;
}

static int announce(struct h2 *h)
{
	const struct h2_role *r = h->role;
	nghttp2_settings_entry iv[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, r->server ? STREAMS : 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)r->stream_window },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2_LIST_BYTES },
		{ NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, TABLE },
		{ r->server ? NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES : NGHTTP2_SETTINGS_ENABLE_PUSH, r->server },
	};

	if (nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, iv, sizeof(iv) / sizeof(*iv)) < 0 ||
	    nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, r->window) < 0)
		return -ENOMEM;
	return 0;
}

/*
 * Memory of a session. What a request with a credential leaves in it (copies of fields, frames) is wiped when
 * it is freed; until there was one, this is malloc() and free().
 */
static void *mem_malloc(size_t n, void *user)
{
	(void)user;
	return malloc(n);
}

static void *mem_calloc(size_t n, size_t each, void *user)
{
	(void)user;
	return calloc(n, each);
}

static void mem_free(void *p, void *user)
{
	struct h2 *h = user;

	if (h->secret && p)
		secret_wipe(p, malloc_usable_size(p));
	free(p);
}

static void *mem_realloc(void *p, size_t n, void *user)
{
	struct h2 *h = user;
	size_t had = p ? malloc_usable_size(p) : 0;
	void *q;

	if (!h->secret || !p)
		return realloc(p, n);
	q = malloc(n);
	if (!q)
		return NULL;
	memcpy(q, p, n < had ? n : had);
	mem_free(p, h);
	return q;
}

static int open_session(struct h2 *h)
{
	nghttp2_mem mem = { h, mem_malloc, mem_free, mem_calloc, mem_realloc };

	return (h->role->server ? nghttp2_session_server_new3 : nghttp2_session_client_new3)(
		&h->session, callbacks(), h, options(), &mem);
}

int h2_start(struct h2 **ret, const struct h2_role *role, struct stream *io, void *owner)
{
	struct h2 *h = callbacks() && options() ? calloc(1, sizeof(*h)) : NULL;

	if (!h)
		return -ENOMEM;
	h->role = role;
	h->io = io;
	h->owner = owner;
	h->unread = true;
	h->awaited = TIMER_NOW;
	h->now.fn = h2_on_now;
	TAILQ_INIT(&h->streams);
	TAILQ_INIT(&h->wanting);
	if (open_session(h) < 0 || announce(h) < 0) {
		h2_done(h, GONE_RESET);
		return -ENOMEM;
	}
	*ret = h;
	return 0;
}

void h2_done(struct h2 *h, enum gone why)
{
	if (!h)
		return;
	loop_disarm(h->io->loop, &h->now);
	h2_streams_drop(h, why);
	nghttp2_session_del(h->session);
	h2_reading_done(&h->reading);
	queue_drop(&h->rest, h->rest.n);
	free(h);
}
