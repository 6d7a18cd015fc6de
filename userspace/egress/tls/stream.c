/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/stream.h"

#include <limits.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#define EDGES (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)
#define LAST (EPOLLRDHUP | EPOLLHUP | EPOLLERR)

static int set_hard(int fd, int on)
{
	struct linger now = { on, 0 };

	return setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) < 0 ? -errno : 0;
}

static void on_event(struct watch *w, uint32_t events)
{
	struct stream *s = container_of(w, struct stream, w);

	if (events & (EPOLLIN | LAST))
		s->drained = false;
	if (events & LAST)
		s->fin = true;
	if (s->shaking) {
		s->shake(s);
		return;
	}
	if ((events & EPOLLOUT) && s->read_waits_out)
		events |= EPOLLIN;
	if ((events & EPOLLIN) && s->write_waits_in)
		events |= EPOLLOUT;
	s->ready(s, events);
}

int stream_open(struct stream *s, struct loop *l, int fd, void (*ready)(struct stream *, uint32_t))
{
	int r;

	*s = (struct stream){ .w = { fd, on_event }, .loop = l, .ready = ready };
	r = set_hard(fd, 1);
	if (!r)
		r = loop_watch(l, &s->w, EDGES);
	if (r < 0)
		s->w = (struct watch){ .fd = -1 };
	return r;
}

/*
 * A short read has emptied the socket, and whatever comes after it raises an event of its own. Only a
 * FIN that an event told of already would raise none. This spares the read that finds nothing.
 */
static ssize_t raw_read(struct stream *s, void *p, size_t n)
{
	ssize_t r;

	if (s->drained)
		return IO_AGAIN;
	do
		r = recv(s->w.fd, p, n, MSG_DONTWAIT);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		r = -errno;
	s->drained = r == IO_AGAIN || (r > 0 && (size_t)r < n && !s->fin);
	return r;
}

static ssize_t raw_write(struct stream *s, const void *p, size_t n)
{
	ssize_t r;

	do
		r = send(s->w.fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

/* What a failed TLS call means. */
static ssize_t tls_answer(struct stream *s, int r, bool reading)
{
	int saved = errno;

	switch (SSL_get_error(s->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		s->write_waits_in = !reading || s->write_waits_in;
		return IO_AGAIN;
	case SSL_ERROR_WANT_WRITE:
		s->read_waits_out = reading || s->read_waits_out;
		return IO_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return reading ? IO_END : -EPIPE;
	case SSL_ERROR_SYSCALL:
		return saved ? -saved : -ECONNRESET;
	default:
		return ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING ?
		       -ECONNRESET : -EPROTO;
	}
}

static ssize_t tls_read(struct stream *s, void *p, size_t n)
{
	int r;

	ERR_clear_error();
	errno = 0;
	s->read_waits_out = false;
	r = SSL_read(s->ssl, p, n > INT_MAX ? INT_MAX : (int)n);
	return r > 0 ? r : tls_answer(s, r, true);
}

static ssize_t tls_write(struct stream *s, const void *p, size_t n)
{
	int r;

	ERR_clear_error();
	errno = 0;
	s->write_waits_in = false;
	r = SSL_write(s->ssl, p, n > INT_MAX ? INT_MAX : (int)n);
	return r > 0 ? r : tls_answer(s, r, false);
}

ssize_t stream_read(struct stream *s, void *p, size_t n)
{
	ssize_t r;

	if (s->w.fd < 0)
		return -EBADF;
	if (s->shaking)
		return IO_AGAIN;
	if (!n)
		return -EINVAL;		/* 0 would be IO_END */
	r = s->ssl ? tls_read(s, p, n) : raw_read(s, p, n);
	s->held = r > 0 && (!s->drained || (s->ssl && SSL_has_pending(s->ssl)));
	return r;
}

ssize_t stream_write(struct stream *s, const void *p, size_t n)
{
	if (s->w.fd < 0)
		return -EBADF;
	if (s->shaking)
		return IO_AGAIN;
	if (!n)
		return 0;
	return s->ssl ? tls_write(s, p, n) : raw_write(s, p, n);
}

bool stream_held(const struct stream *s)
{
	return s->held;
}

int stream_finish(struct stream *s)
{
	int r;

	if (s->w.fd < 0)
		return -EBADF;
	if (s->shaking)
		return -ENOTCONN;
	if (s->ssl && !(SSL_get_shutdown(s->ssl) & SSL_SENT_SHUTDOWN)) {
		ERR_clear_error();
		errno = 0;
		r = SSL_shutdown(s->ssl);
		if (r < 0)
			return (int)tls_answer(s, r, false);
	}
	return shutdown(s->w.fd, SHUT_WR) < 0 ? -errno : 0;
}

void stream_close(struct stream *s, bool hard)
{
	if (s->w.fd < 0)
		return;
	loop_unwatch(s->loop, &s->w);
	SSL_free(s->ssl);
	s->ssl = NULL;
	s->shaking = s->held = s->read_waits_out = s->write_waits_in = false;
	(void)set_hard(s->w.fd, hard);
	close(s->w.fd);
	s->w.fd = -1;
}

/* The transport below TLS: the stream's own socket, with its knowledge of what is drained. */
static int bio_read(BIO *b, char *p, int n)
{
	ssize_t r = raw_read(BIO_get_data(b), p, (size_t)n);

	BIO_clear_retry_flags(b);
	if (r == IO_AGAIN)
		BIO_set_retry_read(b);
	else if (r == 0)
		BIO_set_flags(b, BIO_FLAGS_IN_EOF);
	errno = r < 0 ? (int)-r : 0;
	return r < 0 ? -1 : (int)r;
}

static int bio_write(BIO *b, const char *p, int n)
{
	ssize_t r = raw_write(BIO_get_data(b), p, (size_t)n);

	BIO_clear_retry_flags(b);
	if (r == IO_AGAIN)
		BIO_set_retry_write(b);
	errno = r < 0 ? (int)-r : 0;
	return r < 0 ? -1 : (int)r;
}

static long bio_ctrl(BIO *b, int cmd, long arg, void *p)
{
	(void)arg;
	(void)p;
	return cmd == BIO_CTRL_FLUSH ? 1 : cmd == BIO_CTRL_EOF ? BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0 : 0;
}

static BIO_METHOD *method(void)
{
	static BIO_METHOD *m;

	if (!m && (m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream"))) {
		BIO_meth_set_read(m, bio_read);
		BIO_meth_set_write(m, bio_write);
		BIO_meth_set_ctrl(m, bio_ctrl);
	}
	return m;
}

int stream_secure(struct stream *s, SSL *ssl)
{
	BIO *b = method() ? BIO_new(method()) : NULL;

	if (!b)
		return -ENOMEM;
	BIO_set_data(b, s);
	BIO_set_init(b, 1);
	SSL_set_bio(ssl, b, b);
	SSL_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
			  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_set_read_ahead(ssl, 1);
	s->ssl = ssl;
	s->held = true;		/* what came along with the handshake */
	return 0;
}
