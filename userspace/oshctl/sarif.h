/* SPDX-License-Identifier: Apache-2.0 */
/* Diagnostics as one SARIF 2.1.0 run, for the tools that show findings beside code. */
#pragma once

#include <stdio.h>

#include "diag.h"
#include "err.h"

struct sarif {
	struct json j;
};

void sarif_open(struct sarif *s, FILE *out);
/* `e` holds a failure that is about no line, or nothing. */
void sarif_add(struct sarif *s, const char *file, const struct diags *d, const struct err *e);
int sarif_close(struct sarif *s);	/* 0 or -EIO */
