/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 towards the sandbox: we are the server. One request at a time: the next one is read when the
 * answer to the former has been written, and waits in its socket until then. What arrives is hostile.
 */
#include <stdlib.h>

#include "http/conn.h"
#include "http/h1_io.h"

#define ROUNDS 16			/* reads before other connections get their turn */
#define DRAIN_MOST (256u << 20)		/* of a body that nobody wants, so that its sender reads our answer */
#define LINE_MOST (TARGET_BYTES + 64)	/* no request line is longer */

enum h1_stage {
	IN_HEAD,			/* between requests, or in the head of one */
	IN_BODY,			/* also: bytes of a tunnel */
	IN_DONE,			/* the request is whole: its answer is awaited */
	IN_DRAIN,			/* after the last answer: until the client has read it */
};

struct h1_client {
	struct conn *c;
	struct side side;
	struct h1_io io;
	struct timer now;
	enum h1_stage stage;
	struct h1_feed feed;
	struct h1_sink sink;
	uint32_t drained;
	uint8_t version;
	bool is_head;			/* the request's method is HEAD */
	bool keep;			/* after this answer another request may come */
	bool begun, answered;		/* of the answer: its head was written; all of it was */
	bool cut;			/* the exchange gave up: reset */
	bool linger;			/* the client still sends: wait until it has read the answer */
	bool tunnel, draining, inside, again;
};

/* Parsed and given away within one call, so one is enough for all. */
static struct head shared;

static struct h1_client *client_of(struct side *s)
{
	return container_of(s, struct h1_client, side);
}

/* Whatever is to be done is done after the exchange's call has returned. */
static void kick(struct h1_client *k)
{
	if (k->inside)
		k->again = true;
	else if (!k->now.due_ms && !k->c->ending)
		loop_arm(k->c->client.loop, &k->now, TIMER_NOW);
}

/* ---- the answer */

/* A body that lies here already does no harm to the connection, wanted or not. */
static bool request_is_whole(const struct h1_client *k)
{
	if (k->stage != IN_BODY)
		return true;
	return k->feed.body.framing == H1_LENGTH && k->feed.body.left + k->feed.pend <= k->io.in.n;
}

static void side_head(struct side *s, const struct head *h, bool end)
{
	struct h1_client *k = client_of(s);
	struct h1_message m;

	if (k->begun || (h->status < 200 && k->version < 11))
		return;
	if (!h1_frame_response(h, end, k->is_head ? "HEAD" : "GET", k->version, &m)) {
		k->cut = true;
		kick(k);
		return;
	}
	k->begun = h->status >= 200 || h->status == 101;
	if (h->status == 101) {
		k->tunnel = true;
		k->keep = false;
		k->stage = IN_BODY;
		h1_feed_start(&k->feed, &(struct h1_message){ .framing = H1_UNTIL_CLOSE });
	} else if (k->begun) {
		k->keep &= m.keep_alive && !k->draining && request_is_whole(k);
		m.keep_alive = k->keep;
	}
	h1_io_head(&k->io, h);
	h1_write_response(&k->io.out, h, &m);
	if (h->status == 101)
		m.framing = H1_UNTIL_CLOSE;
	h1_sink_start(&k->sink, &m);
	k->sink.wrong = !buf_ok(&k->io.out);
	k->answered = end;
	kick(k);
}

static size_t side_body(struct side *s, struct slice bytes)
{
	struct h1_client *k = client_of(s);
	size_t n = h1_sink_body(&k->sink, &k->io, bytes);

	kick(k);
	return n;
}

static void side_end(struct side *s, const struct head *trailers)
{
	struct h1_client *k = client_of(s);

	h1_sink_end(&k->sink, &k->io, trailers);
	k->answered = true;
	kick(k);
}

static void work(struct h1_client *k);

static void side_resume(struct side *s)
{
	struct h1_client *k = client_of(s);

	k->feed.full = false;
	work(k);
}

static void side_abort(struct side *s, enum gone why)
{
	(void)why;
	client_of(s)->cut = true;
	kick(client_of(s));
}

static const struct side_ops ops = {
	.head = side_head,
	.body = side_body,
	.end = side_end,
	.resume = side_resume,
	.abort = side_abort,
};

/* An answer of this side's own; `body` is JSON. */
static void answer_self(struct h1_client *k, int status, struct buf *body)
{
	struct h1_message m = { .framing = H1_LENGTH, .length = body->n };
	struct head h = { .status = (uint16_t)status };

	(void)head_add(&h, SLICE("content-type"), SLICE("application/json"));
	h1_io_head(&k->io, &h);
	h1_write_response(&k->io.out, &h, &m);
	buf_put(&k->io.out, body->p, body->n);
	head_done(&h);
	buf_done(body);
	k->sink = (struct h1_sink){ 0 };
	k->begun = k->answered = k->linger = true;
	k->keep = false;
}

/* ---- the request */

static void bad_request(struct h1_client *k, int status, const char *why)
{
	struct buf body = { 0 };

	if (k->side.x)
		exchange_gone(k->side.x, &k->side, GONE_PROTOCOL);
	conn_bad_request(k->c, status, why, &body);
	if (k->begun) {
		k->cut = true;		/* in the middle of an answer nothing else can be said */
		buf_done(&body);
	} else {
		answer_self(k, status, &body);
		k->stage = IN_DONE;
	}
	h1_io_use(&k->io, k->io.in.n);
}

static void begin(struct h1_client *k, struct head *h, const struct h1_message *m)
{
	bool end = m->framing == H1_NONE || (m->framing == H1_LENGTH && !m->length);
	struct exchange *x;

	k->version = h->version;
	k->is_head = !strcmp(head_str(h, h->method), "HEAD");
	k->keep = m->keep_alive;
	k->begun = k->answered = false;
	k->stage = end ? IN_DONE : IN_BODY;
	h1_feed_start(&k->feed, m);
	conn_await(k->c, TIMER_IDLE);
	if (!h->scheme)
		h->scheme = head_text(h, k->c->tls ? SLICE("https") : SLICE("http"));
	x = exchange_new(k->c, &k->side);
	if (x) {
		exchange_head(x, &k->side, h, end);
	} else {
		struct buf body = { 0 };

		conn_refusal(k->c, &body);
		answer_self(k, 503, &body);
	}
}

/* False: more bytes are needed first. */
static bool read_head(struct h1_client *k)
{
	struct slice in = k->io.in;
	bool fresh = !k->io.seen;
	struct h1_message m;
	const char *why;
	int status;
	ssize_t n;

	if (!in.n)
		return false;
	n = h1_head_end(in, &k->io.seen);
	if (fresh && !n)
		conn_await(k->c, TIMER_HEAD);
	if (!n && in.n < HEAD_BYTES && (in.n < LINE_MOST || memchr(in.p, '\n', LINE_MOST)))
		return false;		/* nothing to be said yet: do not read it all again and again */
	n = h1_read_request(in, &shared, &m, &why, &status);
	if (!n)
		return false;
	k->io.seen = 0;
	if (n < 0) {
		bad_request(k, status, why);
		return true;
	}
	h1_io_use(&k->io, (size_t)n);
	begin(k, &shared, &m);
	head_reset(&shared);
	return true;
}

static bool read_body(struct h1_client *k)
{
	const char *why = NULL;

	switch (h1_feed(&k->feed, &k->io, &k->side, &why)) {
	case H1_FED_FULL:
		return true;
	case H1_FED_MORE:
		return false;
	case H1_FED_BAD:
		bad_request(k, 400, why);
		return true;
	case H1_FED_DONE:
		break;
	}
	k->stage = IN_DONE;
	if (k->side.x)
		exchange_end(k->side.x, &k->side, h1_feed_trailers(&k->feed));
	head_done(&k->feed.trailers);
	return true;
}

static bool drop_input(struct h1_client *k)
{
	k->drained += (uint32_t)k->io.in.n;
	h1_io_use(&k->io, k->io.in.n);
	if (k->drained > DRAIN_MOST)
		conn_end(k->c, false);
	return false;
}

static bool wants(const struct h1_client *k)
{
	if (k->c->ending || k->cut || k->stage == IN_DONE)
		return false;
	return k->stage != IN_BODY || !(k->feed.full || k->answered);
}

/* Uses what there is. False: more bytes are needed. */
static bool use(struct h1_client *k)
{
	bool enough = true;

	while (enough && wants(k)) {
		if (k->stage == IN_HEAD)
			enough = read_head(k);
		else if (k->stage == IN_BODY)
			enough = read_body(k);
		else
			enough = drop_input(k);
	}
	return enough;
}

static void input_ended(struct h1_client *k, bool cut)
{
	struct exchange *x = k->side.x;

	if (!cut && k->tunnel && k->stage == IN_BODY) {
		k->stage = IN_DONE;
		if (x)
			exchange_end(x, &k->side, NULL);
		return;
	}
	if (x)
		exchange_gone(x, &k->side, GONE_RESET);
	if (!cut && k->stage == IN_HEAD)
		(void)stream_finish(&k->c->client);
	conn_end(k->c, cut || k->stage == IN_BODY);
}

static void take_in(struct h1_client *k)
{
	for (int round = 0; round < ROUNDS; round++) {
		bool enough = use(k);
		ssize_t n;

		if (h1_io_keep(&k->io) < 0)
			k->cut = true;
		if (enough || !wants(k))
			return;
		n = h1_io_fill(&k->io);
		if (n == IO_AGAIN)
			return;
		if (n <= 0) {
			input_ended(k, n < 0);
			return;
		}
	}
	(void)use(k);			/* what was read last is not left in the memory of all */
	if (h1_io_keep(&k->io) < 0)
		k->cut = true;
	kick(k);
}

/* ---- one after the other */

/*
 * Closing with bytes unread would reset the connection, and take our answer from the client. What ends
 * a body that lasts until the close is an orderly end, so that comes first in any case.
 */
static void last_words(struct h1_client *k)
{
	struct stream *s = &k->c->client;
	int r = stream_finish(s);

	if (r == IO_AGAIN)
		return;			/* EPOLLOUT comes */
	if (r < 0) {
		conn_end(k->c, true);
		return;
	}
	if (!k->linger && k->stage == IN_DONE && !k->io.in.n && s->drained && !stream_held(s)) {
		conn_end(k->c, false);
		return;
	}
	k->stage = IN_DRAIN;
	conn_await(k->c, TIMER_DIAL);
	k->again = true;
}

static void next_request(struct h1_client *k)
{
	k->begun = k->answered = false;
	if (k->stage == IN_BODY) {	/* request_is_whole(): nobody wanted it */
		size_t left = k->feed.pend + (size_t)k->feed.body.left;

		h1_io_use(&k->io, left);
		if (h1_io_keep(&k->io) < 0)
			k->cut = true;
	}
	k->stage = IN_HEAD;
	conn_await(k->c, TIMER_KEEP);
	k->again = true;
}

static void settle(struct h1_client *k)
{
	if (k->cut || k->sink.wrong || k->io.broken) {
		if (k->side.x)
			exchange_gone(k->side.x, &k->side, GONE_RESET);
		conn_end(k->c, true);
		return;
	}
	if (k->side.x && h1_sink_room(&k->sink, &k->io))
		exchange_writable(k->side.x, &k->side);
	if (!k->answered || h1_io_waiting(&k->io) || k->stage == IN_DRAIN)
		return;
	if (k->keep)
		next_request(k);
	else
		last_words(k);
}

static void work(struct h1_client *k)
{
	if (k->inside || k->c->ending) {
		k->again = true;
		return;
	}
	k->inside = true;
	for (int round = 0; round < ROUNDS; round++) {
		k->again = false;
		take_in(k);
		if (!k->c->ending && h1_io_waiting(&k->io))
			(void)h1_io_flush(&k->io);
		if (!k->c->ending)
			settle(k);
		if (!k->again || k->c->ending)
			break;
	}
	k->inside = false;
	if (k->again)
		kick(k);
}

static void on_now(struct timer *t)
{
	struct h1_client *k = container_of(t, struct h1_client, now);

	if (!k->c->ending)
		work(k);
}

/* ---- the connection */

static void ready(struct conn *c, uint32_t events)
{
	struct h1_client *k = c->state;

	/* A client that only waits is not read from: its reset is seen here. */
	if (events & (EPOLLERR | EPOLLHUP) && !wants(k))
		k->cut = true;
	work(k);
}

static void drain(struct conn *c)
{
	struct h1_client *k = c->state;

	k->draining = true;
	if (k->stage == IN_HEAD && !k->io.in.n && !h1_io_waiting(&k->io)) {
		(void)stream_finish(&c->client);
		conn_end(c, false);
	}
}

static void done(struct conn *c)
{
	struct h1_client *k = c->state;

	if (k->side.x)
		exchange_gone(k->side.x, &k->side, GONE_RESET);
	loop_disarm(c->client.loop, &k->now);
	head_done(&k->feed.trailers);
	h1_io_done(&k->io);
	free(k);
	c->state = NULL;
}

int h1_client_start(struct conn *c)
{
	static const struct conn_ops conn_ops = { .ready = ready, .drain = drain, .done = done };
	struct h1_client *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->c = c;
	k->side.ops = &ops;
	k->io.s = &c->client;
	k->now.fn = on_now;
	c->ops = &conn_ops;
	c->state = k;
	return 0;
}
