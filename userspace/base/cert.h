/* SPDX-License-Identifier: Apache-2.0 */
/* Writing X.509 certificates, P-256 throughout. Built field by field: no text is ever parsed into one. */
#pragma once

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct cert_spec {
	const char *org, *name;		/* subject O and CN; a CN longer than 64 bytes is left out */
	EVP_PKEY *key;			/* what is certified */
	const X509 *issuer;		/* NULL = signs itself */
	EVP_PKEY *signer;
	bool ca;			/* may sign, leaves only; else it is for a TLS server */
	const char *dns;		/* subjectAltName: a host name, … */
	const unsigned char *ip;	/* … or an address of n_ip bytes */
	size_t n_ip;
	time_t from, to;
};

/* NULL = out of memory, or a field does not fit. */
X509 *cert_make(const struct cert_spec *c);
