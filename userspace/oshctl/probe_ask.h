/* SPDX-License-Identifier: Apache-2.0 */
/* What only root may try: a resident oshd says it, or, where we are root, one that we start for that. */
#pragma once

#include "err.h"
#include "osh/probe.h"

/* 0 = *n rows were added to the first *n of OSH_PROBE_ROWS; negative = nobody could be asked, and why. */
int probe_ask(const char *socket, struct osh_probe_row *rows, unsigned *n, struct err *e);
