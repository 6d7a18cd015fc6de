/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of an HTTP/2 connection: reads go into nghttp2 piece by piece, frames go out in batches of one
 * TLS record. One thread: the batch and the buffer to read into exist once, so that an idle connection
 * holds neither.
 */
#include "http/h2.h"
#include "secret.h"

#define BATCH 16384			/* what one TLS record carries */
#define ROUNDS 16			/* reads, or writes, before other connections get their turn */
#define QUEUE 256			/* frames that wait for a peer that does not read: then we do not either */

#define LINGER (4u << 20)		/* bytes that are dropped behind the last words */

static char batch[BATCH], bytes[BATCH];
static size_t batch_n;

size_t h2_batch_room(void)
{
	return sizeof(batch) - batch_n;
}

void h2_batch_put(const void *p, size_t n)
{
	memcpy(batch + batch_n, p, n);
	batch_n += n;
}

static void end(struct h2 *h, bool hard)
{
	if (!h->role->ending(h))
		h->role->end(h, hard);
}

/* False: the socket takes no more, or the connection is over. */
static bool put(struct h2 *h, const char *p, size_t n, size_t *ret)
{
	ssize_t r = stream_write(h->io, p, n);

	*ret = r > 0 ? (size_t)r : 0;
	if (r < 0 && r != IO_AGAIN) {
		end(h, true);
		return false;
	}
	h->blocked = *ret < n;
	return !h->blocked;
}

static bool put_rest(struct h2 *h)
{
	struct h2_queue *q = &h->rest;
	bool more = true;
	size_t n;

	while (more && q->n) {
		more = put(h, queue_bytes(q).p, q->n, &n);
		queue_drop(q, n);
	}
	return more;
}

static bool put_batch(struct h2 *h)
{
	size_t n;
	bool more = put(h, batch, batch_n, &n);

	h->rest.secret = h->secret;
	if (!more && !h->role->ending(h) && !queue_put(&h->rest, (struct slice){ batch + n, batch_n - n }))
		end(h, true);
	if (h->secret)
		secret_wipe(batch, batch_n);
	return more;
}

/* nghttp2 is done with a frame that it gave out whole, but would keep the bytes until the next one. */
static void put_frame(struct h2 *h, size_t n)
{
	h2_batch_put(h->frame.p, n);
	if (h->secret)
		secret_wipe((char *)(uintptr_t)h->frame.p, n);
	h->frame = (struct slice){ h->frame.p + n, h->frame.n - n };
}

/* DATA frames put themselves into the batch, see h2_stream_send(). */
static bool fill(struct h2 *h)
{
	batch_n = 0;
	while (h2_batch_room()) {
		const uint8_t *p;
		ssize_t r;

		if (!h->frame.n) {
			r = nghttp2_session_mem_send(h->session, &p);
			if (r < 0) {
				end(h, true);
				return false;
			}
			if (!r)
				break;
			h->frame = (struct slice){ (const char *)p, (size_t)r };
		}
		put_frame(h, h->frame.n < h2_batch_room() ? h->frame.n : h2_batch_room());
	}
	return batch_n > 0;
}

/* False: there may be more to write, and the socket would take it. */
static bool flush(struct h2 *h)
{
	for (int round = 0; round < ROUNDS; round++) {
		if (h->sweep)
			h2_streams_sweep(h);
		if (h->role->ending(h) || h->blocked || !put_rest(h))
			return true;
		if (fill(h)) {
			if (!put_batch(h))
				return true;
		} else if (h->role->ending(h) || !h2_streams_tell(h)) {
			return true;
		}
	}
	return false;
}

static void read_some(struct h2 *h)
{
	for (int round = 0; round < ROUNDS; round++) {
		ssize_t n, r;

		h->unread = true;
		if (h->fault || h->role->ending(h) ||
		    (h->blocked && nghttp2_session_get_outbound_queue_size(h->session) > QUEUE))
			return;
		n = stream_read(h->io, bytes, sizeof(bytes));
		h->unread = n > 0;
		if (n == IO_AGAIN)
			return;
		if (n <= 0) {
			end(h, n < 0);
			return;
		}
		r = nghttp2_session_mem_recv(h->session, (const uint8_t *)bytes, (size_t)n);
		if (r < 0) {
			h2_fault(h, nghttp2_strerror((int)r));
			return;
		}
	}
}

/*
 * Our last words are out. What a client has sent meanwhile, left unread in the socket, would make the close
 * a reset, and a reset takes last words away: it is read and dropped, for a while.
 */
static void linger(struct h2 *h)
{
	h2_streams_drop(h, GONE_RESET);
	if (h->role->ending(h))
		return;
	if (!h->role->server || h->blocked || (stream_finish(h->io) < 0)) {
		end(h, false);
		return;
	}
	h->lingering = true;
	loop_arm(h->io->loop, &h->now, TIMER_DIAL);
}

static void drop_some(struct h2 *h)
{
	ssize_t n = 0;

	while (h->dropped < LINGER && (n = stream_read(h->io, bytes, sizeof(bytes))) > 0)
		h->dropped += (uint32_t)n;
	if (n != IO_AGAIN)
		end(h, false);
}

static void work(struct h2 *h, bool readable)
{
	bool flushed;

	h->inside = true;
	if (readable || h->unread)
		read_some(h);
	flushed = flush(h);
	if (h->unread && !h->blocked && flushed)
		read_some(h);
	flushed = flush(h) && flushed;
	h->inside = false;
	if (h->role->ending(h))
		return;
	if (h->fault || (!h->blocked && !h->n_streams && !nghttp2_session_want_write(h->session) &&
			 (h->draining || !nghttp2_session_want_read(h->session)))) {
		linger(h);
		if (h->lingering)
			drop_some(h);
		return;
	}
	if (!flushed || (h->unread && !h->blocked))
		loop_arm(h->io->loop, &h->now, TIMER_NOW);
	h->role->settled(h);
}

void h2_on_now(struct timer *t)
{
	struct h2 *h = container_of(t, struct h2, now);

	if (h->lingering)
		end(h, false);
	else
		work(h, false);
}

void h2_ready(struct h2 *h, uint32_t events)
{
	if (events & EPOLLOUT)
		h->blocked = false;
	if (h->lingering)
		drop_some(h);
	else
		work(h, true);
}

void h2_kick(struct h2 *h)
{
	if (!h->inside && !h->now.due_ms && !h->role->ending(h))
		loop_arm(h->io->loop, &h->now, TIMER_NOW);
}
