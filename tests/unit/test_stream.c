/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes in the clear and in TLS over the loop: nothing lost, no cut taken for an end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include "own.h"
#include "tls/stream.h"

#include <cmocka.h>

#define BIG (3u << 20)

struct end {
	struct stream s;
	unsigned char *out, *in;
	size_t to_send, sent, got;
	size_t piece;			/* bytes a read at most */
	bool lazy;			/* reads one piece an event, then comes back by itself */
	struct timer again;
	ssize_t last;			/* answer of the last read that gave no bytes */
	bool finish;
	unsigned events;
};

static struct loop l;
static struct timer guard;

static void on_guard(struct timer *t)
{
	(void)t;
	fail_msg("stalled");
}

static void pair(int fd[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	_close_ int at = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_return_code(bind(at, (void *)&a, n), errno);
	assert_return_code(listen(at, 1), errno);
	assert_return_code(getsockname(at, (void *)&a, &n), errno);
	fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_return_code(connect(fd[0], (void *)&a, n), errno);
	fd[1] = accept(at, NULL, NULL);
	for (int i = 0; i < 2; i++)
		assert_return_code(fcntl(fd[i], F_SETFL, O_NONBLOCK), errno);
}

static void send_some(struct end *x)
{
	while (x->sent < x->to_send) {
		ssize_t r = stream_write(&x->s, x->out + x->sent, x->to_send - x->sent);

		if (r == IO_AGAIN)
			return;
		assert_true(r > 0);
		x->sent += (size_t)r;
	}
	if (x->finish && stream_finish(&x->s) == 0)
		x->finish = false;
}

static void read_some(struct end *x)
{
	for (;;) {
		ssize_t r = stream_read(&x->s, x->in + x->got, x->piece);

		if (r <= 0) {
			x->last = r;
			if (r != IO_AGAIN)
				l.stop = 1;
			assert_false(stream_held(&x->s));
			return;
		}
		x->got += (size_t)r;
		assert_true(x->got <= BIG);
		if (!x->lazy)
			continue;
		if (stream_held(&x->s))
			loop_arm(&l, &x->again, TIMER_NOW);
		return;
	}
}

static void on_ready(struct stream *s, uint32_t events)
{
	struct end *x = container_of(s, struct end, s);

	(void)events;
	x->events++;
	if (x->in)
		read_some(x);
	send_some(x);
}

static void on_again(struct timer *t)
{
	read_some(container_of(t, struct end, again));
}

static void run(void)
{
	struct err e;

	guard.fn = on_guard;
	l.stop = 0;
	loop_arm(&l, &guard, TIMER_CONNECT);
	assert_int_equal(loop_run(&l, &e), 0);
	loop_disarm(&l, &guard);
}

static unsigned char *fresh(bool filled)
{
	unsigned char *p = calloc(1, BIG + 65536);
	uint32_t x = 1;

	for (size_t i = 0; filled && i < BIG; i++)
		p[i] = (unsigned char)((x = x * 1664525 + 1013904223) >> 24);
	return p;
}

static void open_pair(struct end *a, struct end *b)
{
	struct err e;
	int fd[2];

	pair(fd);
	assert_int_equal(loop_init(&l, &e), 0);
	assert_int_equal(stream_open(&a->s, &l, fd[0], on_ready), 0);
	assert_int_equal(stream_open(&b->s, &l, fd[1], on_ready), 0);
	a->again.fn = b->again.fn = on_again;
}

static void close_pair(struct end *a, struct end *b)
{
	stream_close(&a->s, false);
	stream_close(&b->s, false);
	close(l.epfd);
	free(a->out);
	free(b->in);
}

static void secure(struct end *client, struct end *server)
{
	static SSL_CTX *cc, *sc;
	SSL *c, *s;

	if (!cc) {
		EVP_PKEY *key = EVP_EC_gen("P-256");
		X509 *x = X509_new();

		assert_true(X509_set_version(x, 2) && X509_set_pubkey(x, key) &&
			    X509_gmtime_adj(X509_getm_notBefore(x), -60) &&
			    X509_gmtime_adj(X509_getm_notAfter(x), 3600) &&
			    X509_sign(x, key, EVP_sha256()));
		cc = SSL_CTX_new(TLS_client_method());
		sc = SSL_CTX_new(TLS_server_method());
		assert_int_equal(SSL_CTX_use_certificate(sc, x), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey(sc, key), 1);
		X509_free(x);
		EVP_PKEY_free(key);
	}
	c = SSL_new(cc);
	s = SSL_new(sc);
	SSL_set_connect_state(c);
	SSL_set_accept_state(s);
	assert_int_equal(stream_secure(&client->s, c), 0);
	assert_int_equal(stream_secure(&server->s, s), 0);
}

static void transfer(bool tls, bool lazy, size_t piece)
{
	struct end a = { .out = fresh(true), .to_send = BIG, .finish = true };
	struct end b = { .in = fresh(false), .piece = piece, .lazy = lazy };
	unsigned char *rest = fresh(false);

	open_pair(&a, &b);
	if (tls)
		secure(&a, &b);
	a.in = rest;			/* the TLS client reads too: tickets and the like */
	a.piece = 1024;
	run();
	assert_int_equal(b.last, IO_END);
	assert_int_equal(b.got, BIG);
	assert_memory_equal(a.out, b.in, BIG);
	close_pair(&a, &b);
	free(rest);
}

static void test_clear(void **st)
{
	(void)st;
	transfer(false, false, 65536);
	transfer(false, true, 5000);
}

static void test_tls(void **st)
{
	(void)st;
	transfer(true, false, 65536);
	transfer(true, true, 5000);
	transfer(true, true, 30000);
}

/* One byte and the FIN, or the reset, behind it. */
static void last_words(bool tls, int how, ssize_t expect)
{
	struct end a = { .out = fresh(true), .to_send = 10, .finish = how == 0 };
	struct end b = { .in = fresh(false), .piece = 4096 };

	open_pair(&a, &b);
	if (tls)
		secure(&a, &b);
	if (how) {
		/* Until b has the ten bytes, then the cut. */
		struct err e;

		guard.fn = on_guard;
		loop_arm(&l, &guard, TIMER_CONNECT);
		while (b.got < 10) {
			struct epoll_event ev[8];
			int n = epoll_wait(l.epfd, ev, 8, 5000);

			assert_true(n > 0);
			for (int i = 0; i < n; i++) {
				struct watch *w = ev[i].data.ptr;

				w->fn(w, ev[i].events);
			}
		}
		loop_disarm(&l, &guard);
		(void)e;
		if (how == 1)		/* FIN without close_notify */
			shutdown(a.s.w.fd, SHUT_WR);
		else
			stream_close(&a.s, true);
	}
	run();
	assert_int_equal(b.got, 10);
	assert_int_equal(b.last, expect);
	close_pair(&a, &b);
}

static void test_ends(void **st)
{
	(void)st;
	last_words(false, 0, IO_END);
	last_words(false, 1, IO_END);
	last_words(false, 2, -ECONNRESET);
	last_words(true, 0, IO_END);
	last_words(true, 1, -ECONNRESET);
	last_words(true, 2, -ECONNRESET);
}

/* Killed in the middle: the descriptor goes without a word, and the peer must see a reset. */
static void test_killed(void **st)
{
	struct end a = { 0 }, b = { .in = fresh(false), .piece = 4096 };

	(void)st;
	open_pair(&a, &b);
	loop_unwatch(&l, &a.s.w);
	close(a.s.w.fd);
	a.s.w.fd = -1;
	run();
	assert_int_equal(b.last, -ECONNRESET);
	close_pair(&a, &b);
}

static void test_closed(void **st)
{
	struct end a = { 0 }, b = { 0 };
	char c = 0;

	(void)st;
	open_pair(&a, &b);
	secure(&a, &b);
	stream_close(&a.s, false);
	stream_close(&a.s, true);	/* again is nothing */
	assert_int_equal(stream_read(&a.s, &c, 1), -EBADF);
	assert_int_equal(stream_write(&a.s, &c, 1), -EBADF);
	assert_int_equal(stream_finish(&a.s), -EBADF);
	b.s.shaking = true;		/* no bytes before the handshake is done */
	assert_int_equal(stream_read(&b.s, &c, 1), IO_AGAIN);
	assert_int_equal(stream_write(&b.s, &c, 1), IO_AGAIN);
	assert_int_equal(stream_finish(&b.s), -ENOTCONN);
	close_pair(&a, &b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clear), cmocka_unit_test(test_tls), cmocka_unit_test(test_ends),
		cmocka_unit_test(test_killed), cmocka_unit_test(test_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
