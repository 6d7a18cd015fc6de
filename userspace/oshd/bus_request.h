/* SPDX-License-Identifier: Apache-2.0 */
/* What a caller asks for, out of its message: descriptors are borrowed from that. */
#pragma once

#include "caller.h"
#include "sandbox.h"

void request_init(struct run_request *r, const struct caller *who);

/* Names go into file names, host names and logs. */
int request_name(const char *name, struct err *e);

/* Reads a{sv}; what the caller may not ask for is refused. */
int request_options(sd_bus_message *m, const struct caller *who, struct run_request *r,
		    struct err *e);
