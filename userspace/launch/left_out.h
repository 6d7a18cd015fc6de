/* SPDX-License-Identifier: Apache-2.0 */
/* Layers that a test build may leave out of a namespace; in a release build the mask is refused. */
#pragma once

#include "osh/msg.h"

#ifdef OSH_TEST
enum left_out_hook {
#define HOOK(id, program, where) LEFT_OUT_##id,
#include "osh/hooks.def"
#undef HOOK
};
#define LEFT_OUT(off, bit) ((off) & (bit))
#define LEFT_OUT_HOOK(off, id) ((off) & OSH_OFF_HOOK(LEFT_OUT_##id))
#else
#define LEFT_OUT(off, bit) 0
#define LEFT_OUT_HOOK(off, id) 0
#endif
