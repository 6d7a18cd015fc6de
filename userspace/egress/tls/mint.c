/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/mint.h"

#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "cert.h"
#include "osh/root.h"
#include "secret.h"
#include "tls/named.h"

#define LEAVES 128			/* kept; the one not used for longest goes */
#define DAY 86400
#define SLACK DAY			/* a leaf is valid from then on: clocks differ and jump */
#define LIFE (30 * DAY)
#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

struct leaf {
	TAILQ_ENTRY(leaf) link;
	X509 *cert;
	time_t made;
	unsigned char policy[32];	/* content hash of the last bundle that named it */
	char name[];
};

struct mint {
	X509 *root;
	EVP_PKEY *root_key, *leaf_key;
	TAILQ_HEAD(leaf_head, leaf) leaves;	/* the last used first */
	unsigned n;
};

/* OpenSSL keeps the private number in its own locked memory (tls.c opens that first). */
static EVP_PKEY *key_of(struct osh_root *r, X509 *cert)
{
	unsigned char point[65];
	size_t n = 0;
	EVP_PKEY *public = X509_get0_pubkey(cert), *key = NULL;
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM p[] = {
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)"prime256v1", 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_PRIV_KEY, r->key, sizeof(r->key)),
		OSSL_PARAM_END,
	};

	if (public && c && EVP_PKEY_get_octet_string_param(public, OSSL_PKEY_PARAM_PUB_KEY, point,
							   sizeof(point), &n) && n == sizeof(point) &&
	    (EVP_PKEY_fromdata_init(c) != 1 || EVP_PKEY_fromdata(c, &key, EVP_PKEY_KEYPAIR, p) != 1))
		key = NULL;
	EVP_PKEY_CTX_free(c);
	return key;
}

static int read_root(struct mint *m, int fd, struct osh_root *r, struct err *e)
{
	const unsigned char *p = r->cert;
	EVP_PKEY_CTX *c;
	int seals = fcntl(fd, F_GET_SEALS);
	bool ok;

	if (seals < 0 || (seals & SEALS) != SEALS)
		return fail(e, EPERM, "the sandbox's root is not in a sealed memfd");
	if (pread(fd, r, sizeof(*r), 0) != (ssize_t)sizeof(*r) || r->magic != OSH_ROOT_MAGIC ||
	    r->n_cert > sizeof(r->cert))
		return fail(e, EBADMSG, "the sandbox's root is malformed");
	m->root = d2i_X509(NULL, &p, r->n_cert);
	m->root_key = m->root && p == r->cert + r->n_cert ? key_of(r, m->root) : NULL;
	c = m->root_key ? EVP_PKEY_CTX_new_from_pkey(NULL, m->root_key, NULL) : NULL;
	ok = c && EVP_PKEY_pairwise_check(c) == 1;
	EVP_PKEY_CTX_free(c);
	return ok ? 0 : fail(e, EBADMSG, "the sandbox's root: its key and its certificate do not fit");
}

int mint_new(struct mint **ret, int root_fd, struct err *e)
{
	struct mint *m = calloc(1, sizeof(*m));
	struct osh_root *r = secret_alloc(sizeof(*r));
	int x = 0;

	if (!m || !r)
		x = fail(e, errno, "locked memory for the sandbox's root: %s", strerror(errno));
	if (!x) {
		TAILQ_INIT(&m->leaves);
		x = read_root(m, root_fd, r, e);
	}
	if (!x && !(m->leaf_key = EVP_EC_gen("P-256")))
		x = fail(e, ENOMEM, "make the leaves' key");
	secret_free(r, sizeof(*r));
	if (x < 0)
		mint_free(m);
	else
		*ret = m;
	return x;
}

static void drop(struct mint *m, struct leaf *l)
{
	TAILQ_REMOVE(&m->leaves, l, link);
	m->n--;
	X509_free(l->cert);
	free(l);
}

void mint_free(struct mint *m)
{
	if (!m)
		return;
	while (m->n)
		drop(m, TAILQ_FIRST(&m->leaves));
	X509_free(m->root);
	EVP_PKEY_free(m->root_key);
	EVP_PKEY_free(m->leaf_key);
	free(m);
}

static X509 *make(struct mint *m, const struct bundle *b, const char *name, time_t now)
{
	struct ip ip;
	enum named what = named(b, name, &ip);
	struct cert_spec c = {
		.org = "osh", .name = name, .key = m->leaf_key, .issuer = m->root, .signer = m->root_key,
		.from = now - SLACK, .to = now + LIFE,
	};

	if (what == NAMED_NOT)
		return NULL;
	if (what == NAMED_HOST) {
		c.dns = name;
	} else {
		c.ip = ip_is4(&ip) ? ip.b + 12 : ip.b;
		c.n_ip = ip_is4(&ip) ? 4 : 16;
	}
	return cert_make(&c);
}

static struct leaf *find(const struct mint *m, const char *name)
{
	struct leaf *l;

	TAILQ_FOREACH(l, &m->leaves, link)
		if (!strcmp(l->name, name))
			return l;
	return NULL;
}

/* Its name may have left the policy since: then it is not shown any more. */
static bool still_named(struct leaf *l, const struct bundle *b)
{
	struct ip ip;

	if (b->header && !memcmp(l->policy, b->header->content_hash, sizeof(l->policy)))
		return true;
	if (named(b, l->name, &ip) == NAMED_NOT)
		return false;
	if (b->header)
		memcpy(l->policy, b->header->content_hash, sizeof(l->policy));
	return true;
}

X509 *mint_get(struct mint *m, const struct bundle *b, const char *name)
{
	time_t now = time(NULL);
	struct leaf *l = find(m, name);
	size_t n = strlen(name) + 1;

	if (l && !still_named(l, b))
		return NULL;
	if (l && now >= l->made - SLACK / 2 && now <= l->made + LIFE / 2) {
		TAILQ_REMOVE(&m->leaves, l, link);
		TAILQ_INSERT_HEAD(&m->leaves, l, link);
		return l->cert;
	}
	if (l)
		drop(m, l);		/* the clock jumped, or it is old */
	l = malloc(sizeof(*l) + n);
	if (!l || !(l->cert = make(m, b, name, now))) {
		free(l);
		return NULL;
	}
	l->made = now;
	memset(l->policy, 0, sizeof(l->policy));
	if (b->header)
		memcpy(l->policy, b->header->content_hash, sizeof(l->policy));
	memcpy(l->name, name, n);
	TAILQ_INSERT_HEAD(&m->leaves, l, link);
	if (++m->n > LEAVES)
		drop(m, TAILQ_LAST(&m->leaves, leaf_head));
	return l->cert;
}

EVP_PKEY *mint_key(const struct mint *m)
{
	return m->leaf_key;
}
