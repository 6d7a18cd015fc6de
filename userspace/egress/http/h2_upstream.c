/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 towards the world: we are the client, and many exchanges share the connection. The peer pushes
 * nothing; its heads are read as strictly as those of a client.
 */
#include "http/h2.h"
#include "http/upstream.h"

#define STREAM_WINDOW (1024 * 1024)	/* far away: what fits on the way during one round trip */
#define WINDOW (16 * 1024 * 1024)
#define INTERIM 32			/* 1xx heads before an answer */
#define STREAMS 100			/* of ours at once, whatever the peer allows */

static struct upstream *upstream_of(const struct h2 *h)
{
	return h->owner;
}

static bool submit(struct h2_stream *s, const struct head *h, bool end)
{
	static nghttp2_nv nvs[H2_NVS];
	nghttp2_data_provider from = { .source.ptr = s, .read_callback = h2_stream_read };
	size_t n = h2_head_nvs(h, H2_REQUEST, NULL, nvs);
	int32_t id = n ? nghttp2_submit_request(s->h->session, NULL, nvs, n, end ? NULL : &from, s) : -1;

	if (id > 0)
		s->id = id;
	return id > 0;
}

static void side_head(struct side *side, const struct head *h, bool end)
{
	struct h2_stream *s = container_of(side, struct h2_stream, side);

	if (s->id || s->failed)
		return;
	s->out_end = end;
	s->out.secret = h->secret;
	s->h->secret |= h->secret;	/* for good: such a connection carries one credential's requests alone */
	if (!submit(s, h, end))
		h2_stream_fail(s);
	h2_kick(s->h);
}

static void side_abort(struct side *side, enum gone why)
{
	struct h2_stream *s = container_of(side, struct h2_stream, side);

	(void)why;
	side->x = NULL;
	h2_stream_reset(s, NGHTTP2_CANCEL);
}

static const struct side_ops ops = {
	.head = side_head,
	.body = h2_side_body,
	.end = h2_side_end,
	.resume = h2_side_resume,
	.abort = side_abort,
};

static void on_head(struct h2_stream *s, struct head *h, int status, const char *why, bool end)
{
	(void)why;
	if (status || (h->status < 200 && ++s->interim > INTERIM)) {
		h2_stream_reset(s, NGHTTP2_PROTOCOL_ERROR);
		h2_stream_gone(s, GONE_PROTOCOL);
		return;
	}
	s->headed = h->status >= 200;
	s->in_end = s->told_end = end;
	if (s->side.x)
		exchange_head(s->side.x, &s->side, h, end);
}

static void on_closed(struct h2 *h)
{
	upstream_free_slot(upstream_of(h));
}

static void on_frame(struct h2 *h, const nghttp2_frame *f)
{
	if (f->hd.type == NGHTTP2_GOAWAY || !nghttp2_session_check_request_allowed(h->session))
		upstream_of(h)->closing = true;
}

/* Nobody to tell: the exchanges hear that they are gone. */
static void on_bad(struct h2 *h, const char *why)
{
	(void)why;
	upstream_of(h)->closing = true;
}

static void on_end(struct h2 *h, bool hard)
{
	upstream_end(upstream_of(h), hard);
}

static bool is_ending(const struct h2 *h)
{
	return upstream_of(h)->ending;
}

/* Clients that do not read hold its window, and would hold up whoever came next: those go elsewhere. */
static void on_settled(struct h2 *h)
{
	struct upstream *u = upstream_of(h);
	uint32_t most = nghttp2_session_get_remote_settings(h->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

	u->most = h->owed ? 1 : most < STREAMS ? most : STREAMS;
	if (u->closing && !h->n_streams && !u->ending)
		upstream_end(u, false);
}

static const struct h2_role client = {
	.ops = &ops,
	.stream_window = STREAM_WINDOW,
	.window = WINDOW,
	.head = on_head,
	.closed = on_closed,
	.frame = on_frame,
	.bad = on_bad,
	.end = on_end,
	.ending = is_ending,
	.settled = on_settled,
};

static struct side *up_open(struct upstream *u)
{
	struct h2 *h = u->state;
	struct h2_stream *s = NULL;

	if (!h->fault && !u->closing && nghttp2_session_check_request_allowed(h->session))
		s = h2_stream_new(h, 0);
	else
		u->closing = true;
	return s ? &s->side : NULL;
}

static void up_ready(struct upstream *u, uint32_t events)
{
	h2_ready(u->state, events);
}

static void up_done(struct upstream *u)
{
	h2_done(u->state, u->used ? GONE_STALE : GONE_RESET);
	u->state = NULL;
}

static const struct upstream_ops up_ops = { up_open, up_ready, up_done };

int h2_upstream_start(struct upstream *u)
{
	struct h2 *h;
	int r = h2_start(&h, &client, &u->stream, u);

	if (r < 0)
		return r;
	u->ops = &up_ops;
	u->state = h;
	u->most = STREAMS;
	h2_kick(h);
	return 0;
}
