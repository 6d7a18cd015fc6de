/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's environment. Clean by default: a short list of names that describe the terminal and
 * the language, fixed values for the rest, where the trusted roots lie if TLS is looked into, then what
 * the policy passes and sets, then -e. A caller's tokens, agent sockets and code-injecting variables stay
 * outside unless they are named.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "bundle.h"

struct env {
	char **v;			/* NULL terminated once anything was set; owned */
	size_t n;
};

void env_done(struct env *env);
const char *env_get(char *const *list, const char *name);	/* NULL where absent */

/* Sets one "NAME=value", in place of an earlier one. 0 or -errno. */
int env_set(struct env *env, const char *text, struct err *e);

/*
 * b may be NULL. trusts: the sandbox has a certificate authority of its own. caller: environ. given: NULL terminated -e values, "NAME=value" or "NAME" for the
 * caller's value. cwd becomes PWD.
 */
int env_build(struct env *env, const struct bundle *b, bool trusts, const char *cwd, char *const *caller,
	      char *const *given, struct err *e);
