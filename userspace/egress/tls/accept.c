/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS towards the sandbox. Its programs are not trusted: the name in the client hello must be the one
 * that the dialled address stands for, and the certificate is for that name whatever they ask. An
 * encrypted client hello cannot hide anything from who answers it: as GREASE beside the right name it is
 * passed over, and a real one names its provider, so it is refused, for its own reason.
 */
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/tls1.h>
#include <string.h>
#include <strings.h>

#include "tls/leg.h"

#define EXT_ECH 0xfe0d

static bool is_literal(const char *name)
{
	unsigned char room[16];

	return inet_pton(AF_INET, name, room) == 1 || inet_pton(AF_INET6, name, room) == 1;
}

/* No client needs to send the name of an address; some do. */
static bool name_fits(struct leg *l, const unsigned char *ext, size_t n)
{
	char *asked = l->t->asked;
	struct slice sni = { "", 0 };

	*asked = 0;
	if (!ext)
		return is_literal(l->name);
	if (!hello_name((struct slice){ (const char *)ext, n }, &sni))
		return false;
	memcpy(asked, sni.p, sni.n);
	asked[sni.n] = 0;
	return !strcasecmp(asked, l->name);
}

static int on_hello(SSL *ssl, int *alert, void *arg)
{
	struct leg *l = leg_of(ssl);
	const unsigned char *ext = NULL;
	size_t n = 0;

	(void)arg;
	if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &ext, &n))
		ext = NULL;
	if (name_fits(l, ext, n))
		return SSL_CLIENT_HELLO_SUCCESS;
	l->why = SSL_client_hello_get0_ext(ssl, EXT_ECH, &ext, &n) ? OSH_WHY_TLS_ECH : OSH_WHY_TLS_SNI;
	*alert = SSL_AD_UNRECOGNIZED_NAME;
	return SSL_CLIENT_HELLO_ERROR;
}

/* Only where no session is resumed. */
static int on_cert(SSL *ssl, void *arg)
{
	struct leg *l = leg_of(ssl);
	X509 *x = mint_get(l->t->mint, l->policy, l->name);

	(void)arg;
	if (x && SSL_use_certificate(ssl, x) == 1 && SSL_use_PrivateKey(ssl, mint_key(l->t->mint)) == 1)
		return 1;
	l->why = OSH_WHY_INTERNAL;
	return 0;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *n_out, const unsigned char *in,
		   unsigned n, void *arg)
{
	static const unsigned char ours[] = "\2h2\10http/1.1";
	const struct leg *l = leg_of(ssl);
	unsigned skip = l->h2 ? 0 : 3;

	(void)arg;
	return SSL_select_next_proto((unsigned char **)out, n_out, ours + skip, sizeof(ours) - 1 - skip, in, n) ==
	       OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* OpenSSL shows only extensions that it knows. */
static int on_ech(SSL *ssl, unsigned type, unsigned context, const unsigned char *in, size_t n, X509 *x,
		  size_t chain, int *alert, void *arg)
{
	(void)ssl, (void)type, (void)context, (void)in, (void)n, (void)x, (void)chain, (void)alert, (void)arg;
	return 1;
}

SSL_CTX *accept_context(void)
{
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());

	/* What authenticates and forgets; the short key first, as it is the faster one. */
	if (!c || SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(c, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
				     "TLS_CHACHA20_POLY1305_SHA256") != 1 ||
	    SSL_CTX_set_cipher_list(c, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 ||
	    SSL_CTX_add_custom_ext(c, EXT_ECH, SSL_EXT_CLIENT_HELLO, NULL, NULL, NULL, on_ech, NULL) != 1) {
		SSL_CTX_free(c);
		return NULL;
	}
	SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
			       SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);	/* tickets alone: nothing to keep */
	SSL_CTX_set_num_tickets(c, 1);
	SSL_CTX_set_client_hello_cb(c, on_hello, NULL);
	SSL_CTX_set_cert_cb(c, on_cert, NULL);
	SSL_CTX_set_alpn_select_cb(c, on_alpn, NULL);
	return c;
}

void tls_again(struct stream *s, const struct bundle *b)
{
	leg_of(s->ssl)->policy = b;
}

void tls_accept(struct tls *t, struct stream *s, const struct bundle *b, const char *name, bool h2, tls_done *done)
{
	struct leg *l = leg_new(t, s, name, true, h2, done);
	unsigned char id[32];

	if (!l)
		return;
	l->policy = b;
	SSL_set_accept_state(s->ssl);
	/* A ticket is for the name that it was given for. */
	if (EVP_Digest(name, strlen(name), id, NULL, EVP_sha256(), NULL) != 1 ||
	    SSL_set_session_id_context(s->ssl, id, sizeof(id)) != 1)
		leg_refuse(l, OSH_WHY_INTERNAL, "out of memory");
	else
		leg_start(l);
}
