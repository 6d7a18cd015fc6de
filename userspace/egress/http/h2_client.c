/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 towards the sandbox: we are the server, each stream is a request that becomes an exchange of its
 * own. A request that breaks HTTP is answered on its stream and recorded; the other streams go on.
 */
#include <stdio.h>

#include "buf.h"
#include "http/conn.h"
#include "http/h2.h"

#define STREAM_WINDOW (256 * 1024)
#define WINDOW (1024 * 1024)

static struct conn *conn_of(const struct h2 *h)
{
	return h->owner;
}

static int submit(struct h2_stream *s, const struct head *h, bool end)
{
	static nghttp2_nv nvs[H2_NVS];
	nghttp2_data_provider from = { .source.ptr = s, .read_callback = h2_stream_read };
	nghttp2_session *session = s->h->session;
	char status[4];
	size_t n = h2_head_nvs(h, H2_RESPONSE, status, nvs);

	if (!n)
		return -1;
	if (h->status < 200)
		return nghttp2_submit_headers(session, NGHTTP2_FLAG_NONE, s->id, NULL, nvs, n, NULL);
	return nghttp2_submit_response(session, s->id, nvs, n, end ? NULL : &from);
}

static void side_head(struct side *side, const struct head *h, bool end)
{
	struct h2_stream *s = container_of(side, struct h2_stream, side);

	if (s->out_end || h->status == 101)
		return;
	s->out_end = end;
	if (submit(s, h, end) < 0)
		h2_stream_fail(s);
	h2_kick(s->h);
}

/* What the upstream did is not the client's fault, and only "refused" lets it try again. */
static void side_abort(struct side *side, enum gone why)
{
	struct h2_stream *s = container_of(side, struct h2_stream, side);

	side->x = NULL;
	h2_stream_reset(s, why == GONE_REFUSED ? NGHTTP2_REFUSED_STREAM :
			   why == GONE_TIMEOUT ? NGHTTP2_CANCEL : NGHTTP2_INTERNAL_ERROR);
}

static const struct side_ops ops = {
	.head = side_head,
	.body = h2_side_body,
	.end = h2_side_end,
	.resume = h2_side_resume,
	.abort = side_abort,
};

/* An answer of our own: `body` is JSON, and left out where the request was HEAD. */
static void answer(struct h2_stream *s, int status, const struct buf *body, bool bare)
{
	struct head h = { .status = (uint16_t)status, .version = 20 };
	char length[24];

	bare = bare || !body->n;
	snprintf(length, sizeof(length), "%zu", body->n);
	(void)head_put(&h, SLICE("content-type"), SLICE("application/json"));
	(void)head_put(&h, SLICE("content-length"), slice_of(length));
	side_head(&s->side, &h, bare);
	if (!bare) {
		(void)h2_side_body(&s->side, (struct slice){ body->p, body->n });
		h2_side_end(&s->side, NULL);
	}
	head_done(&h);
}

static void on_head(struct h2_stream *s, struct head *h, int status, const char *why, bool end)
{
	struct conn *c = conn_of(s->h);
	bool bare = slice_is(slice_of(head_str(h, h->method)), "HEAD");
	struct buf body = { 0 };

	s->headed = true;
	s->in_end = s->told_end = end;
	if (status) {
		h2_amiss(s->h);
		conn_bad_request(c, status, why, &body);
		answer(s, status, &body, bare);
	} else if ((s->side.x = exchange_new(c, &s->side))) {
		exchange_head(s->side.x, &s->side, h, end);
	} else {
		conn_refusal(c, &body);
		answer(s, 503, &body, bare);
	}
	buf_done(&body);
}

static void on_bad(struct h2 *h, const char *why)
{
	struct buf none = { 0 };

	conn_bad_request(conn_of(h), 400, why, &none);
	buf_done(&none);
}

static void on_closed(struct h2 *h)
{
	(void)h;
}

static void on_frame(struct h2 *h, const nghttp2_frame *f)
{
	(void)h;
	(void)f;
}

static void on_end(struct h2 *h, bool hard)
{
	conn_end(conn_of(h), hard);
}

static bool is_ending(const struct h2 *h)
{
	return conn_of(h)->ending;
}

/* What is awaited is armed once: PING and its like keep nothing alive. */
static void on_settled(struct h2 *h)
{
	enum timer_class what = h->in_head || !h->greeted ? TIMER_HEAD :
				h->n_streams ? TIMER_IDLE : TIMER_KEEP;

	if (what != h->awaited || what == TIMER_IDLE)
		conn_await(conn_of(h), what);
	h->awaited = what;
}

static const struct h2_role server = {
	.server = true,
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

static void client_ready(struct conn *c, uint32_t events)
{
	h2_ready(c->state, events);
}

/* What came before GOAWAY is answered; a client may send the rest again elsewhere. */
static void client_drain(struct conn *c)
{
	struct h2 *h = c->state;

	if (h->draining)
		return;
	h->draining = true;
	(void)nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE,
				    nghttp2_session_get_last_proc_stream_id(h->session), NGHTTP2_NO_ERROR, NULL, 0);
	h2_kick(h);
}

static void client_done(struct conn *c)
{
	h2_done(c->state, GONE_RESET);
	c->state = NULL;
}

static const struct conn_ops client_ops = { client_ready, client_drain, client_done };

int h2_client_start(struct conn *c)
{
	struct h2 *h;
	int r = h2_start(&h, &server, &c->client, c);

	if (r < 0)
		return r;
	h->scheme = c->tls ? "https" : "http";
	c->ops = &client_ops;
	c->state = h;
	return 0;
}
