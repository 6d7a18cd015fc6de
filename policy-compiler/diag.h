/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diagnostics of one policy: all of them, with place, stable code and hint. An entry has a fixed size
 * and no pointers, because the confined compiler sends entries through a pipe (confine.c); texts are
 * cleaned of control bytes when they are shown, not before.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "json.h"
#include "slice.h"

enum diag_severity { DIAG_ERROR, DIAG_WARNING };

enum diag_code {
	DIAG_NONE,
#define DIAG(number, severity, id, text) DIAG_##id = number,
#include "diag.def"
#undef DIAG
};

struct place {
	uint32_t line, col;		/* from 1; 0 = whole file */
};

struct diag {
	uint32_t code;			/* enum diag_code */
	struct place at;
	char text[236];
	char hint[160];			/* "" = none */
};

struct diags {
	struct diag *v;			/* heap */
	uint32_t n, cap;
	uint32_t n_errors, n_warnings;
	bool more;			/* past OSH_DIAGS, or no memory: some are missing */
};

void diags_done(struct diags *d);

/* Adds one; past the limit only the counts go up. `hint` may be NULL. */
void diag_add(struct diags *d, enum diag_code code, struct place at, const char *hint,
	      const char *fmt, ...) __attribute__((format(printf, 5, 6)));
bool diags_add_raw(struct diags *d, const struct diag *one);	/* false: unknown code, not NUL terminated */
void diags_sort(struct diags *d);	/* by place; exact repeats go */

enum diag_severity diag_severity(uint32_t code);
const char *diag_text(uint32_t code);	/* of diag.def */
uint32_t diag_each(size_t i);		/* the code in row i of diag.def; 0 past the last */

/* "FILE:LINE:COL: error[OSH105]: ...", the line with a caret, a hint. `source` may be empty. */
void diags_print(const struct diags *d, FILE *out, const char *file, struct slice source,
		 bool colour);
/* Array of {code, severity, file, line, column, message, hint}. */
void diags_json(const struct diags *d, struct json *j, const char *file);
