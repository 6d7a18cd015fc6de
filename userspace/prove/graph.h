/* SPDX-License-Identifier: Apache-2.0 */
/* Who can reach what with which credential, as a picture: --graph. */
#pragma once

#include "find.h"

void find_graph(struct prover *pr);	/* of each model: adds to pr->edges what the solver shows to be possible */
void graph_dot(const struct prover *pr, const char *file);
void graph_svg(const struct prover *pr, const char *file);
