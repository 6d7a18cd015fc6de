/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sandbox's next policy while it runs. The tables of the next generation are filled; the egress ends;
 * then one store flips the kernel, and the next connection starts an egress that knows the new policy
 * alone. So no request is ever judged by two policies, or by the old one after the answer.
 */
#pragma once

#include "sandbox.h"

/* The call is answered later; on failure now, by the caller of this, and nothing has changed. */
int reload_start(struct sandbox *s, int bundle_fd, sd_bus_message *call, struct err *e);
void reload_egress_gone(struct sandbox *s);
void reload_cancel(struct sandbox *s, const char *why);	/* the sandbox ends */

/* Adoption: a reload that the former oshd had stored and not yet flipped goes through. */
int reload_resume(struct sandbox *s, struct err *e);
