/* SPDX-License-Identifier: Apache-2.0 */
/* Where the other programs of osh are. */
#pragma once

#include <limits.h>

#include "err.h"

/* `name` beside oshctl (a build tree), or where an installation puts it. */
int beside(char path[PATH_MAX], const char *name, struct err *e);
