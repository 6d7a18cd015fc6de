/* SPDX-License-Identifier: Apache-2.0 */
/* What was found, put together: which promises are kept here, what lacks, and what brings it. Tries nothing itself. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "facts.h"
#include "layers.h"
#include "osh/probe.h"

struct findings {
	struct facts facts;
	struct osh_probe_row rows[OSH_PROBE_ROWS];
	unsigned n;
	char unasked[240];		/* why nobody tried what only root may; "" = it was tried */
	const struct layer *layers;	/* after doctor_judge() */
	bool kept;			/* likewise */
};

/* Every promise has a layer at work, and nothing lacks without which no sandbox starts? */
bool doctor_judge(struct findings *f);
void doctor_text(const struct findings *f, FILE *out);
int doctor_json(const struct findings *f, FILE *out);	/* negative: could not be written */
