/* SPDX-License-Identifier: Apache-2.0 */
/* Open files of a sandbox's registered programs: while one is open its inode is no other file's. */
#pragma once

#include "sandbox.h"

int programs_keep(struct sandbox *s, struct chan_in *in, struct err *e);	/* takes the message's descriptors */
void programs_close(struct sandbox *s);
