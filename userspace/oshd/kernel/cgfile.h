/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a cgroup: texts that the kernel made, and words that it takes. */
#pragma once

#include "cgroup.h"

/* At most n - 1 bytes, ended by 0; "" where there is nothing. */
int cgfile_read(int dir, const char *name, char *ret, size_t n);
int cgfile_write(int dir, const char *name, const char *text);
bool cgfile_has(const char *list, const char *word, const char *separators);
/* A v2 controller for the sandboxes' directories: it reaches one only if each above it passes it on. */
bool cgfile_enable(const struct cgroup_base *c, const char *controller);
