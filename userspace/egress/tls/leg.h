/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the room: what hangs on every TLS connection for its life, and the handshake that both legs share. */
#pragma once

#include "tls/anchors.h"
#include "tls/mint.h"
#include "tls/sessions.h"
#include "tls/tls.h"

typedef void tls_done(struct stream *s, const struct tls_result *r);

struct tls {
	SSL_CTX *accept, *connect;	/* accept: NULL where the sandbox has no root */
	struct mint *mint;
	struct anchors *anchors;
	struct sessions sessions;
	char asked[HELLO_NAME + 1];	/* the name in the client hello that is being refused */
};

struct leg {
	struct tls *t;
	struct stream *s;
	const struct bundle *policy;	/* of the handshake with the sandbox */
	tls_done *done;			/* NULL = called already */
	enum osh_reason why;		/* what a callback found to be wrong */
	bool server, h2;
	char name[];
};

/* The legs' contexts, with their callbacks. NULL = no memory. */
SSL_CTX *accept_context(void);
SSL_CTX *connect_context(struct tls *t);

/* The leg of a connection; in callbacks of OpenSSL. */
struct leg *leg_of(const SSL *ssl);

/* Puts TLS and a leg on the stream; the caller then sets up *ssl. NULL = failed, and `done` was called. */
struct leg *leg_new(struct tls *t, struct stream *s, const char *name, bool server, bool h2, tls_done *done);
void leg_start(struct leg *l);
void leg_refuse(struct leg *l, enum osh_reason why, const char *detail);
