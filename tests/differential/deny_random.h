/* SPDX-License-Identifier: Apache-2.0 */
/* Random entries of `filesystem_policy.deny`, for tests that hold the kernel's answers against eval_file(). */
#pragma once

#include <stdlib.h>

#include "buf.h"
#include "own.h"

#define LONG_NAME "a-name-that-is-longer-than-thirty-two-bytes"

static unsigned pick(unsigned n)
{
	return (unsigned)random() % n;
}

/* Entries of one to four segments, some absolute. */
static inline void random_deny(struct buf *b, const char *workdir)
{
	static const char *const segments[] = { "a", "b", "*", "**", "*.key", "a*", "?", LONG_NAME, "z?*", "**", "{a,z}" };

	buf_str(b, "version: 1\nfilesystem_policy:\n  include_workdir: true\n  deny: [");
	for (unsigned i = 0, n = 1 + pick(5); i < n; i++) {
		buf_str(b, i ? ", '" : "'");
		if (!pick(4)) {
			buf_str(b, workdir);
			buf_str(b, "/");
		}
		for (unsigned j = 0, m = 1 + pick(4); j < m; j++) {
			buf_str(b, j ? "/" : "");
			buf_str(b, segments[pick(ARRAY_SIZE(segments))]);
		}
		buf_str(b, "'");
	}
	buf_str(b, "]\n");
}
