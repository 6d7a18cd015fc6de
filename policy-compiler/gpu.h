/* SPDX-License-Identifier: Apache-2.0 */
/* Names of devices in policies, and what a command line says in a policy's place. */
#pragma once

#include <stdbool.h>

#include "arena.h"
#include "err.h"
#include "model.h"

/* "0", "nvidia0", a UUID, "vendor.com/class=name", "all": printable words without spaces or commas. */
bool gpu_name_ok(const char *name);

/*
 * From now on every policy that is compiled has this in place of its own `gpu:` (`--gpu`): a count, or names,
 * separated by commas; `share` among them. NULL = its own again.
 */
int policy_gpu(const char *words, struct err *e);
void gpu_apply(struct arena *a, struct gpu *g);
