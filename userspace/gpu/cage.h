/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "err.h"

/* Another identity, no capabilities, no more memory than it needs, and calls that read: nothing is left to gain. */
int gpu_cage(struct err *e);
