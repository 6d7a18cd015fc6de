/* SPDX-License-Identifier: Apache-2.0 */
/* What anybody may try of the kernel, each in a child: versions, Landlock, seccomp's notifications, namespaces. */
#pragma once

#include "osh/probe.h"

#define TRY_ROWS 8
unsigned try_all(struct osh_probe_row *rows);	/* gives how many, at most TRY_ROWS */
