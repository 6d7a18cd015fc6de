/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Providers that a sandbox is given besides what its policy says. A policy that speaks of a provider's host keeps
 * its word: its endpoints there take the credential, and nothing more can be reached. Only of a host that no
 * endpoint covers, and only where the caller asked for it, a rule `_provider_NAME` with the provider's own
 * programs is added. Like home.h: whoever compiles says it once, before the policy is read.
 */
#pragma once

#include "schema.h"

struct provision {
	const char *name;		/* of the credential */
	const char *const *hosts;	/* NULL terminated, as the four below */
	const char *const *paths;	/* where alone the credential goes; none = everywhere */
	const char *const *binaries;
	const uint16_t *ports;
	unsigned n_ports;
	bool adds;			/* endpoints that the policy lacks */
};

/* Borrowed until the last policy was read; n 0 = none. */
void policy_provide(const struct provision *list, size_t n);

void provide(struct reader *r);		/* once everything else of r->p was read */
