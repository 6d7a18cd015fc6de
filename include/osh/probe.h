/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `oshd --probe` and `osh-launch --probe` write to descriptor 3, a row each: which feature, whether it was
 * seen at work, and a word about it. Fixed size, so that a resident oshd hands rows on and reads none of them.
 */
#pragma once

#include <stdint.h>

enum osh_probe {
	OSH_PROBE_NONE,
#define PROBE(id, part, weight, name, what, lost, fix) OSH_PROBE_##id,
#include "osh/probes.def"
#undef PROBE
	OSH_PROBE_MAX
};
#define OSH_PROBE_HOOK 1000		/* + number of the row in hooks.def: that program */
#define OSH_PROBE_ROWS 256		/* of one probing, at most */

enum osh_probe_state { OSH_PROBE_UNTRIED, OSH_PROBE_LACKS, OSH_PROBE_WORKS };

struct osh_probe_row {
	uint16_t id;
	uint8_t state;
	uint8_t zero;
	char note[252];			/* NUL padded */
};
_Static_assert(sizeof(struct osh_probe_row) == 256, "one layout for the programs of one build");
