/* SPDX-License-Identifier: Apache-2.0 */
/* Layers that a test build may leave out (osh/layers.def); in a release build the mask is refused. */
#pragma once

#include "osh/msg.h"

#ifdef OSH_TEST
#define LEFT_OUT(off, layer) ((off) & (layer))
#else
#define LEFT_OUT(off, layer) 0
#endif
