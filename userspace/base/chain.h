/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain of a log that lasts. Each line ends in `,"chain":"<64 hex>"}`: the SHA-256 over the digest of the
 * line before (32 bytes) and this line's text up to that comma. Who writes, who continues and who verifies
 * share these functions. No key is in it: whoever may write the file can make another chain.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hash.h"

#define CHAIN_TAIL 77			/* bytes of `,"chain":"..."}` and the newline */

/*
 * line: n bytes, an object without its closing brace. Moves the chain on and gives what completes the line.
 * 0 or -EINVAL.
 */
int chain_next(uint8_t chain[HASH_LEN], const char *line, size_t n, char ret_tail[CHAIN_TAIL]);

/* The digest at the end of a line, whose last CHAIN_TAIL bytes these are; false: they are none. */
bool chain_tail(const char tail[CHAIN_TAIL], uint8_t ret[HASH_LEN]);

/* 64 lower-case hexadecimal digits. */
bool chain_hex(const char *text, uint8_t ret[HASH_LEN]);
