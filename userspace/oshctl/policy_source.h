/* SPDX-License-Identifier: Apache-2.0 */
/* What a verb's FILE may be: a path, or "preset:NAME" for a policy that is part of this program. */
#pragma once

#include "err.h"

const char *policy_source_preset(const char *file);	/* NAME, or NULL when it is a path */
/* 0 with a descriptor at its start; a preset is a memfd. */
int policy_source_open(const char *file, int *ret_fd, struct err *e);
