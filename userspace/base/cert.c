/* SPDX-License-Identifier: Apache-2.0 */
#include "cert.h"

#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

#define SERIAL 16
#define CN_MAX 64			/* RFC 5280, ub-common-name */

static bool add_text(X509_NAME *n, int nid, const char *s)
{
	return !s || X509_NAME_add_entry_by_NID(n, nid, V_ASN1_UTF8STRING, (const unsigned char *)s,
						(int)strlen(s), -1, 0);
}

static bool set_serial(X509 *x)
{
	unsigned char b[SERIAL];
	BIGNUM *n;
	bool ok;

	if (RAND_bytes(b, sizeof(b)) != 1)
		return false;
	b[0] = (unsigned char)((b[0] & 0x7f) | 0x40);	/* positive, and of one length */
	n = BN_bin2bn(b, sizeof(b), NULL);
	ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
	BN_free(n);
	return ok;
}

static bool set_names(X509 *x, const struct cert_spec *c)
{
	X509_NAME *n = X509_get_subject_name(x);
	const char *cn = c->name && strlen(c->name) <= CN_MAX ? c->name : NULL;

	return add_text(n, NID_organizationName, c->org) && add_text(n, NID_commonName, cn) &&
	       X509_set_issuer_name(x, c->issuer ? X509_get_subject_name(c->issuer) : n);
}

static bool add_ext(X509 *x, int nid, void *value, bool critical)
{
	return X509_add1_ext_i2d(x, nid, value, critical, X509V3_ADD_APPEND) == 1;
}

static bool add_constraints(X509 *x, bool ca)
{
	BASIC_CONSTRAINTS *b = BASIC_CONSTRAINTS_new();
	bool ok = b != NULL;

	if (ok && ca) {
		b->ca = 0xff;
		b->pathlen = ASN1_INTEGER_new();
		ok = b->pathlen && ASN1_INTEGER_set(b->pathlen, 0);
	}
	ok = ok && add_ext(x, NID_basic_constraints, b, true);
	BASIC_CONSTRAINTS_free(b);
	return ok;
}

static bool add_usage(X509 *x, bool ca)
{
	ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
	EXTENDED_KEY_USAGE *ext = NULL;
	bool ok = bits && ASN1_BIT_STRING_set_bit(bits, ca ? 5 : 0, 1) &&	/* keyCertSign, digitalSignature */
		  add_ext(x, NID_key_usage, bits, true);

	ASN1_BIT_STRING_free(bits);
	if (!ok || ca)
		return ok;
	ext = sk_ASN1_OBJECT_new_null();
	ok = ext && sk_ASN1_OBJECT_push(ext, OBJ_nid2obj(NID_server_auth)) &&
	     add_ext(x, NID_ext_key_usage, ext, false);
	sk_ASN1_OBJECT_free(ext);	/* the object is OpenSSL's own */
	return ok;
}

static bool add_key_ids(X509 *x, const struct cert_spec *c)
{
	unsigned char id[EVP_MAX_MD_SIZE];
	unsigned n;
	ASN1_OCTET_STRING *own = ASN1_OCTET_STRING_new();
	AUTHORITY_KEYID *from = AUTHORITY_KEYID_new();
	const ASN1_OCTET_STRING *signer = c->issuer ? X509_get0_subject_key_id((X509 *)c->issuer) : NULL;
	bool ok = own && from && X509_pubkey_digest(x, EVP_sha256(), id, &n) &&
		  ASN1_OCTET_STRING_set(own, id, 20) && add_ext(x, NID_subject_key_identifier, own, false);

	if (ok && (signer || !c->issuer)) {
		from->keyid = ASN1_OCTET_STRING_dup(signer ? signer : own);
		ok = from->keyid && add_ext(x, NID_authority_key_identifier, from, false);
	}
	ASN1_OCTET_STRING_free(own);
	AUTHORITY_KEYID_free(from);
	return ok;
}

static bool add_subject_alt(X509 *x, const struct cert_spec *c)
{
	const char *bytes = c->dns ? c->dns : (const char *)c->ip;
	ASN1_STRING *s = ASN1_STRING_type_new(c->dns ? V_ASN1_IA5STRING : V_ASN1_OCTET_STRING);
	GENERAL_NAME *g = GENERAL_NAME_new();
	GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
	bool ok = s && g && all && ASN1_STRING_set(s, bytes, (int)(c->dns ? strlen(c->dns) : c->n_ip)) &&
		  sk_GENERAL_NAME_push(all, g);

	if (ok) {
		GENERAL_NAME_set0_value(g, c->dns ? GEN_DNS : GEN_IPADD, s);
		s = NULL;
		ok = add_ext(x, NID_subject_alt_name, all, false);
		g = NULL;
	}
	ASN1_STRING_free(s);
	GENERAL_NAME_free(g);
	sk_GENERAL_NAME_pop_free(all, GENERAL_NAME_free);
	return ok;
}

X509 *cert_make(const struct cert_spec *c)
{
	X509 *x = X509_new();

	if (x && X509_set_version(x, X509_VERSION_3) && set_serial(x) && set_names(x, c) &&
	    ASN1_TIME_set(X509_getm_notBefore(x), c->from) && ASN1_TIME_set(X509_getm_notAfter(x), c->to) &&
	    X509_set_pubkey(x, c->key) && add_constraints(x, c->ca) && add_usage(x, c->ca) &&
	    add_key_ids(x, c) && (!(c->dns || c->ip) || add_subject_alt(x, c)) &&
	    X509_sign(x, c->signer, EVP_sha256()) > 0)
		return x;
	X509_free(x);
	return NULL;
}
