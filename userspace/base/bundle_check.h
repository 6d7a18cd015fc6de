/* SPDX-License-Identifier: Apache-2.0 */
/* What the sections of a bundle may say; used by bundle_open() alone. */
#pragma once

#include "bundle.h"

/* bundle_check_l7.c: the inside of connections. */
int bundle_check_l7(const struct bundle *b, struct err *e);

int bundle_check(const struct bundle *b, struct err *e);	/* 0 or -EBADMSG with the reason */
