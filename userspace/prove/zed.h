/* SPDX-License-Identifier: Apache-2.0 */
/* Z3's C API with less to write. Errors never come back: zed_open() ends the process with "unknown". */
#pragma once

#include <z3.h>

#include "arena.h"

struct zed {
	Z3_context c;
	Z3_solver s;
	struct arena *a;
};

struct terms {				/* of an and, or an or */
	struct zed *z;
	struct list v;			/* Z3_ast */
};

void zed_warm(void);			/* before the process is confined: what Z3 reads once, it has read */
void zed_open(struct zed *z, struct arena *a);
void zed_close(struct zed *z);

Z3_ast z_true(struct zed *z);
Z3_ast z_false(struct zed *z);
Z3_ast z_not(struct zed *z, Z3_ast a);
Z3_ast z_and(struct zed *z, Z3_ast a, Z3_ast b);
Z3_ast z_or(struct zed *z, Z3_ast a, Z3_ast b);
Z3_ast z_imply(struct zed *z, Z3_ast a, Z3_ast b);
Z3_ast z_ite(struct zed *z, Z3_ast c, Z3_ast t, Z3_ast e);
Z3_ast z_bool(struct zed *z, const char *name);			/* a new one each time */
Z3_ast z_bits(struct zed *z, const char *name, unsigned bits);
Z3_ast z_is(struct zed *z, Z3_ast bits, uint64_t value);
Z3_ast z_within(struct zed *z, Z3_ast bits, uint64_t from, uint64_t to);	/* of [from, to); `to` is no number of all bits and one more */
void z_assert(struct zed *z, Z3_ast a);

void terms_add(struct terms *t, Z3_ast a);
Z3_ast terms_or(const struct terms *t);
Z3_ast terms_and(const struct terms *t);

bool z_value(struct zed *z, Z3_model m, Z3_ast a);		/* of a bool */
uint64_t z_number(struct zed *z, Z3_model m, Z3_ast a);
