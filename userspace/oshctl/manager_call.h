/* SPDX-License-Identifier: Apache-2.0 */
/* One call at a time to a resident oshd, and what its answers look like to a person or a tool. */
#pragma once

#include <systemd/sd-bus.h>

#include "err.h"
#include "json.h"

/* socket: NULL = OSH_SOCKET, then the system's. */
int manager_open(sd_bus **ret, const char *socket, struct err *e);

/* A call to be filled; sd_bus_message_unref() is the caller's. */
int manager_new(sd_bus *bus, const char *method, sd_bus_message **ret, struct err *e);

/* Sends it and waits for as long as it takes. ret_answer may be NULL. */
int manager_call(sd_bus *bus, sd_bus_message *m, sd_bus_message **ret_answer, struct err *e);

/* A call without arguments; print() shows its answer, and is below 0 where that makes no sense. */
int manager_show(sd_bus *bus, const char *method, int (*print)(sd_bus_message *answer, bool json), bool json,
		 struct err *e);

/* `filled`: what appending gave, so that one check is enough. */
int manager_filled(int filled, struct err *e);

int manager_add_fd(sd_bus_message *m, const char *key, int fd); /* an option; -1 is left out */
int manager_add_labels(sd_bus_message *m, char *const *labels); /* NULL terminated "K=V"; a{ss} */

/* a{sv}: field() reads or skips each value, and gives what sd-bus gave. */
int manager_row(sd_bus_message *m, int (*field)(sd_bus_message *m, const char *key, void *data), void *data);

/* a{sv} of simple values, as an object with its keys in order. -EBADMSG for what no method gives.
 */
int manager_json(sd_bus_message *m, struct json *j);
int manager_json_value(sd_bus_message *m, struct json *j); /* one variant */

void manager_print(const char *text, FILE *out); /* without what could steer a terminal */
