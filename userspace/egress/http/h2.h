/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 on one connection, whichever end of it we are: an nghttp2 session over a stream, and its
 * streams as sides of exchanges. nghttp2 frames, compresses and keeps the windows; here are bytes in
 * batches, backpressure, and bounds on what a peer can make us do. Roles (h2_client.c: we serve the
 * sandbox; h2_upstream.c: we ask the world) say what a head means.
 */
#pragma once

#include <nghttp2/nghttp2.h>

#include "http/exchange.h"
#include "http/h2_head.h"
#include "http/h2_queue.h"
#include "tls/stream.h"

struct h2;

struct h2_stream {
	struct side side;
	TAILQ_ENTRY(h2_stream) link;
	TAILQ_ENTRY(h2_stream) want;	/* of those whose exchange waits for room */
	struct h2 *h;
	int32_t id;			/* 0 = a request that was not submitted */
	struct h2_queue in;		/* from the peer, not taken by the exchange yet */
	struct head *in_trailers;	/* which wait for `in` */
	struct h2_queue out;		/* from the exchange, not sent yet */
	struct head *out_trailers;
	uint8_t interim;		/* 1xx heads so far */
	bool wanting;			/* is in the list */
	bool headed;			/* the final head has come, and was told or refused */
	bool delivering, again;		/* `in` to the exchange; it takes more */
	bool in_end, told_end;		/* the peer's message ended; the exchange knows */
	bool out_end;			/* ours ended: what `out` holds is the last */
	bool deferred;			/* nghttp2 waits for bytes of ours */
	bool ours;			/* we reset it */
	bool theirs;			/* the peer did */
	bool closed;			/* nghttp2 has forgotten it; what `in` holds is still to be delivered */
	bool failed, retired;		/* found at the next flush: its exchange must hear; it is to be freed */
};

TAILQ_HEAD(h2_streams, h2_stream);

struct h2_role {
	bool server;
	const struct side_ops *ops;
	int32_t stream_window, window;	/* bytes that a peer may send ahead: on a stream, on the connection */
	/* A head is whole. status != 0: it is refused, *why says it. `end`: no body follows. */
	void (*head)(struct h2_stream *s, struct head *h, int status, const char *why, bool end);
	void (*closed)(struct h2 *h);			/* a stream left */
	void (*frame)(struct h2 *h, const nghttp2_frame *f);	/* received; not HEADERS, DATA */
	void (*bad)(struct h2 *h, const char *why);	/* the peer broke HTTP/2: for the record */
	void (*end)(struct h2 *h, bool hard);		/* the connection is over: `done` follows from the loop */
	bool (*ending)(const struct h2 *h);
	void (*settled)(struct h2 *h);			/* all was worked off: what is waited for now? */
};

struct h2_budget {			/* of things that a peer may do, refilled with time */
	uint32_t left;
	uint64_t at_ms;
};

struct h2 {
	nghttp2_session *session;
	struct stream *io;
	const struct h2_role *role;
	void *owner;			/* struct conn or struct upstream */
	const char *scheme;		/* of requests that may come */
	struct h2_streams streams, wanting;
	uint32_t n_streams, n_wanting;
	bool sweep;			/* some stream failed or retired */
	struct timer now;
	struct h2_reading reading;	/* one head is read at a time on a connection */
	bool in_head, greeted;		/* the rest of a head is awaited; SETTINGS have come */
	enum timer_class awaited;
	struct h2_queue rest;		/* bytes of a batch that the socket did not take */
	struct slice frame;		/* nghttp2's, not in a batch yet; valid until it is asked for more */
	struct h2_budget resets, chores;
	size_t held;			/* bytes in all `in` */
	size_t owed;			/* bytes received that the connection's window has not got back */
	bool blocked;			/* the socket takes no more */
	bool secret;			/* a head with a credential was sent: whatever is freed is wiped */
	bool draining;			/* GOAWAY was submitted: it ends with its last stream */
	bool unread;			/* reading stopped before the socket was empty */
	bool lingering;			/* GOAWAY is out, exchanges are gone */
	uint32_t dropped;		/* bytes received since then */
	bool fault;			/* it ends as soon as GOAWAY had its chance */
	bool inside;			/* in h2_ready or the timer: they flush at their end */
	bool told;			/* the peer's fault is on record */
};

int h2_start(struct h2 **ret, const struct h2_role *role, struct stream *io, void *owner);	/* 0 or -ENOMEM */
void h2_ready(struct h2 *h, uint32_t events);
void h2_on_now(struct timer *t);		/* of h->now */
void h2_kick(struct h2 *h);			/* something is to be sent: at the end of this round */
void h2_fault(struct h2 *h, const char *why);	/* GOAWAY ENHANCE_YOUR_CALM, a record, and the end */
void h2_done(struct h2 *h, enum gone why);	/* frees; exchanges hear `why` */
void h2_amiss(struct h2 *h);			/* one request was broken, or reset: a peer may do that, but not often */

/* Streams (h2_stream.c). */
struct h2_stream *h2_stream_new(struct h2 *h, int32_t id);
void h2_stream_free(struct h2_stream *s);	/* unlisted; the exchange must know already */
void h2_stream_gone(struct h2_stream *s, enum gone why);	/* tells the exchange, if one is linked still */
void h2_stream_reset(struct h2_stream *s, uint32_t code);
void h2_stream_fail(struct h2_stream *s);	/* from within an op of its side: the exchange hears of it later */
void h2_stream_data(struct h2_stream *s, struct slice bytes);	/* from the peer */
void h2_stream_end(struct h2_stream *s, struct head *trailers);	/* from the peer; takes the memory of *trailers */
void h2_stream_retire(struct h2_stream *s);	/* freed when nobody is at work on it */
void h2_streams_sweep(struct h2 *h);
void h2_streams_drop(struct h2 *h, enum gone why);	/* all of them; nghttp2 is not to be called any more */
bool h2_streams_tell(struct h2 *h);		/* those that have room again; false = nobody waited */
ssize_t h2_stream_read(nghttp2_session *session, int32_t id, uint8_t *buf, size_t length, uint32_t *flags,
		       nghttp2_data_source *source, void *user);
int h2_stream_send(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t length,
		   nghttp2_data_source *source, void *user);

/* Parts of side_ops that both roles have. */
size_t h2_side_body(struct side *side, struct slice bytes);
void h2_side_end(struct side *side, const struct head *trailers);
void h2_side_resume(struct side *side);

/* The batch that is being filled (h2_io.c): what goes into one write. */
size_t h2_batch_room(void);
void h2_batch_put(const void *p, size_t n);
