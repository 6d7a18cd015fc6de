/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which layers keep which promise, and whether this kernel has them: `policy explain` looks, and `doctor` tries.
 * The table of docs/architecture.md, "Which layer keeps which promise".
 */
#pragma once

#include "ask.h"
#include "osh/probe.h"

enum layer_state { LAYER_MISSING, LAYER_UNPROVED, LAYER_LIVES };

#define LAYER_TRIED 4

struct layer {
	unsigned kinds;			/* 1 << enum ask_kind */
	enum protocol inside;		/* of connections that are read so; PROTO_NONE = of all */
	const char *promise, *name;
	enum layer_state (*probe)(char note[64]);	/* NULL: the compiler is asked about `inside` */
	uint16_t tried[LAYER_TRIED];	/* lives where all of these work (osh/probe.h); 0 = no more */
	enum layer_state state;		/* after layers_probe() */
	char note[64];			/* "" or more about it */
	uint16_t lacks;			/* after layers_judge(): which of `tried` did not work, 0 = none */
};

/* Looks at this kernel, cheaply: loads and changes nothing. Ends in a row without name. */
const struct layer *layers_probe(void);
/* By what was tried: rows as oshd and oshctl itself found them. */
const struct layer *layers_judge(const struct osh_probe_row *rows, size_t n);
/* Would the runtime read requests of this protocol? */
bool layers_requests(enum protocol p);
const char *layer_word(enum layer_state s);
