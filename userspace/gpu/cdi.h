/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "found.h"
#include "slice.h"

/* One specification; what is wrong with it becomes a warning, and then nothing of it is left. */
void cdi_read(struct found *f, const char *file, struct slice text);
