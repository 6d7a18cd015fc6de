/* SPDX-License-Identifier: Apache-2.0 */
/* The few lines that a person sees when a run ends: what was denied, how often, why. */
#pragma once

#include "audit.h"

void summary_write(struct asandbox *s, uint64_t more);
