/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/sessions.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define SESSIONS 64
#define BYTES 8192			/* of one; larger ones are not kept */
#define LIFE_MS 3600000			/* a certificate is looked at again after, whatever the peer says */

struct session {
	TAILQ_ENTRY(session) link;
	uint64_t made_ms;
	int n;
	bool h2;
	unsigned char *der;
	char name[];
};

void sessions_init(struct sessions *s)
{
	TAILQ_INIT(&s->list);
	s->n = 0;
}

static void drop(struct sessions *s, struct session *x)
{
	TAILQ_REMOVE(&s->list, x, link);
	s->n--;
	OPENSSL_clear_free(x->der, (size_t)x->n);
	free(x);
}

void sessions_done(struct sessions *s)
{
	while (s->n)
		drop(s, TAILQ_FIRST(&s->list));
}

static struct session *find(struct sessions *s, const char *name, bool h2)
{
	struct session *x;

	TAILQ_FOREACH(x, &s->list, link)
		if (x->h2 == h2 && !strcmp(x->name, name))
			return x;
	return NULL;
}

void sessions_drop(struct sessions *s, const char *name, bool h2)
{
	struct session *x = find(s, name, h2);

	if (x)
		drop(s, x);
}

void sessions_put(struct sessions *s, const char *name, bool h2, SSL_SESSION *what, uint64_t now_ms)
{
	size_t room = strlen(name) + 1;
	int n = i2d_SSL_SESSION(what, NULL);
	struct session *x;
	unsigned char *p;

	sessions_drop(s, name, h2);
	if (n <= 0 || n > BYTES || !(x = malloc(sizeof(*x) + room)))
		return;
	x->der = p = OPENSSL_malloc((size_t)n);
	if (!p || i2d_SSL_SESSION(what, &p) != n) {
		OPENSSL_free(x->der);
		free(x);
		return;
	}
	x->n = n;
	x->h2 = h2;
	x->made_ms = now_ms;
	memcpy(x->name, name, room);
	TAILQ_INSERT_HEAD(&s->list, x, link);
	if (++s->n > SESSIONS)
		drop(s, TAILQ_LAST(&s->list, session_list));
}

SSL_SESSION *sessions_get(struct sessions *s, const char *name, bool h2, uint64_t now_ms)
{
	struct session *x = find(s, name, h2);
	const unsigned char *p;

	if (!x)
		return NULL;
	if (now_ms - x->made_ms > LIFE_MS) {
		drop(s, x);
		return NULL;
	}
	TAILQ_REMOVE(&s->list, x, link);
	TAILQ_INSERT_HEAD(&s->list, x, link);
	p = x->der;
	return d2i_SSL_SESSION(NULL, &p, x->n);
}
