/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connections of the sandbox: accepted and judged, then dialled and relayed, or, where a rule wants
 * a look inside, given to http/conn.c. Each has its decision on record before the first byte is relayed.
 */
#pragma once

#include "dial.h"
#include "hosts.h"
#include "http/conn.h"
#include "http/pool.h"
#include "infer/infer.h"
#include "loop.h"
#include "osh/inference.h"
#include "names.h"
#include "grant.h"
#include "record.h"
#include "reload.h"
#include "tls/tls.h"

struct flow;
TAILQ_HEAD(flow_list, flow);
TAILQ_HEAD(conn_list, conn);
TAILQ_HEAD(exchange_list, exchange);

#define LIMITS_ASKED 64			/* questions under way: there is always room for the answers */

struct limits {				/* of calls of models: see http/limits.h */
	struct exchange_list line;	/* oshd is to be asked, or was */
	struct {
		uint64_t call;		/* 0 = none */
		uint64_t until_ms;	/* an oshd that dies with a question never answers it */
	} asked[LIMITS_ASKED];
	uint64_t next_call;
	struct osh_msg_used owed[OSH_MODEL_CALLS];	/* not said yet */
	uint32_t n_owed;
	struct timer timer;
};

struct flows {
	struct loop *loop;
	struct generations policies;
	struct reload reload;
	struct hosts hosts;
	struct names names;
	struct records records;
	struct watch listener;
	struct timer retry;		/* accepting again after the kernel ran out of something */
	bool paused;
	unsigned n;
	struct flow_list live;		/* dialled or relayed */
	struct flow_list dead;		/* freed between rounds: events of the round may still name them */

	/* What is looked into. */
	struct tls *tls;		/* NULL = TLS cannot be terminated */
	struct creds *creds;		/* NULL = none */
	struct conn_list conns;
	struct pool pool;
	struct exchange_list exchanges;	/* under way; those judged longest ago first */
	struct exchange_list waiting;	/* for room for their records */
	struct exchange_list tokens;	/* for a token that was asked for */
	struct timer token_timer;
	uint64_t resting[OSH_INFERENCE_ROUTES];	/* until when (loop time) a route of this generation is not the first choice */
	uint32_t resting_of;		/* that generation */
	struct balance balance;		/* likewise of its routes */
	struct osh_msg_choice choice;	/* of a route, by the sandbox' owner; route "" = none */
	struct limits limits;
	struct {			/* connections to other sandboxes that oshd was asked for */
		struct dial_list asked;
		uint64_t next;
	} across;
	unsigned requests;		/* under way */
	size_t held;			/* bytes of bodies that wait for a judgement */
};

/*
 * Both use the reservation of a record that came with `fd`, and end with it closed. `named`: TLS asks for the name
 * that was dialled, or there is no TLS: somebody looked.
 */
void flow_relay(struct flows *fs, int fd, struct grant *g, bool named);
void flow_refuse(struct flows *fs, int fd, const struct grant *g, enum osh_reason why);

/* Another policy is in force: what it does not allow as it is ends, with its record. */
void flows_again(struct flows *fs);

int flows_start(struct flows *fs, int listener_fd, struct err *e);
int flows_before(struct flows *fs);	/* between rounds; milliseconds to sleep at most, -1 = any */
