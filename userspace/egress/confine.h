/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How osh-egress gives everything away. It starts as root in namespaces of its own, before it has
 * read a byte of input, and ends as a uid of its own in an empty root, without capabilities, under
 * Landlock and seccomp. No step may fail.
 */
#pragma once

#include <stdint.h>

#include "bundle.h"
#include "err.h"
#include "hosts.h"

int confine_root(struct err *e);			/* empty, read-only, nothing of the host */
int confine_ids(uint32_t uid, uint32_t gid, struct err *e);
int confine_limits(struct err *e);
int confine_files(struct err *e);			/* Landlock: no path, no bind, no signal outside */
int confine_calls(struct err *e);			/* seccomp */

/* Landlock again, once the inputs are known: only the ports that the policy and the operator name. */
int confine_ports(const struct bundle *b, const struct hosts *h, struct err *e);
