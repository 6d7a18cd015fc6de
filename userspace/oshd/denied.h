/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `filesystem_policy.deny` of a sandbox where LSM programs keep it: the trees that osh-launch reports become
 * tables before anything of the agent's runs.
 */
#pragma once

#include "sandbox.h"

/* One report. -errno: the sandbox must not start. */
int denied_tree(struct sandbox *s, const struct osh_msg_tree *t, struct chan_in *in, struct err *e);

/* Before it starts: is what the policy denies denied by somebody? */
int denied_check(const struct sandbox *s, struct err *e);
