/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox's certificate authority, as it lives in this process: the root's key, one key for all
 * leaves, and the certificates made so far. Gives none for a name that the policy does not name.
 */
#pragma once

#include <openssl/x509.h>

#include "bundle.h"
#include "err.h"

struct mint;

/* `root_fd`: sealed memfd with one struct osh_root. */
int mint_new(struct mint **ret, int root_fd, struct err *e);
void mint_free(struct mint *m);		/* wipes */

/* Certificate of that name and its key, both the mint's. NULL = the policy *b does not name it, or no memory. */
X509 *mint_get(struct mint *m, const struct bundle *b, const char *name);
EVP_PKEY *mint_key(const struct mint *m);
