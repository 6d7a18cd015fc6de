/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox's own certificate authority, as oshd's one-shot child leaves it in a sealed memfd and
 * osh-egress alone reads it. One for the life of a sandbox; nothing else ever holds the key.
 */
#pragma once

#include <stdint.h>

#define OSH_ROOT_MAGIC 0x726f6f74u
#define OSH_ROOT_CERT 1024		/* bytes of a certificate of ours, at most */
#define OSH_ROOT_PEM 2048		/* its text */

/* In the sandbox's view: the host's roots and its own, and its own alone. */
#define OSH_TRUST_ALL "/dev/osh/ca.pem"
#define OSH_TRUST_ROOT "/dev/osh/root.pem"
#define OSH_TRUST_JAVA "/dev/osh/cacerts"	/* where the host has a key store for Java */

struct osh_root {
	uint32_t magic;
	uint32_t n_cert;
	uint8_t key[32];		/* P-256 private key, little endian */
	uint8_t cert[OSH_ROOT_CERT];	/* DER */
};

_Static_assert(sizeof(struct osh_root) == 40 + OSH_ROOT_CERT, "osh_root is ABI");
