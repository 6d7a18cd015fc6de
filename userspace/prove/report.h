/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "find.h"

void report_text(const struct prover *pr, const char *file);
void report_json(const struct prover *pr, const char *file);
void report_sarif(const struct prover *pr, const char *file);
const char *report_result(const struct prover *pr);	/* "proved", "findings", "unknown" */
