/* SPDX-License-Identifier: Apache-2.0 */
/* One line of a log: is it asked for, and how does a person read it? Its strings come from sandboxes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "slice.h"

struct log_filter {
	int64_t since_ms, until_ms;	/* of the epoch; until 0 = no end */
	const char *sandbox;		/* NULL = any */
	bool denied;
};

/* `time` of a line, without parsing all of it; 0 = it has none. */
int64_t log_line_time(struct slice line);

bool log_line_matches(struct slice line, const struct log_filter *f);

/* One aligned line; every byte that is not printable ASCII is \xNN. */
void log_line_print(FILE *out, struct slice line, bool colour);
