/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policies by which events are named: numbers of rules and hosts are those of one generation. The
 * one in force, the one before it, whose events may still come, and one that is being loaded.
 */
#pragma once

#include "bundle.h"

#define POLICIES 3

struct policies {
	struct {
		uint32_t generation;	/* 0 = none */
		struct bundle bundle;
	} at[POLICIES];
};

/* In place of one of the same generation, else of the oldest. *b is taken. */
void policies_add(struct policies *p, uint32_t generation, struct bundle *b);
const struct bundle *policies_find(const struct policies *p, uint32_t generation);	/* NULL = not here */
void policies_done(struct policies *p);
