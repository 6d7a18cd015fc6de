/* SPDX-License-Identifier: Apache-2.0 */
/* Which layers keep the promise behind a request, and whether this kernel has them. */
#pragma once

#include "ask.h"

enum layer_state { LAYER_MISSING, LAYER_UNPROVED, LAYER_LIVES };

struct layer {
	unsigned kinds;			/* 1 << enum ask_kind */
	enum protocol inside;		/* of connections that are read so; PROTO_NONE = of all */
	const char *promise, *name;
	enum layer_state (*probe)(char note[64]);	/* NULL: the compiler is asked about `inside` */
	enum layer_state state;		/* after layers_probe() */
	char note[64];			/* "" or more about it */
};

/* Looks at this kernel, cheaply: loads and changes nothing. Ends in a row without name. */
const struct layer *layers_probe(void);
/* Would the runtime read requests of this protocol? */
bool layers_requests(enum protocol p);
const char *layer_word(enum layer_state s);
