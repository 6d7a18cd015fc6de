/* SPDX-License-Identifier: Apache-2.0 */
/*
 * osh-audit's one struct: the kernel's maps, and the sandboxes whose decisions it writes down.
 * Unprivileged; reads fixed-size records of the kernel and of egresses, parses no text.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "calls.h"
#include "journal.h"
#include "osh/abi.h"
#include "osh/msg.h"
#include "out.h"
#include "policies.h"
#include "strays.h"

enum audit_fd {				/* descriptors that oshd passes, from 3 */
	AFD_CONTROL = 3,
	AFD_RING_DENY,
	AFD_RING_ALLOW,
	AFD_DENIALS,
	AFD_IDENTS,
	AFD_ADDRS,
	AFD_SANDBOXES,
	AFD_TASK_DATA,			/* programs of tasks: one of the two is in use */
	AFD_TASKS,
	AFD_LANE_SLOTS,
	AFD_LANE_TAILS,
	AFD_LOCK,			/* held, not used: one osh-audit at a time writes the users' logs */
	AFD_JOURNALD,			/* a datagram socket, or closed */
};

/* One distinct denial, remembered so that the closing record and the summary can name it. */
struct denial {
	struct osh_event_named first;
	struct osh_http *http;		/* of OSH_EV_HTTP, or NULL */
	uint64_t count;			/* egress denials: counted here; the kernel's: in `denials` */
	bool kernel;
	bool unsaid;			/* its owner's log takes nothing: to be written there later */
	uint64_t seq;			/* of its first line */
};

struct asandbox {
	uint32_t id, slot, uid;
	uint32_t net6[4];		/* its addresses' prefix, network order; 0 = not known */
	bool net6_asked;		/* the kernel's table, which is asked when it is first needed */
	char name[OSH_SANDBOX_NAME];
	struct policies policies;
	uint32_t generation;		/* in force, as far as we were told */
	struct out log, summary;
	struct journal *journals[OSH_JOURNAL_KINDS];	/* its owner's, or NULL */
	struct denial *denials;
	uint32_t n_denials, cap_denials;
	uint64_t unremembered;		/* an egress' denials past OSH_DENIALS_EACH: only counted */
	uint64_t seq;			/* of the next line */
	uint64_t hits[OSH_LIMITS];	/* of its limits, as far as we were told */
	uint64_t lost;			/* lines that the log which the caller gave did not take */
	const char *detail;		/* of the line that is being written, or NULL */
	const struct osh_inference *call;	/* likewise */
	struct calls calls;		/* refused ones, waiting for our answer */
	struct asandbox *next;
};

struct audit {
	struct asandbox *sandboxes;
	int64_t epoch_ns;		/* add to CLOCK_BOOTTIME for CLOCK_REALTIME */
	struct strays *strays;
	struct journal *journals;	/* two a user with a living sandbox; none of an embedded run */
	struct syncer sync;
	uint64_t now_ms;		/* CLOCK_BOOTTIME, once a round */
};

struct asandbox *asandbox_find(struct audit *a, uint32_t id);
struct asandbox *asandbox_add(struct audit *a, uint32_t id);
void asandbox_free(struct audit *a, struct asandbox *s);

/* One event of a known sandbox: a line, and a place in its denials. */
void asandbox_event(struct audit *a, struct asandbox *s, const struct osh_event_named *e,
		    bool kernel);

/* A record of an egress, with what was inside the connection; NULL = nothing was looked at. */
void asandbox_record(struct audit *a, struct asandbox *s, const struct osh_event_named *e,
		     const struct osh_http *http);

/* What was denied while that log took nothing is written there now. */
void asandbox_catch_up(struct audit *a, struct journal *j);

/* The same as one before: only counted. */
void asandbox_repeat(struct asandbox *s, const struct osh_event_named *e);

/* A denial that a former osh-audit has written down, and how often it has been since. */
void asandbox_recall(struct asandbox *s, const struct osh_event *first, uint64_t count);

/* A line about the sandbox itself: STARTED, ENDED, or RESTARTED when its log changes hands. */
void asandbox_life(struct audit *a, struct asandbox *s, enum osh_reason why);
/* `what` stays in the line: WITHOUT, CHOSEN. */
void asandbox_noted(struct audit *a, struct asandbox *s, enum osh_reason why, const char *what);
void asandbox_hits(struct audit *a, struct asandbox *s, enum osh_limit which, uint64_t count);

/* Exact counts, findings, the summary. Rings and lanes must have been drained. */
void asandbox_close(struct audit *a, struct asandbox *s);

/* The number of the destination that an address of the sandbox's own, of either family, stands for; 0 = it is none. */
uint32_t asandbox_synthetic(struct asandbox *s, const struct osh_event *v);

/* Program behind an ident: "" when unknown. `ret` holds OSH_PATH_MAX bytes. */
void map_program(uint32_t id, uint32_t ident, char *ret);

/* Name that a synthetic address stands for: "" when unknown. `ret` holds OSH_NAME_MAX bytes. */
void map_name(uint32_t id, uint32_t addr, char *ret);

/* Program of a thread: its ident in this sandbox, 0 when unknown. */
uint32_t map_task_ident(uint32_t id, int pidfd, uint32_t tid);
uint64_t map_denial_count(const struct osh_event *e);
bool map_sandbox(uint32_t slot, struct osh_sandbox *ret);

/* Every entry of the sandbox in `denials`; the callback may not change the map. */
void map_denials(uint32_t id, void (*each)(void *, const struct osh_denial_key *,
					   const struct osh_denial *), void *data);
