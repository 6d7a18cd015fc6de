/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oshd --probe: tries what it and osh-launch need of this machine, in a process that nobody else depends on, and
 * writes a row for each thing to descriptor 3 (osh/probe.h). What it makes goes with it.
 */
#pragma once

#include "daemon.h"

int trials_run(struct daemon *d);	/* gives the exit status */
