/* SPDX-License-Identifier: Apache-2.0 */
/* A policy's text becomes that of a sandbox: compiled with what the sandbox has of stored providers, and handed to oshd. */
#pragma once

#include <stdint.h>
#include <systemd/sd-bus.h>

#include "err.h"

struct policy_put {
	uint32_t generation;		/* 0 = it does not run; its next start has it */
	uint32_t revision;		/* 0 = it keeps none */
};

/* source: the text; becomes a sealed copy of it. file: how messages call it. */
int policy_put(sd_bus *bus, const char *sandbox, const char *file, int *source, struct policy_put *ret, struct err *e);

/* The text that is in force, once more: 1 = done, 0 = there is none (a run, or a policy that came without its text). */
int policy_put_again(sd_bus *bus, const char *sandbox, struct policy_put *ret, struct err *e);
