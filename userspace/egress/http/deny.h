/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an agent reads when a request is refused: JSON with OpenShell's field names, the reason in the same
 * words as the event, and what can be done about it. Everything that came from the sandbox leaves escaped.
 */
#pragma once

#include "buf.h"
#include "osh/abi.h"
#include "grant.h"

struct conn;

struct deny {
	enum osh_reason why;
	const struct grant *grant;
	const char *detail;		/* one line more, or "" */
	uint32_t rule, line;		/* index into RULES + 1, or 0 for the target's; line in the policy, or 0 */
	const char *method, *path;	/* path without query; "" = there is none */
	bool tls, large;		/* large: a body was longer than may be */
};

void deny_body(struct buf *out, const struct deny *d);
int deny_status(enum osh_reason why);	/* 403, 400, 421, 502, 503, … */

/* A whole HTTP/1.1 answer for a connection that is not looked into any further. */
void deny_plain(struct buf *out, const struct conn *c, enum osh_reason why);
