/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The roots trusted for upstreams, as the PEM text that the operator's host has: mapped, shared with every
 * other egress, and never parsed as a whole. An index by subject is made at the first use; a root becomes
 * an object when a chain asks for it.
 */
#pragma once

#include <openssl/x509_vfy.h>

#include "err.h"

struct anchors;

/* `fd`: a sealed memfd, which may be empty; not needed afterwards. */
int anchors_new(struct anchors **ret, int fd, struct err *e);
void anchors_free(struct anchors *a);

/* A store that looks up in *a, which outlives it. NULL = no memory. */
X509_STORE *anchors_store(struct anchors *a);
size_t anchors_count(struct anchors *a);
