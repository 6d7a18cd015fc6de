/* SPDX-License-Identifier: Apache-2.0 */
/* From a policy's descriptor to a sealed bundle, through a confined child. */
#pragma once

#include "err.h"

/*
 * fd: the policy, -1 = the default preset. name: what diagnostics call it. Diagnostics go to stderr;
 * 0 with a sealed memfd in *ret_bundle, or -errno.
 */
int policy_compile_fd(int fd, const char *name, int *ret_bundle, struct err *e);
