/* SPDX-License-Identifier: Apache-2.0 */
/* Names below the directory of pins. For the files of this directory only. */
#pragma once

#include "err.h"

int pin_fd(int fd, const char *dir, const char *kind, const char *name, struct err *e);
int pin_over(int fd, const char *dir, const char *kind, const char *name, struct err *e);	/* atomically, over the former one */
int pin_mark(const char *dir, const char *build, struct err *e);
