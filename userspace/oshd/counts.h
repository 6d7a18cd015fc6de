/* SPDX-License-Identifier: Apache-2.0 */
/* Between an egress and the book of its sandbox: what calls of models used, against the limits of its policy (book.h). */
#pragma once

#include "chan.h"
#include "daemon.h"
#include "err.h"

struct bundle;

int counts_check(struct daemon *d, const struct bundle *b, struct err *e);	/* before a sandbox with it starts */

/* True = it was about counts, and is done with. */
bool counts_message(struct sandbox *s, const struct chan_in *in);
void counts_pace(struct sandbox *s);		/* a message of its egress that costs oshd something */
void counts_egress_gone(struct sandbox *s);	/* before its socket is closed */
void counts_end(struct sandbox *s);		/* the sandbox has ended */
int counts_put(sd_bus_message *m, struct sandbox *s);	/* a line for each limit, for a person: what is used of it */
void counts_stop(struct daemon *d);		/* oshd ends properly, the database is open still */
