/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A created sandbox from Create to Delete, as a state x event table. Its row in the database says
 * what it is and whether it is to run; here is what it is doing, and a struct sandbox while it
 * lives. Everything runs on the loop, and whoever asked is answered when it is true. Whenever oshd
 * dies, the next one goes by the row.
 */
#pragma once

#include "caller.h"
#include "sandbox.h"
#include "state/state.h"

enum life_state {
	LIFE_STOPPED,
	LIFE_NEW,      /* was never built; waits for its turn */
	LIFE_CREATING, /* and is being built: where that fails, nothing of it stays */
	LIFE_WAITING,  /* for its turn to be started again */
	LIFE_STARTING,
	LIFE_RUNNING,
	LIFE_STOPPING,
	LIFE_RESTARTING, /* stops; then it starts */
	LIFE_ENDING,     /* ended by itself; what it left is being tidied */
	LIFE_DELETING,   /* stops; then it goes */
	LIFE_REMOVING,   /* its row is gone, its files are going */
	LIFE_STATES
};

enum life_event {
	LV_START,
	LV_STOP,
	LV_RESTART,
	LV_DELETE,
	LV_FORCE,   /* asked for; FORCE: delete it, running or not */
	LV_TURN,    /* there is room for one more to be built */
	LV_UP,      /* it runs; where it has a command, that was executed */
	LV_FAILED,  /* it could not be built */
	LV_ENDED,   /* osh-init has gone */
	LV_FREE,    /* nothing of it lives any more */
	LV_CLEARED, /* its files are gone */
	LIFE_EVENTS
};

enum life_want { WANT_UP, WANT_DOWN, WANT_GONE, LIFE_WANTS };

/* What a start needs and nobody writes down; -1 = not given. */
struct life_given {
	int creds, hosts, ca, log;
};

struct life {
	struct life *next;
	struct daemon *d;
	enum life_state state;
	uint64_t key; /* of its row */
	char name[OSH_SANDBOX_NAME];
	uid_t uid;         /* owner */
	struct sandbox *s; /* while it lives */
	struct life_given given;
	int workdir_fd; /* the creator's, for the first start; later ones open it by name */
	int session_fd; /* of its command, until that was executed */
	sd_event_source *session, *timer;
	uint32_t grace_ms;   /* of the stop that was asked for */
	int status;          /* wait status of its command, -1 = none */
	uint64_t started_us; /* CLOCK_REALTIME, 0 = it does not run */
	char why[240];       /* why it is not running, for whoever waits */
	struct life_waiter *waiters;
};

/*
 * Called once, when the wish is fulfilled or cannot be (why != NULL); l may be about to go. One
 * that wishes for nothing more is told, too: never left out.
 */
typedef void life_done(void *data, const struct life *l, const char *why);

int life_load(struct daemon *d, struct err *e); /* every row, stopped; before adoption */
void life_adopt(struct sandbox *s); /* a living one; ties it to its row, if it has one */
int life_resume(struct daemon *d,
		struct err *e); /* after adoption: rows that are to run and do not */
void life_close(struct daemon *d);

struct life *life_find(const struct daemon *d, const char *name);
bool life_name_taken(const struct daemon *d, const char *name); /* by a row, or a run that lives */
const char *life_state_name(const struct life *l);

/* A new row's; *given and workdir_fd become its own. Nothing of either stays where -errno is
 * returned. */
int life_create(struct daemon *d, const struct state_sandbox *row, struct life_given *given,
		int workdir_fd, life_done *done, void *data, struct err *e);

/* Start, Stop, ...: -errno = refused, and done() is not called. */
int life_ask(struct life *l, enum life_event ev, life_done *done, void *data, struct err *e);

/* From the sandbox. */
void life_went(struct life *l);			/* osh-init was executed */
void life_failed(struct life *l, const char *why);
void life_over(struct life *l, int status);	/* its command has ended; osh-init is on its way out */
void life_ended(struct life *l);
void life_free(struct life *l);

/* For the parts of it. */
int life_build(struct life *l,
	       struct err *e);          /* starts a struct sandbox of its row; life_start.c */
void life_session_read(struct life *l); /* what its osh-init has said of its command */
void life_session_done(struct life *l);
void life_end_soon(struct life *l);
void life_say(struct life *l, const char *why,
	      size_t most); /* the first word stays; bytes may be anything */
void life_happen(struct life *l, enum life_event ev);
