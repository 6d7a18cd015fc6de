/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The meaning of a policy. Slow, plain, pure: walks every rule for every question and shares no code
 * with the tables that the runtime uses, so that one can be tested against the other.
 */
#pragma once

#include "model.h"
#include "osh/abi.h"

struct decision {
	enum osh_verdict verdict;
	enum osh_reason why;
	const char *rule;		/* smallest name of those that allow, or that name the host; or NULL */
	uint32_t line;			/* of its endpoint */
};

/* Is this name answered? Who asks does not matter. */
struct decision eval_dns(const struct policy *p, const char *name);

struct eval_connect {
	const char *host;		/* name, or address as text */
	uint32_t port;
	const char *binary;		/* absolute path; NULL = no identity */
	bool tainted;
};
struct decision eval_connect(const struct policy *p, const struct eval_connect *c);

/* What may be done below this path, whose ".." and links are resolved: none, OSH_FS_RO or _RW. */
enum eval_access { EVAL_NONE, EVAL_READ, EVAL_WRITE };
enum eval_access eval_file(const struct policy *p, const char *path, const char *workdir,
			   struct decision *ret);

/* `?` one byte, `*` a run, neither crossing '/'; `**` a run that does. */
bool glob_match(const char *pattern, const char *text);
