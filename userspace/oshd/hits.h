/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sandbox' limits refuse, on record when it happens: the first time at once, then once in a while with how often
 * since. The counts of all lines together are exact; what was not told yet is told at its end.
 */
#pragma once

#include "sandbox.h"

void hits_start(struct sandbox *s);	/* it runs; where something cannot be watched it is looked at every now and then */
void hits_stop(struct sandbox *s);	/* before its cgroup goes; reads for the last time */
void hits_add(struct sandbox *s, enum osh_limit which);
uint64_t hits_untold(const struct sandbox *s, enum osh_limit which);
