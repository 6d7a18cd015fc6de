/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "err.h"

/*
 * A program that lies beside this one, copied into a sealed memfd that others may execute and not
 * read: what runs in a sandbox is no file of the host that it could find or overwrite through /proc,
 * and the kernel makes it undumpable.
 */
int program_copy(const char *name, int *ret_fd, struct err *e);

/* One of osh's own programs, from the directory that osh-launch lies in: a descriptor. */
int program_open(const char *name, struct err *e);
