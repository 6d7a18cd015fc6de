/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of a known agent in the caller's environment: what would have gone in as it is becomes a provider
 * of this run, and the agent gets a placeholder.
 */
#pragma once

#include "provider_set.h"

/*
 * By the name of the program in argv[0]. Whatever is found is taken out of this process' own environment and wiped
 * there, also where no provider is made of it, so that nothing can pass it on. `adds`: no policy was named, so the
 * provider brings its endpoints along.
 */
int discover(struct provider_set *s, const char *argv0, const char *sandbox, bool adds, struct err *e);
