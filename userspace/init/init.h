/* SPDX-License-Identifier: Apache-2.0 */
/* All that osh-init knows. One loop, nothing in it waits; one event a turn, so that none speaks of what is gone. */
#pragma once

#include "serve.h"
#include "session.h"
#include "terminal.h"

struct init {
	int manager, signals;
	bool more;			/* there may be children to reap */
	uint64_t stop_ms;		/* being stopped: when it ends, whoever lives; 0 = not */
	uint64_t last_ms;		/* it ends, at the latest then: views take the last output; 0 = not yet */
	int status;			/* osh-init's own exit status, then */
	struct spec_base base;
	struct terminal *terminal;	/* the living one, or NULL */
	struct terminal *over;		/* ended ones whose views still read */
	struct session sessions[OSH_SESSIONS];
	struct served served[OSH_SERVED];
};

int init_run(struct init *i);		/* the exit status */
void init_end(struct init *i, int status);	/* the sandbox ends; `status` is a wait status */
