/* SPDX-License-Identifier: Apache-2.0 */
/* What a verb's FILE may be: a path, or "preset:NAME" for a policy that is part of this program. */
#pragma once

#define POLICY_PRESET "preset:"

#include "err.h"

const char *policy_source_preset(const char *file);	/* NAME, or NULL when it is a path */
const char *policy_source_caller_home(void);	/* or NULL */
/*
 * 0 with a descriptor of a regular file, at its start. Memfds: a preset, what came through a pipe (it is waited for),
 * what came along from another host (remote.h).
 */
int policy_source_open(const char *file, int *ret_fd, struct err *e);
/* The same; `dir` is the project, whose package registries a preset may list. */
int policy_source_open_at(const char *file, int dir, int *ret_fd, struct err *e);
/*
 * In its place a sealed copy: what is compiled is what oshd keeps, and nobody changes it in between. *fd is closed.
 */
int policy_source_seal(int *fd, struct err *e);
