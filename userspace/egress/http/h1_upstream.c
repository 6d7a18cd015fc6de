/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 towards the world: we are the client, one exchange at a time. The server is not trusted either:
 * a connection is used again only when its last answer ended where it said, and nothing came behind it.
 */
#include "http/upstream.h"

#include <stdlib.h>

#include "http/chars.h"
#include "http/h1_io.h"

#define ROUNDS 16			/* reads before other connections get their turn */
#define INTERIM_MOST 32			/* 1xx answers of one exchange */

enum h1_stage {
	OUT_IDLE,
	OUT_HEAD,			/* of the answer */
	OUT_BODY,			/* also: bytes of a tunnel */
	OUT_DONE,			/* the answer is whole */
};

struct h1_upstream {
	struct upstream *u;
	struct side side;
	struct h1_io io;
	struct timer now;
	enum h1_stage stage;
	struct h1_feed feed;
	struct h1_sink sink;
	unsigned interim;
	bool is_head, upgrade;		/* of the request */
	bool sent;			/* the whole request is written, or waits to be */
	bool heard;			/* a byte of the answer came */
	bool keep;			/* the answer leaves the connection usable */
	bool tunnel, finished, inside, again;
};

/* Parsed and given away within one call, so one is enough for all. */
static struct head shared;

static struct h1_upstream *upstream_of(struct side *s)
{
	return container_of(s, struct h1_upstream, side);
}

static void kick(struct h1_upstream *k)
{
	if (k->inside)
		k->again = true;
	else if (!k->now.due_ms && !k->u->ending)
		loop_arm(k->u->stream.loop, &k->now, TIMER_NOW);
}

/* Nothing more can be had from here. The exchange may go to another connection at once. */
static void gone(struct h1_upstream *k, enum gone why)
{
	struct exchange *x = k->side.x;

	upstream_end(k->u, true);
	if (x)
		exchange_gone(x, &k->side, why);
}

static void broke(struct h1_upstream *k)
{
	gone(k, k->u->used && !k->heard ? GONE_STALE : GONE_RESET);
}

/* ---- the request */

/*
 * Servers that overlook the body of such a request would take it for the next one: they are told that
 * there is none.
 */
static bool body_is_odd(const char *method)
{
	return !strcmp(method, "GET") || !strcmp(method, "HEAD") || !strcmp(method, "DELETE") ||
	       !strcmp(method, "OPTIONS");
}

/* Whoever made this head, its first line stays one line of three words. */
static bool line_is_good(const struct head *h)
{
	struct slice method = slice_of(head_str(h, h->method)), target = slice_of(head_str(h, h->target));
	struct slice authority = slice_of(head_str(h, h->authority));

	return method.n && chars_all(method, CH_TOKEN) && target.p[0] == '/' &&
	       chars_all(target, CH_TARGET) && authority.n && chars_all(authority, CH_TARGET);
}

static void side_head(struct side *s, const struct head *h, bool end)
{
	struct h1_upstream *k = upstream_of(s);
	const char *method = head_str(h, h->method);
	struct h1_message m;

	k->sink.wrong = !line_is_good(h) || !h1_frame_request(h, end, &m);
	if (!k->sink.wrong) {
		if ((m.framing == H1_CHUNKED || m.length) && body_is_odd(method))
			m.keep_alive = false;
		if (!m.keep_alive || m.upgrade)
			k->u->closing = true;
		k->is_head = !strcmp(method, "HEAD");
		k->upgrade = m.upgrade;
		h1_io_head(&k->io, h);
		h1_write_request(&k->io.out, h, &m);
		h1_sink_start(&k->sink, &m);
		k->sink.wrong |= !buf_ok(&k->io.out);
		k->sent = end;
	}
	kick(k);
}

static size_t side_body(struct side *s, struct slice bytes)
{
	struct h1_upstream *k = upstream_of(s);
	size_t n = h1_sink_body(&k->sink, &k->io, bytes);

	kick(k);
	return n;
}

static void side_end(struct side *s, const struct head *trailers)
{
	struct h1_upstream *k = upstream_of(s);

	k->sent = true;
	h1_sink_end(&k->sink, &k->io, trailers);
	kick(k);
}

static void work(struct h1_upstream *k);

static void side_resume(struct side *s)
{
	struct h1_upstream *k = upstream_of(s);

	k->feed.full = false;
	work(k);
}

/* A request or an answer that is cut short takes its connection along. */
static void side_abort(struct side *s, enum gone why)
{
	(void)why;
	upstream_end(upstream_of(s)->u, true);
}

static const struct side_ops ops = {
	.head = side_head,
	.body = side_body,
	.end = side_end,
	.resume = side_resume,
	.abort = side_abort,
};

/* ---- the answer */

static void begin_tunnel(struct h1_upstream *k)
{
	k->tunnel = true;
	k->sent = false;		/* now as to the other protocol */
	k->stage = OUT_BODY;
	h1_feed_start(&k->feed, &(struct h1_message){ .framing = H1_UNTIL_CLOSE });
	h1_sink_start(&k->sink, &(struct h1_message){ .framing = H1_UNTIL_CLOSE });
	exchange_head(k->side.x, &k->side, &shared, false);
}

static void begin_answer(struct h1_upstream *k, const struct h1_message *m)
{
	bool end = m->framing == H1_NONE || (m->framing == H1_LENGTH && !m->length);

	k->keep = m->keep_alive;
	k->stage = end ? OUT_DONE : OUT_BODY;
	h1_feed_start(&k->feed, m);
	exchange_head(k->side.x, &k->side, &shared, end);
}

/* False: more bytes are needed first. */
static bool read_head(struct h1_upstream *k)
{
	struct slice in = k->io.in;
	struct h1_message m;
	const char *why;
	ssize_t n;

	if (!in.n)
		return false;
	if (!k->io.wrote) {		/* what comes before the request is no answer to it */
		gone(k, k->u->used ? GONE_STALE : GONE_PROTOCOL);
		return true;
	}
	k->heard = true;
	n = h1_head_end(in, &k->io.seen);
	if (!n && in.n < HEAD_BYTES)
		return false;
	k->io.seen = 0;
	n = h1_read_response(in, k->is_head ? "HEAD" : "GET", &shared, &m, &why);
	if (n <= 0 || (shared.status == 101 && !k->upgrade) ||
	    (shared.status < 200 && k->interim++ >= INTERIM_MOST)) {
		gone(k, GONE_PROTOCOL);
		return true;
	}
	h1_io_use(&k->io, (size_t)n);
	if (shared.status == 101)
		begin_tunnel(k);
	else if (shared.status < 200)
		exchange_head(k->side.x, &k->side, &shared, false);
	else
		begin_answer(k, &m);
	head_reset(&shared);
	return true;
}

static bool read_body(struct h1_upstream *k)
{
	const char *why;

	switch (h1_feed(&k->feed, &k->io, &k->side, &why)) {
	case H1_FED_FULL:
		return true;
	case H1_FED_MORE:
		return false;
	case H1_FED_BAD:
		gone(k, GONE_PROTOCOL);
		return true;
	case H1_FED_DONE:
		break;
	}
	k->stage = OUT_DONE;
	if (k->side.x)
		exchange_end(k->side.x, &k->side, h1_feed_trailers(&k->feed));
	head_done(&k->feed.trailers);
	return true;
}

static bool wants(const struct h1_upstream *k)
{
	if (k->u->ending || k->stage == OUT_DONE || (k->stage != OUT_IDLE && !k->side.x))
		return false;
	return !(k->stage == OUT_BODY && k->feed.full);
}

static bool use(struct h1_upstream *k)
{
	bool enough = true;

	while (enough && wants(k)) {
		if (k->stage == OUT_HEAD)
			enough = read_head(k);
		else if (k->stage == OUT_BODY)
			enough = read_body(k);
		else if (k->io.in.n)
			upstream_end(k->u, true);	/* an answer to nothing */
		else
			enough = false;
	}
	return enough;
}

static void input_ended(struct h1_upstream *k, bool cut)
{
	if (k->stage == OUT_IDLE) {
		upstream_end(k->u, cut);
	} else if (!cut && k->stage == OUT_BODY && k->feed.body.framing == H1_UNTIL_CLOSE) {
		k->keep = false;
		k->stage = OUT_DONE;
		exchange_end(k->side.x, &k->side, NULL);
	} else {
		broke(k);
	}
}

static void take_in(struct h1_upstream *k)
{
	for (int round = 0; round < ROUNDS; round++) {
		bool enough = use(k);
		ssize_t n;

		if (h1_io_keep(&k->io) < 0) {
			gone(k, GONE_RESET);
			return;
		}
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
		gone(k, GONE_RESET);
	else
		kick(k);
}

/* ---- one after the other */

/* The answer is whole and its exchange has let go. */
static void free_slot(struct h1_upstream *k)
{
	const struct stream *s = &k->u->stream;

	if (!k->keep || !k->sent || h1_io_waiting(&k->io) || k->io.broken || k->io.in.n || k->tunnel || s->fin)
		k->u->closing = true;
	k->stage = OUT_IDLE;
	k->again |= !s->drained || stream_held(s);	/* no event will tell of what is there already */
	upstream_free_slot(k->u);
}

static void settle(struct h1_upstream *k)
{
	if (k->side.x && k->sink.wrong)
		gone(k, GONE_PROTOCOL);
	else if (k->side.x && h1_sink_room(&k->sink, &k->io))
		exchange_writable(k->side.x, &k->side);
	if (!k->u->ending && k->tunnel && k->sent && !k->finished && !h1_io_waiting(&k->io))
		k->finished = stream_finish(&k->u->stream) != IO_AGAIN;
	if (!k->u->ending && k->stage == OUT_DONE && !k->side.x)
		free_slot(k);
}

static void work(struct h1_upstream *k)
{
	if (k->inside || k->u->ending) {
		k->again = true;
		return;
	}
	k->inside = true;
	for (int round = 0; round < ROUNDS; round++) {
		bool waited = h1_io_waiting(&k->io) && !k->io.broken;

		k->again = false;
		take_in(k);
		if (!k->u->ending && waited)
			(void)h1_io_flush(&k->io);
		if (!k->u->ending && waited && k->io.broken)
			k->again = true;	/* an answer may be there all the same */
		if (!k->u->ending)
			settle(k);
		if (!k->again || k->u->ending)
			break;
	}
	k->inside = false;
	if (k->again)
		kick(k);
}

static void on_now(struct timer *t)
{
	struct h1_upstream *k = container_of(t, struct h1_upstream, now);

	if (!k->u->ending)
		work(k);
}

/* ---- the connection */

static struct side *open_side(struct upstream *u)
{
	struct h1_upstream *k = u->state;

	if (k->stage != OUT_IDLE || k->io.in.n || u->ending || u->stream.fin)
		return NULL;
	k->stage = OUT_HEAD;
	k->interim = 0;
	k->is_head = k->upgrade = k->sent = k->heard = k->keep = k->io.wrote = false;
	k->sink = (struct h1_sink){ 0 };
	return &k->side;
}

static void ready(struct upstream *u, uint32_t events)
{
	(void)events;
	work(u->state);
}

static void done(struct upstream *u)
{
	struct h1_upstream *k = u->state;

	if (k->side.x)
		exchange_gone(k->side.x, &k->side, GONE_RESET);
	loop_disarm(u->stream.loop, &k->now);
	head_done(&k->feed.trailers);
	h1_io_done(&k->io);
	free(k);
	u->state = NULL;
}

int h1_upstream_start(struct upstream *u)
{
	static const struct upstream_ops upstream_ops = { .open = open_side, .ready = ready, .done = done };
	struct h1_upstream *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->u = u;
	k->side.ops = &ops;
	k->io.s = &u->stream;
	k->now.fn = on_now;
	u->ops = &upstream_ops;
	u->state = k;
	u->most = 1;
	return 0;
}
