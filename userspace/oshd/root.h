/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificate authority of one sandbox: what TLS that is looked into is signed with, and what only
 * this sandbox trusts. And the roots that its upstreams are verified by.
 */
#pragma once

#include "daemon.h"

/*
 * Has key and certificate made by a child without privileges, or takes those that were made ahead: *ret_key is a memfd, sealed once it is
 * filled (struct osh_root), *ret_cert the end of a pipe from which the certificate comes as PEM. This
 * process never holds the key.
 */
int root_start(struct daemon *d, int *ret_key, int *ret_cert, struct err *e);

/* Has the next one made while nobody waits: it is a third of a start. What fails is made in the start itself. */
void root_ahead(struct daemon *d);
void root_close(struct daemon *d);

/*
 * A sealed memfd with the host's own roots, and behind them those of `extra` (-1 = none): copied as
 * bytes, read by nobody here. Without `extra` it is shared while the host's file stays the same.
 */
int root_anchors(struct daemon *d, int extra, int *ret, struct err *e);

/* A sealed memfd without content: no root, nothing trusted. -1 with errno. */
int root_none(void);

/* The child's work: fills key_fd and seals it, then writes the certificate to cert_fd. */
int root_make(const char *name, int key_fd, int cert_fd, struct err *e);
