/* SPDX-License-Identifier: Apache-2.0 */
/* One connection: a process of its own, which may hang in what its caller gave it. */
#pragma once

#include "prove.h"

/* Until the caller goes, or oshd. up: this caller's calls, to oshd. */
void serve_calls(int caller, int up, const struct mounts *mounts);

/* Whoever is one too many hears why, once. */
void serve_refusal(int caller, const struct err *why);
