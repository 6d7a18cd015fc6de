/* SPDX-License-Identifier: Apache-2.0 */
/* Both TLS legs against OpenSSL's own other end: who is let in, who is verified, what is said otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <malloc.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cert.h"
#include "osh/root.h"
#include "../../userspace/oshd/root.h"
#include "own.h"
#include "tls/leg.h"
#include "tls/tls.h"

#include <cmocka.h>

/* A policy: two inspected names, a wildcard, a network; one name with `tls: skip`, one not looked into. */
static const char strings[] = "\0api.example.com\0b.example.org\0*.w.test\0.w.test\0" "10.0.0.0/8\0skip.test\0l4.test";
static const struct osh_b_host hosts[] = {
	{ 1, OSH_HOST_EXACT }, { 17, OSH_HOST_EXACT }, { 59, OSH_HOST_EXACT }, { 69, OSH_HOST_EXACT },
	{ 31, OSH_HOST_WILD }, { 48, OSH_HOST_CIDR },
};
static const struct osh_b_suffix suffixes[] = { { 40, 5, 0, 2 } };
static const struct osh_b_cidr cidrs[] = { { { [10] = 0xff, [11] = 0xff, [12] = 10 }, 104, 6 } };
static const struct osh_b_alt alts[] = { { .flags = OSH_ALT_L7 }, { .flags = OSH_ALT_L7 | OSH_ALT_TLS_SKIP }, { 0 } };
static const struct osh_b_endpoint endpoints[] = {
	{ 1, 443, 0, 1 }, { 2, 443, 0, 1 }, { 3, 443, 1, 1 }, { 4, 443, 2, 1 }, { 5, 443, 0, 1 }, { 6, 443, 0, 1 },
};
static const struct bundle bundle = {
	.strings = strings, .n_strings = sizeof(strings), .hosts = hosts, .n_hosts = 6,
	.suffixes = suffixes, .n_suffixes = 1, .cidrs = cidrs, .n_cidrs = 1,
	.endpoints = endpoints, .n_endpoints = 6, .alts = alts, .n_alts = 3,
};

static struct loop l;
static struct timer guard;
static int root_fd = -1, anchors_fd = -1;
static char root_pem[OSH_ROOT_PEM];
static struct tls *tls;

/* The world's own authority. */
static EVP_PKEY *ca_key, *leaf_key;
static X509 *ca;

struct peer {
	struct stream s;
	bool ok, over;
	int alpn_h2;
	unsigned long error;
	char got[64];
};

struct us {
	struct stream s;
	struct tls_result r;
	unsigned n;
	bool over;
};

static void stop_if_over(bool a, bool b)
{
	if (a && b)
		l.stop = 1;
}

static struct us us;
static struct peer peer;

static void on_us(struct stream *s, uint32_t events)
{
	char c;

	(void)events;
	while (stream_read(s, &c, 1) > 0)
		;
}

static void on_peer(struct stream *s, uint32_t events)
{
	char c;

	(void)events;
	while (stream_read(s, &c, 1) > 0)
		;
}

static void on_done(struct stream *s, const struct tls_result *r)
{
	assert_ptr_equal(s, &us.s);
	us.r = *r;
	us.n++;
	us.over = true;
	if (r->why != OSH_WHY_ALLOWED)
		stream_close(s, false);
	stop_if_over(us.over, peer.over);
}

static void peer_shake(struct stream *s)
{
	int r, error;

	ERR_clear_error();
	r = SSL_do_handshake(s->ssl);
	error = SSL_get_error(s->ssl, r);
	if (r != 1 && (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE))
		return;
	peer.ok = r == 1;
	peer.error = ERR_peek_error();
	peer.over = true;
	s->shaking = false;
	stop_if_over(us.over, peer.over);
}

static void on_guard(struct timer *t)
{
	(void)t;
	fail_msg("stalled");
}

static void run(void)
{
	struct err e;

	guard.fn = on_guard;
	l.stop = us.over && peer.over;	/* at once */
	loop_arm(&l, &guard, TIMER_CONNECT);
	assert_int_equal(loop_run(&l, &e), 0);
	loop_disarm(&l, &guard);
}

static void open_pair(void)
{
	int fd[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), errno);
	us = (struct us){ 0 };
	peer = (struct peer){ 0 };
	assert_int_equal(stream_open(&us.s, &l, fd[0], on_us), 0);
	assert_int_equal(stream_open(&peer.s, &l, fd[1], on_peer), 0);
}

static void close_pair(void)
{
	if (peer.s.ssl && peer.ok)
		(void)stream_finish(&peer.s);	/* else OpenSSL takes its session for broken */
	stream_close(&us.s, false);
	stream_close(&peer.s, false);
}

static void peer_start(SSL *ssl, bool server)
{
	if (server)
		SSL_set_accept_state(ssl);
	else
		SSL_set_connect_state(ssl);
	assert_int_equal(stream_secure(&peer.s, ssl), 0);
	peer.s.shaking = true;
	peer.s.shake = peer_shake;
}

/* A client that trusts the sandbox's root. */
static SSL_CTX *client_context(void)
{
	SSL_CTX *c = SSL_CTX_new(TLS_client_method());
	BIO *b = BIO_new_mem_buf(root_pem, -1);
	X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);

	assert_non_null(x);
	assert_true(X509_STORE_add_cert(SSL_CTX_get_cert_store(c), x));
	X509_STORE_set_flags(SSL_CTX_get_cert_store(c), X509_V_FLAG_X509_STRICT);
	SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
	X509_free(x);
	BIO_free(b);
	return c;
}

struct ask {
	const char *name, *sni;		/* dialled, sent */
	const char *alpn;		/* with its lengths, or NULL */
	bool h2;
	int most;			/* protocol version, 0 = any */
	bool ech;
};

static int add_ech(SSL *s, unsigned type, unsigned ctx, const unsigned char **out, size_t *n, X509 *x, size_t i,
		   int *al, void *arg)
{
	static const unsigned char some[40];

	(void)s, (void)type, (void)ctx, (void)x, (void)i, (void)al, (void)arg;
	*out = some;
	*n = sizeof(some);
	return 1;
}

static void accept_with(const struct ask *a, SSL_CTX *given, SSL_SESSION *known)
{
	SSL_CTX *c = given ? given : client_context();
	SSL *ssl;
	unsigned char room[16];

	if (a->ech)
		assert_true(SSL_CTX_add_custom_ext(c, 0xfe0d, SSL_EXT_CLIENT_HELLO, add_ech, NULL, NULL, NULL, NULL));
	if (a->most)
		SSL_CTX_set_max_proto_version(c, a->most);
	ssl = SSL_new(c);
	if (a->sni)
		SSL_set_tlsext_host_name(ssl, a->sni);
	if (inet_pton(AF_INET, a->name, room) == 1)
		X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl), room, 4);
	else
		SSL_set1_host(ssl, a->name);
	if (a->alpn)
		SSL_set_alpn_protos(ssl, (const unsigned char *)a->alpn, (unsigned)strlen(a->alpn));
	if (known)
		SSL_set_session(ssl, known);
	open_pair();
	peer_start(ssl, false);
	tls_accept(tls, &us.s, &bundle, a->name, a->h2, on_done);
	run();
	if (!given)
		SSL_CTX_free(c);
}

static void test_accept(void **st)
{
	static const struct {
		struct ask ask;
		enum osh_reason why;
		const char *detail;
	} rows[] = {
		{ { "api.example.com", "api.example.com" }, OSH_WHY_ALLOWED, "TLSv1.3" },
		{ { "api.example.com", "API.example.COM" }, OSH_WHY_ALLOWED, "TLSv1.3" },
		{ { "b.example.org", "b.example.org", .most = TLS1_2_VERSION }, OSH_WHY_ALLOWED, "TLSv1.2" },
		{ { "x.w.test", "x.w.test" }, OSH_WHY_ALLOWED, "TLSv1.3" },
		{ { "10.1.2.3", NULL }, OSH_WHY_ALLOWED, "TLSv1.3" },
		{ { "10.1.2.3", "10.1.2.3" }, OSH_WHY_ALLOWED, "TLSv1.3" },
		{ { "api.example.com", "api.example.com", .ech = true }, OSH_WHY_ALLOWED, "TLSv1.3" },
		{ { "api.example.com", "b.example.org" }, OSH_WHY_TLS_SNI, "api.example.com: client hello asks for b.example.org" },
		{ { "api.example.com", NULL }, OSH_WHY_TLS_SNI, "asks for no name" },
		{ { "10.1.2.3", "api.example.com" }, OSH_WHY_TLS_SNI, "asks for api" },
		{ { "api.example.com", "public.test", .ech = true }, OSH_WHY_TLS_ECH, "asks for public.test" },
		/* The minter believes the bundle alone. */
		{ { "evil.test", "evil.test" }, OSH_WHY_INTERNAL, "no certificate" },
		{ { "x.y.w.test", "x.y.w.test" }, OSH_WHY_INTERNAL, "no certificate" },
		{ { "w.test", "w.test" }, OSH_WHY_INTERNAL, "no certificate" },
		{ { "skip.test", "skip.test" }, OSH_WHY_INTERNAL, "no certificate" },
		{ { "l4.test", "l4.test" }, OSH_WHY_INTERNAL, "no certificate" },
		{ { "11.1.2.3", NULL }, OSH_WHY_INTERNAL, "no certificate" },
		{ { "api.example.com", "api.example.com", .most = TLS1_1_VERSION }, OSH_WHY_TLS_CLIENT, "" },
		{ { "api.example.com", "api.example.com", .alpn = "\3foo" }, OSH_WHY_TLS_CLIENT, "" },
	};

	(void)st;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		accept_with(&rows[i].ask, NULL, NULL);
		if (us.r.why != rows[i].why || !strstr(us.r.detail, rows[i].detail))
			fail_msg("row %zu: why %d, '%s'", i, us.r.why, us.r.detail);
		assert_int_equal(us.n, 1);
		assert_int_equal(peer.ok, rows[i].why == OSH_WHY_ALLOWED);
		close_pair();
	}
}

static void test_accept_alpn(void **st)
{
	static const struct {
		struct ask ask;
		enum tls_alpn alpn;
	} rows[] = {
		{ { "api.example.com", "api.example.com", .alpn = "\2h2\10http/1.1", .h2 = true }, ALPN_H2 },
		{ { "api.example.com", "api.example.com", .alpn = "\10http/1.1\2h2", .h2 = true }, ALPN_H2 },
		{ { "api.example.com", "api.example.com", .alpn = "\2h2\10http/1.1", .h2 = false }, ALPN_HTTP1 },
		{ { "api.example.com", "api.example.com", .alpn = "\10http/1.1", .h2 = true }, ALPN_HTTP1 },
		{ { "api.example.com", "api.example.com", .h2 = true }, ALPN_HTTP1 },
	};

	(void)st;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		accept_with(&rows[i].ask, NULL, NULL);
		assert_int_equal(us.r.why, OSH_WHY_ALLOWED);
		assert_int_equal(us.r.alpn, rows[i].alpn);
		close_pair();
	}
}

/* The certificate that a client of that name sees; the caller's. */
static X509 *seen(const char *name)
{
	struct ask a = { name, name };
	X509 *x;

	accept_with(&a, NULL, NULL);
	assert_int_equal(us.r.why, OSH_WHY_ALLOWED);
	x = SSL_get1_peer_certificate(peer.s.ssl);
	close_pair();
	assert_non_null(x);
	return x;
}

static void test_certificates(void **st)
{
	X509 *a = seen("api.example.com"), *b = seen("b.example.org"), *again = seen("api.example.com");

	(void)st;
	assert_int_equal(X509_cmp(a, again), 0);	/* made once */
	assert_int_not_equal(X509_cmp(a, b), 0);
	assert_int_equal(X509_check_host(a, "b.example.org", 0, 0, NULL), 0);
	assert_int_equal(X509_check_ca(a), 0);
	assert_int_equal(X509_get_extended_key_usage(a), XKU_SSL_SERVER);
	X509_free(a);
	X509_free(b);
	X509_free(again);
	/* More names than are kept. */
	for (int i = 0; i < 300; i++) {
		char name[32];

		snprintf(name, sizeof(name), "n%d.w.test", i);
		assert_non_null(mint_get(tls->mint, &bundle, name));
	}
	assert_null(mint_get(tls->mint, &bundle, ""));
	assert_null(mint_get(tls->mint, &bundle, "*.w.test"));
	assert_null(mint_get(tls->mint, &bundle, "X.w.test"));
	assert_null(mint_get(tls->mint, &bundle, "x.w.test."));
	assert_null(mint_get(tls->mint, &bundle, "x\n.w.test"));
}

static SSL_SESSION *kept;

static int on_ticket(SSL *s, SSL_SESSION *x)
{
	(void)s;
	SSL_SESSION_free(kept);
	kept = x;
	return 1;
}

/* Some rounds of the loop: tickets of TLS 1.3 come after the handshake. */
static void on_moment(struct timer *t)
{
	(void)t;
	l.stop = 1;
}

static void a_moment(void)
{
	struct timer t = { .fn = on_moment };
	struct err e;

	l.stop = 0;
	loop_arm(&l, &t, TIMER_GRACE);
	assert_int_equal(loop_run(&l, &e), 0);
}

static void test_accept_resumes(void **st)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct ask a = { "api.example.com", "api.example.com" }, b = { "b.example.org", "b.example.org" };

	(void)st;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		SSL_CTX *c = client_context();

		SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(c, on_ticket);
		a.most = b.most = versions[i];
		accept_with(&a, c, NULL);
		a_moment();
		assert_non_null(kept);
		close_pair();
		accept_with(&a, c, kept);
		assert_int_equal(us.r.why, OSH_WHY_ALLOWED);
		if (!SSL_session_reused(peer.s.ssl))
			fail_msg("%s: not resumed; %s", SSL_get_version(peer.s.ssl), us.r.detail);
		assert_non_null(strstr(us.r.detail, "resumed"));
		a_moment();
		close_pair();
		/* A ticket is for its own name, and resuming is no way round the name. */
		accept_with(&b, c, kept);
		assert_int_equal(us.r.why, OSH_WHY_ALLOWED);
		assert_false(SSL_session_reused(peer.s.ssl));
		a_moment();
		close_pair();
		b.name = "api.example.com";
		accept_with(&b, c, kept);
		assert_int_equal(us.r.why, OSH_WHY_TLS_SNI);
		close_pair();
		b.name = b.sni;
		SSL_SESSION_free(kept);
		kept = NULL;
		SSL_CTX_free(c);
	}
}

/* A client that does not trust the root says so, and that is what the record says. */
static void test_untrusted(void **st)
{
	SSL_CTX *c = SSL_CTX_new(TLS_client_method());
	struct ask a = { "api.example.com", "api.example.com" };

	(void)st;
	SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
	a.most = TLS1_2_VERSION;	/* with 1.3 the server is done before the client says so */
	accept_with(&a, c, NULL);
	assert_int_equal(us.r.why, OSH_WHY_TLS_CLIENT);
	assert_non_null(strstr(us.r.detail, "unknown ca"));
	close_pair();
	SSL_CTX_free(c);
}

/* kill -9, and the next egress has the same root. */
static void test_restart(void **st)
{
	struct err e;

	(void)st;
	tls_free(tls);
	assert_int_equal(tls_new(&tls, root_fd, anchors_fd, &e), 0);
	X509_free(seen("api.example.com"));
}

static void test_bad_root(void **st)
{
	struct tls *t = NULL;
	struct err e;
	_close_ int empty = memfd_create("x", MFD_ALLOW_SEALING), open_one = memfd_create("x", MFD_ALLOW_SEALING);
	struct ask a = { "api.example.com", "api.example.com" };
	struct tls *was = tls;

	(void)st;
	assert_int_equal(write(open_one, "x", 1), 1);
	assert_true(tls_new(&t, open_one, anchors_fd, &e) < 0);	/* not sealed */
	assert_int_equal(fcntl(open_one, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), 0);
	assert_true(tls_new(&t, open_one, anchors_fd, &e) < 0);	/* and no root */
	assert_int_equal(tls_new(&t, empty, anchors_fd, &e), 0);
	tls = t;
	open_pair();
	peer.over = true;
	tls_accept(tls, &us.s, &bundle, a.name, false, on_done);
	assert_int_equal(us.r.why, OSH_WHY_INTERNAL);
	close_pair();
	tls = was;
	tls_free(t);
}

/* --- towards the world --- */

struct server {
	const char *dns, *name;
	const unsigned char *ip;
	size_t n_ip;
	int from, to;			/* seconds from now */
	bool self;			/* self-signed */
	int most;
	const char *alpn;
};

static SSL_CTX *server_context(const struct server *v)
{
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());
	time_t now = time(NULL);
	struct cert_spec spec = { .org = "world", .name = v->name, .key = leaf_key, .issuer = v->self ? NULL : ca,
				  .signer = v->self ? leaf_key : ca_key, .dns = v->dns, .ip = v->ip,
				  .n_ip = v->n_ip, .from = now + v->from, .to = now + v->to };
	X509 *x = cert_make(&spec);

	assert_non_null(x);
	assert_int_equal(SSL_CTX_use_certificate(c, x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(c, leaf_key), 1);
	if (v->most)
		assert_true(SSL_CTX_set_max_proto_version(c, v->most));
	if (v->most && v->most < TLS1_2_VERSION)
		SSL_CTX_set_security_level(c, 0);
	X509_free(x);
	return c;
}

static void connect_with(const char *name, SSL_CTX *c, bool h2)
{
	open_pair();
	peer_start(SSL_new(c), true);
	tls_connect(tls, &us.s, name, h2, on_done);
	run();
}

static void test_connect(void **st)
{
	static const unsigned char address[] = { 10, 1, 2, 3 };
	static const struct {
		const char *name;
		struct server v;
		enum osh_reason why;
		const char *detail;
	} rows[] = {
		{ "up.test", { "up.test", .from = -60, .to = 60 }, OSH_WHY_ALLOWED, "TLSv1.3" },
		{ "up.test", { "up.test", .from = -60, .to = 60, .most = TLS1_2_VERSION }, OSH_WHY_ALLOWED, "TLSv1.2" },
		{ "a.up.test", { "*.up.test", .from = -60, .to = 60 }, OSH_WHY_ALLOWED, "TLSv1.3" },
		{ "10.1.2.3", { .ip = address, .n_ip = 4, .from = -60, .to = 60 }, OSH_WHY_ALLOWED, "TLSv1.3" },
		{ "10.1.2.4", { .ip = address, .n_ip = 4, .from = -60, .to = 60 }, OSH_WHY_UPSTREAM_CERT, "IP address mismatch" },
		{ "10.1.2.3", { .dns = "10.1.2.3", .from = -60, .to = 60 }, OSH_WHY_UPSTREAM_CERT, "IP address mismatch" },
		{ "up.test", { "other.test", .from = -60, .to = 60 }, OSH_WHY_UPSTREAM_CERT, "up.test: hostname mismatch" },
		{ "up.test", { .name = "up.test", .from = -60, .to = 60 }, OSH_WHY_UPSTREAM_CERT, "hostname mismatch" },
		{ "a.up.test", { "a*.up.test", .from = -60, .to = 60 }, OSH_WHY_UPSTREAM_CERT, "hostname mismatch" },
		{ "a.b.up.test", { "*.up.test", .from = -60, .to = 60 }, OSH_WHY_UPSTREAM_CERT, "hostname mismatch" },
		{ "up.test", { "up.test", .from = -60, .to = -30 }, OSH_WHY_UPSTREAM_CERT, "has expired" },
		{ "up.test", { "up.test", .from = 600, .to = 700 }, OSH_WHY_UPSTREAM_CERT, "not yet valid" },
		{ "up.test", { "up.test", .from = -60, .to = 60, .self = true }, OSH_WHY_UPSTREAM_CERT, "self-signed" },
		{ "up.test", { "up.test", .from = -60, .to = 60, .most = TLS1_1_VERSION }, OSH_WHY_TLS_UPSTREAM, "" },
	};

	(void)st;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		SSL_CTX *c = server_context(&rows[i].v);

		connect_with(rows[i].name, c, false);
		if (us.r.why != rows[i].why || !strstr(us.r.detail, rows[i].detail))
			fail_msg("row %zu: why %d, '%s'", i, us.r.why, us.r.detail);
		assert_int_equal(us.n, 1);
		a_moment();
		close_pair();
		sessions_drop(&tls->sessions, rows[i].name, false);
		SSL_CTX_free(c);
	}
}

static void test_connect_resumes(void **st)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)st;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct server v = { "r.test", .from = -60, .to = 60, .most = versions[i] };
		SSL_CTX *c = server_context(&v);

		SSL_CTX_set_session_id_context(c, (const unsigned char *)"x", 1);
		connect_with("r.test", c, false);
		assert_int_equal(us.r.why, OSH_WHY_ALLOWED);
		assert_null(strstr(us.r.detail, "resumed"));
		a_moment();
		close_pair();
		connect_with("r.test", c, false);
		assert_int_equal(us.r.why, OSH_WHY_ALLOWED);
		assert_non_null(strstr(us.r.detail, "resumed"));
		close_pair();
		/* Another name has none, though the server is the same. */
		connect_with("other.test", c, false);
		assert_int_equal(us.r.why, OSH_WHY_UPSTREAM_CERT);
		close_pair();
		sessions_drop(&tls->sessions, "r.test", false);
		SSL_CTX_free(c);
	}
}

/* No bytes of a peer that ends, or speaks something else, pass for a handshake. */
static void test_broken(void **st)
{
	(void)st;
	open_pair();
	peer.over = true;
	tls_connect(tls, &us.s, "up.test", false, on_done);
	stream_close(&peer.s, false);
	run();
	assert_int_equal(us.r.why, OSH_WHY_TLS_UPSTREAM);
	close_pair();
	open_pair();
	peer.over = true;
	assert_int_equal(stream_write(&peer.s, "HTTP/1.1 400 Bad Request\r\n\r\n", 28), 28);
	tls_connect(tls, &us.s, "up.test", false, on_done);
	run();
	assert_int_equal(us.r.why, OSH_WHY_TLS_UPSTREAM);
	assert_non_null(strstr(us.r.detail, "wrong version number"));
	close_pair();
	open_pair();
	peer.over = true;
	assert_int_equal(stream_write(&peer.s, "GET / HTTP/1.1\r\n\r\n", 18), 18);
	tls_accept(tls, &us.s, &bundle, "api.example.com", false, on_done);
	run();
	assert_int_equal(us.r.why, OSH_WHY_TLS_CLIENT);
	close_pair();
	/* Closed by its owner in the middle: `done` is not called. */
	open_pair();
	tls_connect(tls, &us.s, "up.test", false, on_done);
	close_pair();
	assert_int_equal(us.n, 0);
}

/* 500 connections with both legs idle. */
static void test_memory(void **st)
{
	enum { N = 500 };
	static struct stream ours[N][2], theirs[N][2];
	struct server v = { "up.test", .from = -60, .to = 3600 };
	SSL_CTX *c = client_context(), *sc = server_context(&v);
	size_t before, after, only;
	struct ask a = { "api.example.com", "api.example.com" };

	(void)st;
	SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i < N; i++) {
			struct us keep_us;
			struct peer keep_peer;

			if (i == 0)
				before = mallinfo2().uordblks;
			if (pass == 0)
				accept_with(&a, c, NULL);
			else
				connect_with("up.test", sc, false);
			assert_int_equal(us.r.why, OSH_WHY_ALLOWED);
			if (i % 50 == 0)
				a_moment();
			keep_us = us;
			keep_peer = peer;
			/* Streams do not move: only their TLS state is kept. */
			ours[i][pass].ssl = keep_us.s.ssl;
			theirs[i][pass].ssl = keep_peer.s.ssl;
			us.s.ssl = peer.s.ssl = NULL;
			close_pair();
		}
		after = mallinfo2().uordblks;
		for (int i = 0; i < N; i++)
			SSL_free(theirs[i][pass].ssl);
		only = mallinfo2().uordblks;
		print_message("# %s: %zu bytes a connection, both ends %zu\n", pass ? "upstream" : "client",
			      (only - before) / N, (after - before) / N);
		assert_true((only - before) / N < 24 * 1024);
	}
	for (int i = 0; i < N; i++)
		for (int pass = 0; pass < 2; pass++)
			SSL_free(ours[i][pass].ssl);
	SSL_CTX_free(c);
	SSL_CTX_free(sc);
}

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void test_speed(void **st)
{
	SSL_CTX *c = client_context();
	struct ask a = { "api.example.com", "api.example.com" };
	double from = cpu_us();

	(void)st;
	for (int i = 0; i < 300; i++) {
		accept_with(&a, c, NULL);
		close_pair();
	}
	print_message("# both ends of a handshake: %.0f us of a processor\n", (cpu_us() - from) / 300);
	from = cpu_us();
	for (int i = 0; i < 300; i++) {
		char name[32];

		snprintf(name, sizeof(name), "m%d.w.test", i);
		assert_non_null(mint_get(tls->mint, &bundle, name));
	}
	print_message("# a certificate: %.0f us\n", (cpu_us() - from) / 300);
	SSL_CTX_free(c);
}

static int make_anchors(void)
{
	int fd = memfd_create("anchors", MFD_ALLOW_SEALING);
	static const char noise[] = "# a comment\n-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n"
				    "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";
	BIO *b = BIO_new(BIO_s_mem());
	char *p;
	long n;

	assert_true(PEM_write_bio_X509(b, ca));
	n = BIO_get_mem_data(b, &p);
	assert_return_code(write(fd, noise, sizeof(noise) - 1), errno);
	assert_return_code(write(fd, p, (size_t)n), errno);
	assert_return_code(write(fd, p, (size_t)n), errno);	/* twice is no harm */
	BIO_free(b);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), 0);
	return fd;
}

static int setup(void **st)
{
	struct err e = { 0 };
	struct cert_spec spec = { .org = "world", .name = "root", .ca = true, .from = time(NULL) - 3600,
				  .to = time(NULL) + 3600 };
	int p[2];

	(void)st;
	ca_key = EVP_EC_gen("P-256");
	leaf_key = EVP_EC_gen("P-256");
	spec.key = spec.signer = ca_key;
	ca = cert_make(&spec);
	anchors_fd = make_anchors();
	root_fd = memfd_create("root", MFD_ALLOW_SEALING);
	assert_return_code(pipe2(p, O_CLOEXEC), errno);
	assert_int_equal(root_make("test", root_fd, p[1], &e), 0);
	assert_true(read(p[0], root_pem, sizeof(root_pem) - 1) > 400);
	close(p[0]);
	close(p[1]);
	if (loop_init(&l, &e) < 0 || tls_new(&tls, root_fd, anchors_fd, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(anchors_count(tls->anchors), 2);
	return 0;
}

static int teardown(void **st)
{
	(void)st;
	tls_free(tls);
	X509_free(ca);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(leaf_key);
	SSL_SESSION_free(kept);
	close(l.epfd);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accept), cmocka_unit_test(test_accept_alpn),
		cmocka_unit_test(test_certificates), cmocka_unit_test(test_accept_resumes),
		cmocka_unit_test(test_untrusted), cmocka_unit_test(test_restart), cmocka_unit_test(test_bad_root),
		cmocka_unit_test(test_connect), cmocka_unit_test(test_connect_resumes),
		cmocka_unit_test(test_broken), cmocka_unit_test(test_memory), cmocka_unit_test(test_speed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
