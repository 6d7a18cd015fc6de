/* SPDX-License-Identifier: Apache-2.0 */
/* Nobody but root takes what belongs to all users: entries of the kernel's tables, time of oshd's loop. */
#pragma once

#include "sandbox.h"

/* As bundle_open_fd(), which takes time in proportion to the size: a large one is root's alone. */
int share_open(struct bundle *ret, uid_t uid, int fd, struct err *e);

/* May the owner of `s` have what this policy takes? `s` is new, or runs and is to have it next. */
int share_check(const struct sandbox *s, const struct bundle *b, struct err *e);
