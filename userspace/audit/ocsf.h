/* SPDX-License-Identifier: Apache-2.0 */
/* One decision as one JSON line in OCSF 1.x form; docs/audit-format.md lists every field. */
#pragma once

#include "audit.h"
#include "buf.h"

#define OCSF_VERSION "1.8.0"

/* What is known of an event beside its own bytes. Strings may be "". */
struct ocsf_context {
	const char *sandbox;		/* name */
	const char *program;		/* path behind ident */
	const char *host;		/* destination or question */
	const char *rule;		/* policy key */
	uint32_t rule_line;
	const uint8_t *policy_hash;	/* 32 bytes */
	int64_t epoch_ns;
	uint64_t seq;
	const struct osh_http *http;	/* what was inside, or NULL */
	const char *detail;		/* one line more, or NULL */
	const struct osh_inference *call;	/* of a model, or NULL */
	uint64_t count;			/* how often; 1 = once */
	bool closing;			/* the aggregated record of repeats */
};

const char *ocsf_verdict(unsigned verdict);	/* "denied" */
const char *ocsf_deed(unsigned deed);		/* "rotate" */
void ocsf_line(struct buf *out, const struct osh_event_named *e, const struct ocsf_context *c);

/* A finding about the log itself: lost allow records, denials beyond the budget, write errors. id 0 = no sandbox's. */
void ocsf_finding(struct buf *out, const char *title, uint64_t count, uint64_t time_ns, uint32_t id,
		  const struct ocsf_context *c);

/* Something was done to a stored credential (OCSF 3004, entity management). */
void ocsf_provider(struct buf *out, const struct osh_msg_audit_provider *m, uint64_t time_ns, const struct ocsf_context *c);

/* The first line of a file of a user's log: what the chain's last line before it was. */
void ocsf_log(struct buf *out, uint32_t uid, uint32_t kind, uint32_t file, const uint8_t previous[32], uint64_t time_ns,
	      const struct ocsf_context *c);
