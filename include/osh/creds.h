/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The credentials of one sandbox, in one sealed memfd: what oshctl writes, or the vault where stored ones are in it
 * (userspace/oshd/vault.h), and only that sandbox's egress reads. Of what lies between them a secret passes through nobody's memory. A head, `n` entries, then the records and secrets that
 * the entries point at.
 */
#pragma once

#include <stdint.h>

#define OSH_CREDS_MAGIC 0x6372736fu	/* "osrc" */
#define OSH_CREDS 16			/* providers of one sandbox */
#define OSH_CREDS_BYTES (1u << 20)
#define OSH_CRED_RECORD_BYTES 65536
#define OSH_CRED_SECRET_BYTES 4096
#define OSH_CRED_NAME 64
#define OSH_CRED_PLACEHOLDER 160

struct osh_creds {
	uint32_t magic;
	uint16_t n;
	uint16_t stored;		/* bit i: entry i is a stored provider's, which a rotation replaces */
};

struct osh_creds_entry {
	char name[OSH_CRED_NAME];	/* of the provider, NUL padded: what the policy's `credentials` name */
	char placeholder[OSH_CRED_PLACEHOLDER];	/* what the sandbox holds instead; NUL padded */
	uint32_t record, record_len;	/* JSON, see docs/providers.md; no secret in it */
	uint32_t secret, secret_len;	/* one text, or a JSON object where the record says so */
};
