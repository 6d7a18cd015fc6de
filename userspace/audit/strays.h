/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events of sandboxes that are not announced yet: after a restart the rings hold what happened
 * meanwhile, and oshd announces the living sandboxes at the same time. Kept for a while, then said.
 */
#pragma once

#include <stdint.h>

#include "osh/abi.h"

struct strays;

struct strays *strays_new(void);
void strays_keep(struct strays *s, const struct osh_event_named *e, uint64_t now_ms);

/* Gives every kept event of `id` to `each`, in order, and forgets it. */
void strays_claim(struct strays *s, uint32_t id,
		  void (*each)(void *, const struct osh_event_named *), void *data);

/* Forgets what is too old; gives how many were lost since the last call, here or for want of room. */
uint64_t strays_expire(struct strays *s, uint64_t now_ms);
