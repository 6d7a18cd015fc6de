/* SPDX-License-Identifier: Apache-2.0 */
/* One line of `oshctl policy eval`: a JSON question about a policy, and its answer. */
#pragma once

#include "arena.h"
#include "canon.h"
#include "diag.h"
#include "eval.h"

struct answer {
	const char *decision, *layer, *reason, *reason_id;
	const char *rule;
	uint32_t line;
	const char *canonical, *error;	/* canonicalize, l7: the path; what is wrong with it */
	bool audit;
	const char *protocol, *route, *model;	/* inference: kind of call, where it goes, what is asked for there */
	const uint32_t *limits;		/* inference: lines of those that count it */
	uint32_t n_limits;
};

struct question {			/* what lines are asked of; one arena a line */
	const struct policy *policy;
	const struct diags *diags;
	bool valid;			/* policy_read() accepted it */
	struct arena *arena;
};

struct answer answer_line(const struct question *q, const char *line, size_t n);
struct answer answer_refused(const struct question *q);	/* "reject_policy", with every error */
