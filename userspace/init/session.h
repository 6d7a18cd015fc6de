/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's socket and what it asked for in its first message. A client can do to the sandbox what the
 * flags say with which oshd opened its session, and nothing else: whatever it sends that it must not
 * ends this session alone. No session is ever waited for.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "chan.h"
#include "err.h"
#include "spec.h"

struct init;
struct terminal;

enum session_kind {
	SESSION_FREE,
	SESSION_NEW,			/* has not said yet what it is */
	SESSION_COMMAND,
	SESSION_VIEW,
	SESSION_ERRAND,
	SESSION_KINDS
};

/* A command that runs, or its end that is being told. */
struct job {
	pid_t pid;			/* leader of its group; 0 = its seat has not said it yet */
	pid_t seat_pid;			/* leader of its terminal's session, 0 = it has none */
	int seat;			/* to the seat, -1 = none */
	int report;			/* why it could not be executed, -1 once that is read */
	bool executed, told;		/* the report was empty; the client knows the pid */
	uint32_t waiting;		/* signals that came before the pid, by bit */
	bool behind;			/* in the background of its terminal, until SIGCONT */
	bool hung_up;			/* its client has gone */
	struct terminal *terminal;	/* that stays here, or NULL */
	char program[160], cwd[160];	/* for messages */
};

struct session {
	enum session_kind kind;
	int sock;			/* -1 = the client has gone */
	uint32_t flags;			/* OSH_OPEN_* */
	uint64_t deadline;		/* ms; 0 = none; what then comes is the kind's */
	struct terminal *of;		/* whose view it has, or NULL */
	uint32_t view;			/* number of that view */
	pid_t errand;
	struct job job;
};

void session_open(struct init *i, int sock, uint32_t flags);	/* takes sock */
void session_ready(struct init *i, struct session *s);	/* its socket has something, or its client is gone */
void session_late(struct init *i, struct session *s);	/* its deadline has passed */
void session_child(struct init *i, pid_t pid, int status);	/* a process of ours has ended, or stopped */
bool session_holds(const struct session *s, pid_t pid);	/* its group is to be killed before the pid is free */
void session_tell(struct session *s, unsigned type, int value);
void session_refuse(struct init *i, struct session *s, const struct err *e);	/* and it ends */
void session_close(struct session *s);
int session_view(struct session *s, struct terminal *t, const struct osh_msg_attach *m, struct err *e);
int session_size(struct session *s, const struct chan_in *in);	/* negative: it is no INIT_SIZE */
void session_view_end(struct session *s);

/* job.c */
int job_begin(struct init *i, struct session *s, struct chan_in *in, struct err *e);
int job_message(struct init *i, struct session *s, const struct chan_in *in);	/* negative: malformed */
void job_gone(struct init *i, struct session *s);
void job_late(struct init *i, struct session *s);
void job_child(struct init *i, struct session *s, pid_t pid, int status);
void job_report(struct init *i, struct session *s);	/* its report pipe is readable */
void job_seat(struct init *i, struct session *s);	/* its seat says something */
