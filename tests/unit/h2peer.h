/* SPDX-License-Identifier: Apache-2.0 */
/* A far end that keeps the rules: an nghttp2 session of the test, client or server, that notes what it saw. */
#pragma once

#include <nghttp2/nghttp2.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buf.h"

#define PEER_STREAMS 256

struct peer_stream {
	int32_t id;
	struct buf fields, trailers;	/* "name: value\n" each */
	size_t body;			/* bytes received */
	uint32_t sum;			/* of them, order counts */
	unsigned heads, block;		/* HEADERS received, 1xx and trailers too */
	bool in_trailers;
	bool ended, closed;
	uint32_t code;
	size_t to_send;			/* of a body that the test sends */
	size_t sent;
	const char *text;		/* repeated */
	bool open;			/* more will come: no end */
	const nghttp2_nv *trail;
	size_t n_trail;
};

struct peer {
	nghttp2_session *session;
	int fd;
	bool eof, stalled;		/* stalled: does not read */
	struct peer_stream s[PEER_STREAMS];
	unsigned n, n_closed, n_ended;
	uint32_t goaway;		/* code + 1 */
	size_t got;			/* bytes from the socket */
	bool no_window;			/* gives no window back */
	const uint8_t *out;
	size_t left;
};

/* Names as they are: nghttp2 writes those that it copies in lower case. */
#define PEER_NV(n, v) { (uint8_t *)(uintptr_t)(n), (uint8_t *)(uintptr_t)(v), strlen(n), strlen(v), NGHTTP2_NV_FLAG_NO_COPY_NAME }

static struct peer_stream *peer_stream(struct peer *p, int32_t id)
{
	for (unsigned i = 0; i < p->n; i++) {
		if (p->s[i].id == id)
			return &p->s[i];
	}
	if (p->n == PEER_STREAMS || !id)
		return NULL;
	p->s[p->n].id = id;
	return &p->s[p->n++];
}

/* What was noted so far, as text. */
static const char *peer_text(struct buf *b)
{
	buf_put(b, "", 1);
	b->n--;
	return b->p ? b->p : "";
}

static int peer_on_header(nghttp2_session *session, const nghttp2_frame *f, const uint8_t *name, size_t nn,
			  const uint8_t *value, size_t vn, uint8_t flags, void *user)
{
	struct peer_stream *s = peer_stream(user, f->hd.stream_id);
	struct buf *b;

	(void)session;
	(void)flags;
	if (!s)
		return 0;
	if (s->block != s->heads + 1)
		s->in_trailers = name[0] != ':';
	s->block = s->heads + 1;
	b = s->in_trailers ? &s->trailers : &s->fields;
	buf_put(b, name, nn);
	buf_str(b, ": ");
	buf_put(b, value, vn);
	buf_str(b, "\n");
	return 0;
}

static int peer_on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *d, size_t n, void *user)
{
	struct peer *p = user;
	struct peer_stream *s = peer_stream(p, id);

	(void)flags;
	if (s) {
		s->body += n;
		for (size_t i = 0; i < n; i++)
			s->sum = s->sum * 31 + d[i];
	}
	if (!p->no_window)
		(void)nghttp2_session_consume(session, id, n);
	return 0;
}

static int peer_on_frame(nghttp2_session *session, const nghttp2_frame *f, void *user)
{
	struct peer *p = user;
	struct peer_stream *s = peer_stream(p, f->hd.stream_id);

	(void)session;
	if (f->hd.type == NGHTTP2_GOAWAY)
		p->goaway = f->goaway.error_code + 1;
	if (s && f->hd.type == NGHTTP2_HEADERS)
		s->heads++;
	if (s && (f->hd.type == NGHTTP2_HEADERS || f->hd.type == NGHTTP2_DATA) &&
	    f->hd.flags & NGHTTP2_FLAG_END_STREAM) {
		s->ended = true;
		p->n_ended++;
	}
	return 0;
}

static int peer_on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
	struct peer *p = user;
	struct peer_stream *s = peer_stream(p, id);

	(void)session;
	p->n_closed++;
	if (s) {
		s->closed = true;
		s->code = code;
	}
	return 0;
}

static ssize_t peer_read(nghttp2_session *session, int32_t id, uint8_t *to, size_t n, uint32_t *flags,
			 nghttp2_data_source *src, void *user)
{
	struct peer_stream *s = peer_stream(user, id);
	size_t len, left;

	(void)src;
	len = s->text ? strlen(s->text) : 0;
	left = s->to_send - s->sent;
	if (!left && s->open)
		return NGHTTP2_ERR_DEFERRED;
	n = n < left ? n : left;
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)s->text[(s->sent + i) % len];
	s->sent += n;
	if (s->sent == s->to_send && !s->open) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		if (s->trail) {
			*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
			(void)nghttp2_submit_trailer(session, id, s->trail, s->n_trail);
		}
	}
	return (ssize_t)n;
}

static void peer_open(struct peer *p, int fd, bool server, const nghttp2_settings_entry *iv, size_t n_iv)
{
	nghttp2_session_callbacks *cb;
	nghttp2_option *o;

	memset(p, 0, sizeof(*p));
	p->fd = fd;
	nghttp2_session_callbacks_new(&cb);
	nghttp2_session_callbacks_set_on_header_callback(cb, peer_on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, peer_on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, peer_on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, peer_on_close);
	nghttp2_option_new(&o);
	nghttp2_option_set_no_auto_window_update(o, 1);
	nghttp2_option_set_no_http_messaging(o, 1);
	(server ? nghttp2_session_server_new2 : nghttp2_session_client_new2)(&p->session, cb, p, o);
	nghttp2_option_del(o);
	nghttp2_session_callbacks_del(cb);
	nghttp2_submit_settings(p->session, 0, iv, n_iv);
}

static void peer_turn(struct peer *p)
{
	static uint8_t bytes[65536];
	ssize_t n;

	for (int i = 0; i < 64 && !p->stalled && !p->eof; i++) {
		n = recv(p->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n <= 0) {
			p->eof = !n || errno != EAGAIN;
			if (p->eof)
				shutdown(p->fd, SHUT_RDWR);
			break;
		}
		p->got += (size_t)n;
		if (nghttp2_session_mem_recv(p->session, bytes, (size_t)n) < 0)
			p->eof = true;
	}
	for (int i = 0; i < 64 && !p->eof; i++) {
		if (!p->left && (n = nghttp2_session_mem_send(p->session, &p->out)) > 0)
			p->left = (size_t)n;
		if (!p->left)
			break;
		n = send(p->fd, p->out, p->left, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			p->eof = true;
			break;
		}
		p->out += n;
		p->left -= (size_t)n;
	}
}

static void peer_close(struct peer *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		buf_done(&p->s[i].fields);
		buf_done(&p->s[i].trailers);
	}
	nghttp2_session_del(p->session);
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}
