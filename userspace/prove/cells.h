/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses as few numbers. All that is ever asked of an address is its class (host.h), and whether it lies in one of the
 * networks of the policies. The starts and ends of these cut all addresses into cells in which nothing is told apart; and
 * cells of one class that lie in the same networks have one number, which is all that the solver needs.
 */
#pragma once

#include "host.h"

struct cell;

struct cells {
	struct list nets;		/* struct net: that are asked about */
	struct cell *v;			/* all addresses, in order */
	uint32_t n;
	uint32_t *kinds;		/* by number: a cell that has it */
	uint32_t n_kinds;
};

struct cell_runs {			/* numbers: [from, to), at most one run a class */
	struct {
		uint32_t from, to;
	} v[ADDR_OSH + 1];
	uint32_t n;
};

/* All networks that will be asked about, then once cells_make(). */
void cells_add(struct arena *a, struct cells *c, const struct net *n);
void cells_add_policy(struct arena *a, struct cells *c, const struct policy *p);
bool cells_make(struct arena *a, struct cells *c);	/* false = out of memory, then or while they were added */

/* The numbers of a network. false = it was not added. */
bool cells_in(const struct cells *c, const struct net *n, struct cell_runs *ret);
uint32_t cells_at_least(const struct cells *c, enum addr_class class);	/* all numbers from this one on */
struct net cells_address(const struct cells *c, uint32_t number);	/* an address that has it */
uint32_t cells_number(const struct cells *c, const uint8_t address[16]);
