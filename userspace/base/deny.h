/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `filesystem_policy.deny` says of paths: all entries as one list of segments, and a set of them for what
 * may come next. The kernel's programs carry the same sets (bpf/deny.bpf.h); this fills their tables and finds
 * what they cannot find themselves. Texts come from a checked bundle and are only cut at their slashes.
 */
#pragma once

#include <stdbool.h>

#include "bundle.h"
#include "err.h"
#include "osh/abi.h"

struct deny_segs {
	struct osh_deny t;
	char text[OSH_DENY_SEGS][OSH_PATH_MAX];
	uint8_t first[OSH_DENY_SEGS];	/* FIRST_*: an entry begins here */
};

struct deny_set {
	__u64 live[OSH_DENY_WORDS];
	uint32_t row;			/* row + 1 of an entry that was met, 0 = none */
};

int deny_segs_of(struct deny_segs *x, const struct bundle *b, struct err *e);

/* What may come below `path`: absolute entries from the top, relative ones from the working directory. */
int deny_set_at(const struct deny_segs *x, const char *path, const char *workdir, struct deny_set *ret, struct err *e);
void deny_set_step(const struct deny_segs *x, struct deny_set *s, const char *name);	/* one name further down */
bool deny_set_any(const struct deny_set *s);	/* is anything below it denied? */
