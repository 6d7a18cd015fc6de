/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names and certificates. Whatever is asked, a certificate is made only for a name or an address of the
 * policy, it says exactly that, and clients that ask for anything else do not take it.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "cert.h"
#include "osh/root.h"
#include "tls/mint.h"
#include "tls/named.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char strings[] = "\0a.test\0*.w.test\0.w.test\0**.d.test\0.d.test\0" "10.0.0.0/8\0l4.test\0";
static const struct osh_b_host hosts[] = {
	{ 1, OSH_HOST_EXACT }, { 54, OSH_HOST_EXACT }, { 25, OSH_HOST_WILD }, { 8, OSH_HOST_WILD },
	{ 43, OSH_HOST_CIDR },
};
static const struct osh_b_suffix suffixes[] = { { 35, 3, 3, 2 }, { 17, 4, 0, 2 } };
static const struct osh_b_cidr cidrs[] = { { { [10] = 0xff, [11] = 0xff, [12] = 10 }, 104, 5 } };
static const struct osh_b_alt alts[] = { { .flags = OSH_ALT_L7 }, { 0 } };
static const struct osh_b_endpoint endpoints[] = {
	{ 1, 443, 0, 1 }, { 2, 443, 1, 1 }, { 3, 443, 0, 1 }, { 4, 443, 0, 1 }, { 5, 443, 0, 1 },
};
static const struct bundle bundle = {
	.strings = strings, .n_strings = sizeof(strings), .hosts = hosts, .n_hosts = 5,
	.suffixes = suffixes, .n_suffixes = 2, .cidrs = cidrs, .n_cidrs = 1,
	.endpoints = endpoints, .n_endpoints = 5, .alts = alts, .n_alts = 2,
};

static struct mint *make_mint(void)
{
	struct osh_root r = { .magic = OSH_ROOT_MAGIC };
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct cert_spec c = { .org = "osh sandbox", .name = "fuzz", .key = key, .signer = key, .ca = true,
			       .from = time(NULL) - 60, .to = time(NULL) + 86400 };
	X509 *x = cert_make(&c);
	unsigned char *p = r.cert;
	BIGNUM *d = NULL;
	struct mint *m;
	struct err e;
	int fd = memfd_create("root", MFD_ALLOW_SEALING);

	r.n_cert = (uint32_t)i2d_X509(x, &p);
	EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &d);
	BN_bn2lebinpad(d, r.key, sizeof(r.key));
	if (write(fd, &r, sizeof(r)) != sizeof(r) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) < 0 ||
	    mint_new(&m, fd, &e) < 0)
		abort();
	close(fd);
	BN_free(d);
	X509_free(x);
	EVP_PKEY_free(key);
	return m;
}

static bool ends(const char *s, const char *with)
{
	size_t n = strlen(s), k = strlen(with);

	return n > k && !strcmp(s + n - k, with);
}

/* The policy once more, as simply as can be said; whether the text is a name at all is checked apart. */
static bool in_policy(const char *s)
{
	unsigned char four[4], sixteen[16];

	if (inet_pton(AF_INET, s, four) == 1)
		return four[0] == 10;
	if (inet_pton(AF_INET6, s, sixteen) == 1)
		return false;
	if (!strcmp(s, "a.test") || ends(s, ".d.test"))
		return true;
	return ends(s, ".w.test") && !memchr(s, '.', strlen(s) - 7);
}

static bool name_like(const char *s)
{
	for (; *s; s++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-_.:", *s))
			return false;
	return true;
}

static void check(X509 *x, const char *name)
{
	struct ip ip;
	GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	const GENERAL_NAME *g;
	int type;
	const ASN1_STRING *s;

	if (!all || sk_GENERAL_NAME_num(all) != 1)
		abort();
	g = sk_GENERAL_NAME_value(all, 0);
	s = GENERAL_NAME_get0_value(g, &type);
	if (named(&bundle, name, &ip) == NAMED_HOST) {
		if (type != GEN_DNS || ASN1_STRING_length(s) != (int)strlen(name) ||
		    memcmp(ASN1_STRING_get0_data(s), name, strlen(name)) ||
		    X509_check_host(x, name, 0, X509_CHECK_FLAG_NO_WILDCARDS, NULL) != 1)
			abort();
	} else if (type != GEN_IPADD || X509_check_ip_asc(x, name, 0) != 1) {
		abort();
	}
	if (X509_check_host(x, "other.test", 0, 0, NULL) == 1 || X509_check_ca(x))
		abort();
	GENERAL_NAMES_free(all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct mint *m;
	char name[300];
	X509 *x;

	if (!m) {
		CRYPTO_secure_malloc_init(1 << 16, 32);
		m = make_mint();
	}
	if (n >= sizeof(name) || memchr(data, 0, n))
		return 0;
	memcpy(name, data, n);
	name[n] = 0;
	x = mint_get(m, &bundle, name);
	if (x && (!in_policy(name) || !name_like(name)))
		abort();
	if (x)
		check(x, name);
	else if (!strcmp(name, "a.test") || !strcmp(name, "10.1.2.3") || !strcmp(name, "x.w.test") || !strcmp(name, "x.y.d.test"))
		abort();
	ERR_clear_error();
	return 0;
}
