/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy on its way to being the one in force: checked and made ready where the sandbox runs, written as a
 * revision where it was created, then enforced, then answered. What fails on the way leaves the old one.
 */
#pragma once

#include "caller.h"
#include "sandbox.h"

struct revision_request {
	const char *name;
	int bundle_fd, source_fd;	/* borrowed; source -1 = none */
	uint32_t from;			/* a rollback to this one; 0 = a new policy */
};

/* The call is answered when it is in force: (u generation, u revision), a rollback (u revision). */
int revision_set(const struct caller *who, const struct revision_request *q, sd_bus_message *call, struct err *e);

/* An adopted sandbox: what it enforces is recorded as in force. */
void revision_adopt(struct sandbox *s);
