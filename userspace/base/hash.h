/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, by libcrypto's plain functions: nothing is set up, no configuration file is read. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HASH_LEN 32

int hash_bytes(const void *p, size_t n, uint8_t ret_digest[HASH_LEN]);	/* 0 or -EINVAL */
int hash_pair(const void *p, size_t n, const void *q, size_t m, uint8_t ret_digest[HASH_LEN]);	/* p, then q */
void hash_hex(const uint8_t digest[HASH_LEN], char ret_text[2 * HASH_LEN + 1]);
