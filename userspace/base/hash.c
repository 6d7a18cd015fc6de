/* SPDX-License-Identifier: Apache-2.0 */
/* The EVP front would set up its providers first: a millisecond in every short-lived process. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "hash.h"

#include <errno.h>
#include <openssl/sha.h>

int hash_pair(const void *p, size_t n, const void *q, size_t m, uint8_t ret_digest[HASH_LEN])
{
	SHA256_CTX c;

	return SHA256_Init(&c) && SHA256_Update(&c, p, n) && SHA256_Update(&c, q, m) && SHA256_Final(ret_digest, &c)
		       ? 0
		       : -EINVAL;
}

int hash_bytes(const void *p, size_t n, uint8_t ret_digest[HASH_LEN])
{
	return hash_pair(p, n, NULL, 0, ret_digest);
}

void hash_hex(const uint8_t digest[HASH_LEN], char ret_text[2 * HASH_LEN + 1])
{
	static const char hex[] = "0123456789abcdef";

	for (int i = 0; i < HASH_LEN; i++) {
		ret_text[2 * i] = hex[digest[i] >> 4];
		ret_text[2 * i + 1] = hex[digest[i] & 15];
	}
	ret_text[2 * HASH_LEN] = 0;
}
