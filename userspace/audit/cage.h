/* SPDX-License-Identifier: Apache-2.0 */
/* What osh-audit gives up before it reads its first record. */
#pragma once

#include <sys/types.h>

#include "err.h"

int cage_enter(uid_t uid, struct err *e);
