/* SPDX-License-Identifier: Apache-2.0 */
/* What the vault's child does, for vault.c and its test. */
#pragma once

#include "vault.h"

enum vault_kind { VAULT_MAKE, VAULT_SEAL, VAULT_COMPOSE };
enum { VAULT_KEY_FD = 3, VAULT_IN_FD, VAULT_OUT_FD, VAULT_FDS = 3 };

struct vault_job {
	enum vault_kind kind;
	int key_fd, in_fd, out_fd;	/* -1 = none; in the child 3, 4 and 5 */
	struct vault_bind bind;		/* SEAL */
	const struct vault_item *items;
	size_t n_items;
	const char *drop;
};

/* Gives up everything, then works. 0, or the errno of what failed: an exit status. */
int vault_work(const struct vault_job *j);
