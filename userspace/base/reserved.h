/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `binaries` in filesystem_policy say of a listed path, for the kernel's programs (bpf/reserved.bpf.h): who may
 * read and who may write what lies below it, entries above it included. Texts come from a checked bundle.
 */
#pragma once

#include <stdbool.h>

#include "bundle.h"
#include "osh/abi.h"

/* Does the bundle have such entries at all? */
bool reserved_any(const struct bundle *b);

/* False where no such entry is at `path` or above it: then *ret says what is for all alone. */
bool reserved_at(const struct bundle *b, const char *path, struct osh_reserved *ret);
