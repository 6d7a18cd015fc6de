/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/anchors.h"

#include <fcntl.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "osh/limits.h"
#include "slice.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)
#define CERTS 4096			/* in one bundle; more are not seen */
#define TEXT_MAX 32768			/* of one certificate; a longer one is not seen */
#define BEGIN "-----BEGIN CERTIFICATE-----"
#define END "-----END CERTIFICATE-----"

struct anchors {
	struct slice text;		/* the mapping */
	X509_LOOKUP_METHOD *method;
	bool indexed;
	unsigned n;
	struct at {
		uint32_t subject;	/* hash of the canonical name */
		uint32_t from, len;	/* base64, between the lines */
	} *at;
};

int anchors_new(struct anchors **ret, int fd, struct err *e)
{
	struct anchors *a = calloc(1, sizeof(*a));
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	void *p = NULL;

	if (!a)
		return fail(e, ENOMEM, "out of memory");
	if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) < 0) {
		free(a);
		return fail(e, EPERM, "the trusted roots are not in a sealed memfd");
	}
	if (st.st_size > OSH_ANCHORS_BYTES) {
		free(a);
		return fail(e, E2BIG, "trusted roots: more than %u bytes", OSH_ANCHORS_BYTES);
	}
	if (st.st_size)
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		free(a);
		return fail(e, errno, "map the trusted roots: %s", strerror(errno));
	}
	a->text = (struct slice){ p, (size_t)st.st_size };
	*ret = a;
	return 0;
}

void anchors_free(struct anchors *a)
{
	if (!a)
		return;
	if (a->text.n)
		munmap((void *)a->text.p, a->text.n);
	X509_LOOKUP_meth_free(a->method);
	free(a->at);
	free(a);
}

/* The certificate's bytes into `out`, which has room for 3/4 of TEXT_MAX. 0 = not base64. */
static size_t decode(struct slice text, unsigned char *out)
{
	EVP_ENCODE_CTX *c = EVP_ENCODE_CTX_new();
	int n = 0, last = 0;
	bool ok;

	if (!c)
		return 0;
	EVP_DecodeInit(c);
	ok = EVP_DecodeUpdate(c, out, &n, (const unsigned char *)text.p, (int)text.n) >= 0 &&
	     EVP_DecodeFinal(c, out + n, &last) >= 0;
	EVP_ENCODE_CTX_free(c);
	return ok ? (size_t)(n + last) : 0;
}

/* Enters, or passes over, the next element; false = it does not lie inside. */
static bool element(const unsigned char **p, const unsigned char *end, bool enter)
{
	long len;
	int tag, class;
	const unsigned char *at = *p;

	if (at >= end || (ASN1_get_object(&at, &len, &tag, &class, end - at) & 0x80) || len > end - at)
		return false;
	*p = enter ? at : at + len;
	return true;
}

/* Of a certificate only the subject: RFC 5280, 4.1. */
static X509_NAME *subject_of(const unsigned char *p, size_t n)
{
	const unsigned char *end = p + n;

	for (int i = 0; i < 2; i++)	/* the certificate, what is signed of it */
		if (!element(&p, end, true))
			return NULL;
	if (p < end && *p == 0xa0 && !element(&p, end, false))	/* version */
		return NULL;
	for (int i = 0; i < 4; i++)	/* serial, signature, issuer, validity */
		if (!element(&p, end, false))
			return NULL;
	return d2i_X509_NAME(NULL, &p, end - p);
}

static bool hash(const X509_NAME *name, uint32_t *ret)
{
	int ok = 0;

	*ret = (uint32_t)X509_NAME_hash_ex(name, NULL, NULL, &ok);
	return ok;
}

static bool add(struct anchors *a, struct slice body, unsigned char *room)
{
	size_t n = body.n < TEXT_MAX ? decode(body, room) : 0;
	X509_NAME *name = n ? subject_of(room, n) : NULL;
	struct at at = { .from = (uint32_t)(body.p - a->text.p), .len = (uint32_t)body.n };
	bool room_left = true;

	if (name && hash(name, &at.subject)) {
		if (!(a->n & (a->n - 1))) {	/* doubled at every power of two */
			struct at *more = realloc(a->at, (a->n ? a->n * 2 : 1) * sizeof(*more));

			room_left = more != NULL;
			a->at = more ? more : a->at;
		}
		if (room_left)
			a->at[a->n++] = at;
	}
	X509_NAME_free(name);
	return room_left;
}

/* What cannot be read is passed over: the operator's file may hold what we do not know. */
static void make_index(struct anchors *a)
{
	const char *p = a->text.p, *end = p + a->text.n;
	unsigned char *room = malloc(TEXT_MAX);

	a->indexed = room != NULL;
	while (room && a->n < CERTS) {
		const char *from = memmem(p, (size_t)(end - p), BEGIN, sizeof(BEGIN) - 1), *to;

		if (!from)
			break;
		from += sizeof(BEGIN) - 1;
		to = memmem(from, (size_t)(end - from), END, sizeof(END) - 1);
		if (!to || !add(a, (struct slice){ from, (size_t)(to - from) }, room))
			break;
		p = to + sizeof(END) - 1;
	}
	free(room);
	ERR_clear_error();
}

size_t anchors_count(struct anchors *a)
{
	if (!a->indexed && a->text.n)
		make_index(a);
	return a->n;
}

/* The store keeps what was found; OpenSSL then chooses among several of one name. */
static int by_subject(X509_LOOKUP *l, X509_LOOKUP_TYPE type, const X509_NAME *name, X509_OBJECT *ret)
{
	struct anchors *a = X509_LOOKUP_get_method_data(l);
	unsigned char *room = NULL;
	uint32_t want;
	int found = 0;

	if (type != X509_LU_X509 || !anchors_count(a) || !hash(name, &want))
		return 0;
	for (unsigned i = 0; i < a->n; i++) {
		const unsigned char *p;
		size_t n;
		X509 *x;

		if (a->at[i].subject != want || (!room && !(room = malloc(TEXT_MAX))))
			continue;
		n = decode((struct slice){ a->text.p + a->at[i].from, a->at[i].len }, room);
		p = room;
		x = d2i_X509(NULL, &p, (long)n);
		if (x && !X509_NAME_cmp(X509_get_subject_name(x), name) &&
		    X509_STORE_add_cert(X509_LOOKUP_get_store(l), x) && !found)
			found = X509_OBJECT_set1_X509(ret, x);
		X509_free(x);
	}
	free(room);
	if (found)
		X509_free(X509_OBJECT_get0_X509(ret));	/* OpenSSL takes *ret as borrowed from the store */
	return found;
}

X509_STORE *anchors_store(struct anchors *a)
{
	X509_STORE *s = X509_STORE_new();
	X509_LOOKUP *l;

	if (!a->method && (a->method = X509_LOOKUP_meth_new("anchors")))
		X509_LOOKUP_meth_set_get_by_subject(a->method, by_subject);
	l = s && a->method ? X509_STORE_add_lookup(s, a->method) : NULL;
	if (l && X509_LOOKUP_set_method_data(l, a))
		return s;
	X509_STORE_free(s);
	return NULL;
}
