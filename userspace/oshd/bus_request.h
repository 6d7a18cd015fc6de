/* SPDX-License-Identifier: Apache-2.0 */
/* What a caller asks for, out of its message: descriptors are borrowed from that. */
#pragma once

#include "caller.h"
#include "sandbox.h"

void request_init(struct run_request *r, const struct caller *who);
void request_done(struct run_request *r);

/* Names go into file names, host names and logs. */
int request_name(const char *name, struct err *e);
int request_provider(const char *name, struct err *e);
int request_placeholder(const char *text, struct err *e);

/* An option of the method's own: its key is read, its variant is not. -EINVAL for one that it does
 * not know. */
typedef int request_option(sd_bus_message *m, const char *key, void *data, struct err *e);

/* The variant of option `resources`. */
int request_amounts(sd_bus_message *m, uint64_t amount[OSH_RESOURCES], struct err *e);

/* Reads a{sv}; what the caller may not ask for is refused. more: NULL = the method has none of its
 * own. */
int request_options(sd_bus_message *m, const struct caller *who, struct run_request *r,
		    request_option *more, void *data, struct err *e);
