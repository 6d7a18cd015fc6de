/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stored credentials, sealed and opened: AES-256-GCM under one key of the host, which with the record and owner
 * that it was sealed for is all that opens one. Each call forks a child with an identity of its own, no privileges
 * and three or four descriptors; key and secrets are in its memory alone, locked and wiped, for milliseconds.
 * oshd holds descriptors and ciphertext.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"
#include "osh/creds.h"

#define VAULT_KEY 32

struct vault_box {			/* what lies in the database; `n` bytes of data count */
	uint8_t key_id[8];		/* of the key that it was sealed with: tells a wrong key from damage */
	uint8_t nonce[12];
	uint8_t tag[16];
	uint32_t n;
	uint8_t data[OSH_CRED_SECRET_BYTES];
};
#define VAULT_BOX_BYTES(n) (offsetof(struct vault_box, data) + (n))

/* What a secret is sealed for: opened with anything else it is damaged. */
struct vault_bind {
	uid_t uid;
	const char *name, *record;
};

struct vault_item {
	struct vault_bind bind;
	const void *box;
	size_t box_len;
	const char *placeholder;	/* NULL = the one that it has in the set already */
};

int vault_make_key(int fd, struct err *e);	/* random bytes into an empty file */

/* secret_fd: sealed memfd, so that nobody holds up whoever reads it. */
int vault_seal(int key_fd, const struct vault_bind *b, int secret_fd, struct vault_box *ret, struct err *e);

/*
 * A set of credentials (osh/creds.h), sealed memfd: what base_fd has (-1 = nothing) without `drop` (NULL = none),
 * then the items, each in place of one with its name. *ret -1: nothing is left. key_fd may be -1 without items.
 */
int vault_compose(int key_fd, int base_fd, const struct vault_item *items, size_t n, const char *drop, int *ret_fd,
		  struct err *e);

/* The entries of a set, checked as far as their names; for oshd, which reads no more of it. 0 or -EBADMSG. */
int vault_entries(int fd, struct osh_creds *ret_head, struct osh_creds_entry ret[OSH_CREDS], struct err *e);
