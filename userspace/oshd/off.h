/* SPDX-License-Identifier: Apache-2.0 */
/* Switches that leave out one layer, so that tests can see the others hold alone. Test builds only. */
#pragma once

#include <stdint.h>

#include "kernel/bpf.h"

struct off {
	uint64_t layers;		/* OSH_OFF_*, of osh-launch */
	struct kbpf_off hooks;
};

/*
 * OSH_TEST_OFF="landlock,osh_connect4,..." by the names of layers.def and hooks.def. "LSM", "GUARD" etc.
 * are all programs of that place, "all" is everything; a "+" before a word puts it back.
 */
#ifdef OSH_TEST
void off_from_env(struct off *ret);
#else
static inline void off_from_env(struct off *ret)
{
	*ret = (struct off){ 0 };
}
#endif
