/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of one connection of the sandbox: accepted, judged, resolved, dialled, relayed. Each has
 * one decision on record, made before the first byte is relayed.
 */
#pragma once

#include "hosts.h"
#include "loop.h"
#include "names.h"
#include "record.h"
#include "table.h"

struct flow;
TAILQ_HEAD(flow_list, flow);

struct flows {
	struct loop *loop;
	struct table table;
	struct hosts hosts;
	struct names names;
	struct records records;
	struct watch listener;
	struct timer retry;		/* accepting again after the kernel ran out of something */
	bool paused;
	unsigned n;
	struct flow_list dead;		/* freed between rounds: events of the round may still name them */
};

int flows_start(struct flows *fs, int listener_fd, struct err *e);
int flows_before(struct flows *fs);	/* between rounds; milliseconds to sleep at most, -1 = any */
