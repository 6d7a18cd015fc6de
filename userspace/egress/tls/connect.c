/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS towards the world. Chain and name are verified against the host's own roots, in this process; no
 * revocation lists and no OCSP are asked, as no HTTP client of this system does. What does not verify is
 * a refusal with the library's reason, and no byte of the sandbox is ever sent there.
 */
#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include "tls/leg.h"

#define DEPTH 8				/* intermediates */
#define LEVEL 2				/* 112 bits: RSA and DH of 2048, no SHA-1 signatures */

static int on_session(SSL *ssl, SSL_SESSION *what)
{
	struct leg *l = leg_of(ssl);

	if (SSL_get_verify_result(ssl) == X509_V_OK && SSL_SESSION_is_resumable(what))
		sessions_put(&l->t->sessions, l->name, l->h2, what, l->s->loop->now_ms);
	return 0;			/* not kept as an object */
}

SSL_CTX *connect_context(struct tls *t)
{
	SSL_CTX *c = SSL_CTX_new(TLS_client_method());
	X509_STORE *store = c ? anchors_store(t->anchors) : NULL;

	if (!store || SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) != 1) {
		X509_STORE_free(store);
		SSL_CTX_free(c);
		return NULL;
	}
	SSL_CTX_set_cert_store(c, store);
	SSL_CTX_set_security_level(c, LEVEL);
	SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_verify_depth(c, DEPTH);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(c, on_session);
	return c;
}

/* An address is looked for among the addresses of the certificate, and no server name is sent. */
static bool expect(SSL *ssl, const char *name)
{
	X509_VERIFY_PARAM *p = SSL_get0_param(ssl);
	unsigned char room[16];

	if (inet_pton(AF_INET, name, room) == 1)
		return X509_VERIFY_PARAM_set1_ip(p, room, 4) == 1;
	if (inet_pton(AF_INET6, name, room) == 1)
		return X509_VERIFY_PARAM_set1_ip(p, room, 16) == 1;
	X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return *name && X509_VERIFY_PARAM_set1_host(p, name, 0) == 1 &&
	       SSL_set_tlsext_host_name(ssl, name) == 1;
}

static bool offer(SSL *ssl, bool h2)
{
	static const unsigned char both[] = "\2h2\10http/1.1";
	unsigned skip = h2 ? 0 : 3;

	return SSL_set_alpn_protos(ssl, both + skip, sizeof(both) - 1 - skip) == 0;
}

void tls_connect(struct tls *t, struct stream *s, const char *name, bool h2, tls_done *done)
{
	struct leg *l = leg_new(t, s, name, false, h2, done);
	SSL_SESSION *known;

	if (!l)
		return;
	SSL_set_connect_state(s->ssl);
	if (!expect(s->ssl, name) || !offer(s->ssl, h2)) {
		leg_refuse(l, OSH_WHY_INTERNAL, "not a name to verify");
		return;
	}
	known = sessions_get(&t->sessions, name, h2, s->loop->now_ms);
	if (known && SSL_set_session(s->ssl, known) != 1)
		sessions_drop(&t->sessions, name, h2);
	SSL_SESSION_free(known);
	leg_start(l);
}
