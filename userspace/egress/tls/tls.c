/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tls/leg.h"

/*
 * OpenSSL's locked memory: private numbers of keys and of handshakes under way, ticket keys. A power of
 * two; only what is touched is resident. Ephemeral keys of 1000 handshakes at once take a quarter of it.
 */
#define LOCKED (256u << 10)
#define LOCKED_LEAST 32

static void free_leg(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
	(void)parent;
	(void)ad;
	(void)idx;
	(void)argl;
	(void)argp;
	free(ptr);
}

static int leg_index(void)
{
	static int i = -1;

	if (i < 0)
		i = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_leg);
	return i;
}

struct leg *leg_of(const SSL *ssl)
{
	return SSL_get_ex_data(ssl, leg_index());
}

static int open_library(struct err *e)
{
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		return fail(e, EIO, "OpenSSL did not start");
	if (!CRYPTO_secure_malloc_initialized() && CRYPTO_secure_malloc_init(LOCKED, LOCKED_LEAST) != 1)
		return fail(e, ENOMEM, "no locked memory for keys: %s", strerror(errno));
	return leg_index() < 0 ? fail(e, ENOMEM, "out of memory") : 0;
}

int tls_new(struct tls **ret, int root_fd, int anchors_fd, struct err *e)
{
	struct tls *t = calloc(1, sizeof(*t));
	struct stat st;
	int r = t ? open_library(e) : fail(e, ENOMEM, "out of memory");

	if (t)
		sessions_init(&t->sessions);
	if (!r)
		r = anchors_new(&t->anchors, anchors_fd, e);
	if (!r && !(t->connect = connect_context(t)))
		r = fail(e, ENOMEM, "TLS towards the world: out of memory");
	if (!r && fstat(root_fd, &st) < 0)
		r = fail(e, errno, "the sandbox's root: %s", strerror(errno));
	if (!r && st.st_size) {
		r = mint_new(&t->mint, root_fd, e);
		if (!r && !(t->accept = accept_context()))
			r = fail(e, ENOMEM, "TLS towards the sandbox: out of memory");
	}
	ERR_clear_error();
	if (!r)
		*ret = t;
	else
		tls_free(t);
	return r;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->accept);
	SSL_CTX_free(t->connect);
	mint_free(t->mint);
	sessions_done(&t->sessions);
	anchors_free(t->anchors);
	free(t);
}

static void finish(struct leg *l, const struct tls_result *r)
{
	struct stream *s = l->s;
	tls_done *done = l->done;

	l->done = NULL;
	s->shaking = false;
	s->shake = NULL;
	ERR_clear_error();
	if (done)
		done(s, r);		/* may close the stream, and with it the leg */
}

void leg_refuse(struct leg *l, enum osh_reason why, const char *detail)
{
	struct tls_result r = { .why = why };

	if (why == OSH_WHY_TLS_SNI || why == OSH_WHY_TLS_ECH)
		snprintf(r.detail, sizeof(r.detail), "%s: client hello asks for %s", l->name,
			 *detail ? detail : "no name");
	else
		snprintf(r.detail, sizeof(r.detail), "%s: %s", l->name, detail);
	finish(l, &r);
}

static void succeed(struct leg *l)
{
	struct tls_result r = { .why = OSH_WHY_ALLOWED };
	const unsigned char *p;
	unsigned n;

	SSL_get0_alpn_selected(l->s->ssl, &p, &n);
	r.alpn = n == 2 && !memcmp(p, "h2", 2) ? ALPN_H2 : ALPN_HTTP1;
	snprintf(r.detail, sizeof(r.detail), "%s, %s%s", SSL_get_version(l->s->ssl),
		 SSL_get_cipher_name(l->s->ssl), SSL_session_reused(l->s->ssl) ? ", resumed" : "");
	finish(l, &r);
}

/* The library's words for what went wrong; the first error is the cause, later ones its consequences. */
static void give_up(struct leg *l, int error, int saved)
{
	enum osh_reason why = l->server ? OSH_WHY_TLS_CLIENT : OSH_WHY_TLS_UPSTREAM;
	long verified = l->server ? X509_V_OK : SSL_get_verify_result(l->s->ssl);
	const char *text = ERR_reason_error_string(ERR_peek_error());

	if (!l->server)
		sessions_drop(&l->t->sessions, l->name, l->h2);
	if (l->why == OSH_WHY_INTERNAL)
		leg_refuse(l, l->why, "no certificate for this name");
	else if (l->why)
		leg_refuse(l, l->why, l->t->asked);
	else if (verified != X509_V_OK)
		leg_refuse(l, OSH_WHY_UPSTREAM_CERT, X509_verify_cert_error_string(verified));
	else if (error == SSL_ERROR_SYSCALL && saved)
		leg_refuse(l, why, strerror(saved));
	else
		leg_refuse(l, why, text ? text : "connection ended during the handshake");
}

static void shake(struct stream *s)
{
	struct leg *l = leg_of(s->ssl);
	int r, saved, error;

	ERR_clear_error();
	errno = 0;
	r = SSL_do_handshake(s->ssl);
	saved = errno;
	if (r == 1) {
		succeed(l);
		return;
	}
	error = SSL_get_error(s->ssl, r);
	if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
		give_up(l, error, saved);
}

struct leg *leg_new(struct tls *t, struct stream *s, const char *name, bool server, bool h2, tls_done *done)
{
	SSL_CTX *ctx = server ? t->accept : t->connect;
	struct tls_result failed = { .why = OSH_WHY_INTERNAL };
	size_t n = strlen(name) + 1;
	struct leg *l = malloc(sizeof(*l) + n);
	SSL *ssl = l && ctx && !s->ssl && s->w.fd >= 0 ? SSL_new(ctx) : NULL;

	if (ssl && SSL_set_ex_data(ssl, leg_index(), l)) {
		*l = (struct leg){ .t = t, .s = s, .done = done, .server = server, .h2 = h2 };
		memcpy(l->name, name, n);
		if (stream_secure(s, ssl) == 0)
			return l;
		l = NULL;		/* freed with the SSL */
	}
	SSL_free(ssl);
	free(l);
	snprintf(failed.detail, sizeof(failed.detail), "%s", ctx ? "out of memory" : "the sandbox has no root");
	done(s, &failed);
	return NULL;
}

void leg_start(struct leg *l)
{
	l->s->shaking = true;
	l->s->shake = shake;
	shake(l->s);
}
