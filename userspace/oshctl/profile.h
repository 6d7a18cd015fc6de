/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A type of provider: where its API lies, how the credential is put into requests, which variables hold it and
 * which programs use it. One file each in policy-compiler/profiles, part of this program.
 *
 *   {"description": "…", "agents": ["claude"], "variables": ["ANTHROPIC_API_KEY"], "record": {…}, "binaries": ["/usr/bin/claude"]}
 *
 * `agents`: programs whose keys are found in the caller's environment. `secret`: members of a secret that is
 * an object, each with the variable that holds it.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "err.h"
#include "slice.h"

#define PROFILE_LIST 32

struct profile {
	const char *type;
	json_t *json;			/* owns what is below */
	json_t *record, *secret;	/* secret: NULL = the value itself */
	const char *description;
	const char *agents[PROFILE_LIST + 1], *variables[PROFILE_LIST + 1], *binaries[PROFILE_LIST + 1];
};

int profile_open(struct profile *p, const char *type, struct err *e);	/* -ENOENT: the error lists the types */
bool profile_is_for(const char *type, const char *agent);	/* without reading all of it where it is not */
void profile_done(struct profile *p);
