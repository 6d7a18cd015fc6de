/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the command for osh-init: a sealed memfd and the counts of struct osh_msg_init_spec. */
#pragma once

#include "err.h"
#include "osh/msg.h"

/* Fills argc, envc and bytes of *m, whose flags are set; argv and envp are NULL terminated. 0 or -errno. */
int spec_write(char *const *argv, char *const *envp, const char *cwd, struct osh_msg_init_spec *m,
	       int *ret_fd, struct err *e);
