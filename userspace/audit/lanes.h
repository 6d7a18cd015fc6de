/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's lanes of allowed decisions, mapped: slots to read, tails to say how far. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "osh/abi.h"

struct lanes {
	const struct osh_lane_slot *slots;
	struct osh_lane_tail *tails;
	uint32_t n, each;		/* lanes; slots of one */
	uint32_t turn;			/* lane that is read first next time */
};

/* Goes on where a former reader stopped. */
int lanes_open(struct lanes *l, int slots_fd, int tails_fd, struct err *e);
void lanes_close(struct lanes *l);

/* At most `most` records of each lane, each lane in its order. True: there may be more. */
bool lanes_read(struct lanes *l, uint32_t most, void (*each)(void *, const struct osh_event *),
		    void *data);
