/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS of both legs. Towards the sandbox: leaf certificates under the sandbox's own root, minted only for
 * the name that the dialled address stands for, and only if the policy names it. Towards the world: chain
 * and name verified, sessions resumed. A failed handshake has a reason and is never passed on as success.
 */
#pragma once

#include "bundle.h"
#include "err.h"
#include "osh/abi.h"
#include "tls/hello.h"
#include "tls/stream.h"

struct tls;				/* contexts, root key, caches of certificates and sessions */

enum tls_alpn { ALPN_HTTP1, ALPN_H2 };

/*
 * `root_fd`: sealed memfd with the sandbox's root (osh/root.h), the same for its whole life; an empty one =
 * no TLS is terminated. `anchors_fd`: sealed memfd, PEM bundle of roots trusted for upstreams; may be empty.
 * Both descriptors may be closed.
 */
int tls_new(struct tls **ret, int root_fd, int anchors_fd, struct err *e);
void tls_free(struct tls *t);		/* no connection is left; wipes */

struct tls_result {
	enum osh_reason why;		/* OSH_WHY_ALLOWED, or why there is no connection */
	enum tls_alpn alpn;
	char detail[160];		/* one line for the record: library's words, the name asked for, … */
};

/*
 * Starts a handshake on an open stream in the clear of which nothing was read; `done` is called once, from
 * the loop or at once, unless the stream is closed before. Afterwards the stream carries bytes, or it is to
 * be closed in order (not hard): its alert is under way.
 * tls_accept: `name` is what the address stands for, in lower case; SNI absent or different: refused, an
 * encrypted client hello with it. A literal address has no name: its text is what the certificate is for. *b, which
 * outlives the handshake, must name it, or there is no certificate.
 * tls_connect: `name` is verified; `h2` offers HTTP/2 too.
 */
void tls_accept(struct tls *t, struct stream *s, const struct bundle *b, const char *name, bool h2,
		void (*done)(struct stream *s, const struct tls_result *r));

/* Another policy is in force while a handshake of tls_accept() is under way: its certificate is to be of *b. */
void tls_again(struct stream *s, const struct bundle *b);

void tls_connect(struct tls *t, struct stream *s, const char *name, bool h2,
		 void (*done)(struct stream *s, const struct tls_result *r));
