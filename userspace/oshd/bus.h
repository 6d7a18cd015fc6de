/* SPDX-License-Identifier: Apache-2.0 */
/* org.osh.Manager1 on the private socket: sd-bus messages are oshd's only variable-layout input. */
#pragma once

#include "daemon.h"
#include "warnings.h"

struct caller;

/* Of calls among what oshd does: after what its own processes say. sd-event's numbers. */
#define BUS_PRIORITY (SD_EVENT_PRIORITY_NORMAL + 1)

int bus_serve(struct daemon *d, int fd, struct err *e);	/* embedded: one connected peer; takes fd */
int bus_serve_caller(int fd, const struct caller *who, struct err *e);	/* the same of one who is known */
void bus_close(struct daemon *d);

void doctor_close(struct daemon *d);			/* a probing under way ends, and nobody is answered */
void bus_answer_run(sd_bus_message *call, const char *name, uint32_t id, const struct warnings *w);
void bus_answer_error(sd_bus_message *call, const char *text);
