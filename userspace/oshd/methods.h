/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers of the methods. 0 = answered, or it will be; negative = refused: the caller gets e->text
 * under an error name by e->code.
 */
#pragma once

#include "bus.h"
#include "caller.h"

#define METHOD(name, in, out, fn)                                                                  \
	int fn(const struct caller *who, sd_bus_message *m, struct err *e);
#define METHOD_READ METHOD
#include "methods.def"
#undef METHOD_READ
#undef METHOD

/* Calls the handler of m's member. Negative = *error is set; 0 = there is none. */
int bus_dispatch(const struct caller *from, sd_bus_message *m, sd_bus_error *error);

/* A sandbox that runs, a run or a created one, and that the caller may steer. */
int bus_find_running(const struct caller *who, const char *name, struct sandbox **ret,
		     struct err *e);
