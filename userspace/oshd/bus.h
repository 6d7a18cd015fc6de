/* SPDX-License-Identifier: Apache-2.0 */
/* org.osh.Manager1 on the private socket: sd-bus messages are oshd's only variable-layout input. */
#pragma once

#include "daemon.h"

int bus_listen(struct daemon *d, struct err *e);		/* resident: <run>/bus */
int bus_serve(struct daemon *d, int fd, struct err *e);	/* one connected peer; takes fd */
void bus_close(struct daemon *d);

void doctor_close(struct daemon *d);			/* a probing under way ends, and nobody is answered */
void bus_answer_run(sd_bus_message *call, const char *name, uint32_t id);
void bus_answer_error(sd_bus_message *call, const char *text);
