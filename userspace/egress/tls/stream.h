/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One end of a connection: a connected, non-blocking socket that carries bytes, in the clear or in
 * TLS. The socket is watched edge triggered for both directions, so whoever owns the stream reads and
 * writes until IO_AGAIN and is then called again by `ready`. One thread, no locks. An open stream is not
 * moved in memory.
 */
#pragma once

#include <openssl/ssl.h>
#include <sys/types.h>

#include "loop.h"
#include "slice.h"

enum {
	IO_AGAIN = -EAGAIN,		/* `ready` will be called */
	IO_END = 0,			/* reading: the peer ended in order (FIN; in TLS: close_notify) */
};

struct stream {
	struct watch w;
	struct loop *loop;
	SSL *ssl;			/* NULL = in the clear */
	bool shaking;			/* TLS handshake under way: no bytes yet; events go to `shake` */
	bool held;			/* bytes may be readable that no event will tell of; see stream_held() */
	bool drained;			/* a short read emptied the socket: the next one waits for an event */
	bool fin;			/* an event told of the peer's FIN or of an error: no read is the last */
	bool read_waits_out;		/* TLS has to write before it can read on */
	bool write_waits_in;		/* and the reverse */
	void (*shake)(struct stream *s);	/* tls.c's, while shaking */
	void (*ready)(struct stream *s, uint32_t events);	/* EPOLLIN, EPOLLOUT, EPOLLERR hints; both directions may go on */
};

/*
 * Takes over `fd`, which is in no epoll set yet, and sets it to end in a reset: nobody takes a cut for
 * the whole, not even when this process is killed. 0 or -errno, and then the descriptor stays the
 * caller's. The first event comes from the loop, never from here.
 */
int stream_open(struct stream *s, struct loop *l, int fd, void (*ready)(struct stream *, uint32_t));

/*
 * Bytes (> 0), IO_END, IO_AGAIN or another -errno. A TLS stream that is cut without close_notify gives
 * -ECONNRESET, never IO_END: what is cut must not pass for what is whole.
 */
ssize_t stream_read(struct stream *s, void *p, size_t n);
ssize_t stream_write(struct stream *s, const void *p, size_t n);	/* bytes taken, IO_AGAIN, -errno; the same bytes again (more may follow them) after IO_AGAIN */

bool stream_held(const struct stream *s);	/* a reader that stops early must come back by itself (TIMER_NOW) */
int stream_finish(struct stream *s);		/* close_notify (where TLS) and FIN in this direction; IO_AGAIN, 0, -errno; once all is written */
void stream_close(struct stream *s, bool hard);	/* hard: reset. Also frees the TLS state; the struct stays the owner's */

/* Puts TLS on an open stream: *ssl is the stream's from then on. 0 or -ENOMEM. */
int stream_secure(struct stream *s, SSL *ssl);
