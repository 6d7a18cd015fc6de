/* SPDX-License-Identifier: Apache-2.0 */
#include "hash.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

int hash_bytes(const void *p, size_t n, uint8_t ret_digest[HASH_LEN])
{
	unsigned len = 0;

	if (!OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) ||
	    !EVP_Digest(p, n, ret_digest, &len, EVP_sha256(), NULL) || len != HASH_LEN)
		return -ENOMEM;
	return 0;
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
