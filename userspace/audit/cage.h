/* SPDX-License-Identifier: Apache-2.0 */
/* What osh-audit gives up before it reads its first record. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "err.h"

/* dies_with_parent: an oshd that is killed has a successor, which starts an osh-audit of its own. */
int cage_enter(uid_t uid, bool dies_with_parent, struct err *e);
