/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decisions on their way to osh-audit. Room is reserved before a connection is accepted and used
 * when it is decided, so a decision is never without a place. What is decided is with the kernel, which keeps it when the
 * sandbox ends and this process with it (OSH_EGRESS_RECORDS). Audit slow, so that it waits here = accept nothing new;
 * audit gone = nothing is decided any more.
 */
#pragma once

#include "loop.h"
#include "osh/msg.h"

#define RECORDS 1024
#define RECORDS_SPARE 128		/* left for dials and failures on the way of what was accepted */

union record {
	struct osh_msg_head h;
	struct osh_msg_request request;	/* and what it begins as */
	struct osh_msg_inference inference;
};

struct records {
	struct watch w;			/* fd = socket to osh-audit */
	struct loop *loop;
	union record *ring;		/* RECORDS of them; pages are touched only on a backlog */
	unsigned first, n;		/* waiting */
	unsigned reserved;		/* accepted connections that have no decision yet */
	int dead;			/* audit hung up */
};

int records_init(struct records *r, struct loop *l, int fd, struct err *e);
bool records_room(const struct records *r);		/* can something new begin? */
int records_reserve(struct records *r);			/* 1 = reserved */
int records_reserve_long(struct records *r);	/* for what is said when something long has ended; others need room meanwhile */
int records_reserve_last(struct records *r);		/* for what must be said now, out of RECORDS_SPARE */
void records_release(struct records *r);		/* a reservation that is not needed */
int records_put(struct records *r, const struct osh_event_named *ev);	/* uses a reservation; 0 = audit is gone */
int records_put_inference(struct records *r, const struct osh_event_named *ev, const struct osh_inference *said);
int records_put_http(struct records *r, const struct osh_event_named *ev, const struct osh_http *http);
