/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a secret comes from: never an argument. A file is copied by the kernel; what is in the environment or comes
 * on standard input lies in locked memory until it is in the sealed memfd, and is wiped.
 */
#pragma once

#include "profile.h"

struct secret_source {
	const char *file;		/* "" as a name of a variable: those of the profile */
	const char *variable;
	bool in;			/* standard input; a terminal is asked without echo */
};

bool secret_one(const struct secret_source *s);	/* exactly one place is named */
int secret_open(const struct secret_source *s, const struct profile *p, int *ret_fd, struct err *e);
