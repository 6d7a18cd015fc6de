/* SPDX-License-Identifier: Apache-2.0 */
/* A policy file for verbs that reason about it in their own process: open, confine, then read. */
#pragma once

#include "buf.h"
#include "diag.h"
#include "policy.h"

struct policy_file {
	const char *name;
	int fd;
	struct buf text;
	struct diags d;
	struct policy p;
};

/* Both say on stderr what is wrong, and give false. */
bool policy_file_open(struct policy_file *f, const char *name);
bool policy_file_read(struct policy_file *f);	/* after policy_file_confine() */
void policy_file_done(struct policy_file *f);

/* From here on there is nothing to open: what is read is a stranger's text. */
bool policy_file_confine(void);
bool policy_file_confine_within(unsigned seconds, unsigned long memory);	/* 0 seconds: as that one */

/* Text of a policy or a request on a terminal: what is not printable ASCII becomes '?'. */
void put_clean(FILE *out, const char *text);
