/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One end of a connection: a connected, non-blocking socket that carries bytes, in the clear or in
 * TLS. The socket is watched edge triggered for both directions, so whoever owns the stream reads and
 * writes until IO_AGAIN and is then called again by `ready`. One thread, no locks.
 */
#pragma once

#include <openssl/ssl.h>

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
	bool shaking;			/* TLS handshake under way: no bytes yet */
	bool held;			/* bytes are readable that no epoll event will tell of; see stream_held() */
	void (*ready)(struct stream *s, uint32_t events);	/* EPOLLIN, EPOLLOUT, EPOLLERR hints; both directions may go on */
};

/* Takes over `fd`. 0 or -errno, and then the descriptor stays the caller's. */
int stream_open(struct stream *s, struct loop *l, int fd, void (*ready)(struct stream *, uint32_t));

/*
 * Bytes (> 0), IO_END, IO_AGAIN or another -errno. A TLS stream that is cut without close_notify gives
 * -ECONNRESET, never IO_END: what is cut must not pass for what is whole.
 */
ssize_t stream_read(struct stream *s, void *p, size_t n);
ssize_t stream_write(struct stream *s, const void *p, size_t n);	/* bytes taken, IO_AGAIN, -errno; the same bytes again after IO_AGAIN */

bool stream_held(const struct stream *s);	/* a reader that stops early must come back by itself (TIMER_NOW) */
int stream_finish(struct stream *s);		/* close_notify or FIN in this direction; IO_AGAIN, 0, -errno */
void stream_close(struct stream *s, bool hard);	/* hard: reset. Also frees the TLS state; the struct stays the owner's */
