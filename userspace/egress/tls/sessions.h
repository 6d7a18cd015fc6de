/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS sessions with upstreams, for resumption: one a name and kind of offer, the newest, as bytes. A
 * resumed session was verified when it began, for the same name and the same roots.
 */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct session;
TAILQ_HEAD(session_list, session);

struct sessions {
	struct session_list list;	/* the last used first */
	unsigned n;
};

void sessions_init(struct sessions *s);
void sessions_done(struct sessions *s);		/* wipes */
void sessions_put(struct sessions *s, const char *name, bool h2, SSL_SESSION *what, uint64_t now_ms);
SSL_SESSION *sessions_get(struct sessions *s, const char *name, bool h2, uint64_t now_ms);	/* the caller's; NULL = none */
void sessions_drop(struct sessions *s, const char *name, bool h2);
