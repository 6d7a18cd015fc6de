/* SPDX-License-Identifier: Apache-2.0 */
/* Which sandbox may speak to which, by the tables of both. Shares no matching code with policy-compiler/eval_inference.c. */
#include <string.h>

#include "bundle.h"
#include "osh/glob.h"
#include "osh/inference.h"

void bundle_sandbox(const struct bundle *b, uint32_t host, char ret[OSH_SANDBOX_NAME])
{
	const char *name = host && host <= b->n_hosts && b->hosts[host - 1].kind == OSH_HOST_EXACT ? bundle_str(b, b->hosts[host - 1].name) : "";
	size_t n = strlen(name), zone = strlen(OSH_SANDBOX_ZONE);

	ret[0] = 0;
	if (n <= zone || n - zone >= OSH_SANDBOX_NAME || strcmp(name + n - zone, OSH_SANDBOX_ZONE) || memchr(name, '.', n - zone))
		return;
	memcpy(ret, name, n - zone);
	ret[n - zone] = 0;
}

bool bundle_routes_to(const struct bundle *b, const char *sandbox, uint32_t port)
{
	char name[OSH_SANDBOX_NAME];

	for (uint32_t i = 0; i < b->n_routes; i++) {
		if (!(b->routes[i].flags & OSH_ROUTE_SANDBOX) || b->routes[i].port != port)
			continue;
		bundle_sandbox(b, b->routes[i].host, name);
		if (*name && !strcmp(name, sandbox))
			return true;
	}
	return false;
}

bool bundle_serves(const struct bundle *b, uint32_t port, const char *caller)
{
	for (uint32_t i = 0; i < b->n_serves; i++)
		if (b->serves[i].port == port && glob_match(bundle_str(b, b->serves[i].to), caller) == GLOB_YES)
			return true;
	return false;
}
