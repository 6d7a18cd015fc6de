/* SPDX-License-Identifier: Apache-2.0 */
/* Trying what the kernel can do, each thing in a process of its own, and saying what came of it. */
#pragma once

#include <stddef.h>

#include "err.h"
#include "osh/probe.h"

#define PROBE_FD 3			/* where the rows of --probe go */

/* One trial: 0 = it works; negative = why not is in *e. A text that stands in *e at 0 is a remark. */
struct probe_trial {
	enum osh_probe id;
	int (*try)(struct err *e);
};

/* `result` as of a trial. */
void probe_row(struct osh_probe_row *row, unsigned id, int result, const struct err *e);
int probe_say(int fd, unsigned id, int result, const struct err *e);

/* Runs try in a child, which may change its namespaces or filters at will. A child that dies lacks it. */
void probe_try(const struct probe_trial *t, struct osh_probe_row *row);
