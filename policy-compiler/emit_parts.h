/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that write a bundle share: its sections while they grow. Nothing outside of emit_*.c includes this. */
#pragma once

#include "buf.h"
#include "diag.h"
#include "merge.h"
#include "model.h"

struct out {
	struct buf sec[OSH_SEC_MAX];
	uint32_t count[OSH_SEC_MAX];
	uint32_t *slots;		/* string offsets + 1, open addressing */
	uint32_t n_slots, n_strings;
	struct place too_long;		/* a pattern that no bundle holds; line 0 = none */
	bool failed;
};

void out_put(struct out *o, enum osh_section sec, const void *entry);
uint32_t out_str(struct out *o, const char *s);	/* offset of the text; equal texts share one */

/* emit_inference.c. False: no memory, or a backend that is not in the tables. */
bool out_inference(struct out *o, const struct policy *p, const struct tables *t);

/* emit_l7.c: what an endpoint says about the inside. Its number in L7, from 1. */
uint32_t out_l7(struct out *o, const struct policy *p, uint32_t rule, const struct endpoint *e);
struct osh_b_range out_patterns(struct out *o, struct place at, const struct list *l);	/* struct pattern */
bool out_l7_fits(const struct out *o, struct diags *d);	/* or it is said in *d */
