/* SPDX-License-Identifier: Apache-2.0 */
/* What osh-front may do: nothing by a name, nothing to another process; a connection's own process still less. */
#pragma once

#include <sys/types.h>

#include "err.h"

int front_cage(uid_t uid, struct err *e);
void cage_narrow(void);			/* in a connection's process; ends it where that fails */
