/* SPDX-License-Identifier: Apache-2.0 */
/* What oshd cannot do without, asked before it makes or changes anything, so that a refusal names it. */
#pragma once

#include "err.h"

int needs_check(struct err *e);		/* all of them: */
int needs_own_root(struct err *e);
int needs_caps(struct err *e);
