/* SPDX-License-Identifier: Apache-2.0 */
/* What a machine says about itself in /proc and /sys. Read below a directory, so that tests can bring their own. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum cgroup_layout { CGROUP_NONE, CGROUP_V1, CGROUP_HYBRID, CGROUP_V2 };

struct limit {
	const char *name, *path;	/* path: of a file that holds the number, or a line of /proc/self/limits */
	uint64_t enough;
	const char *why, *fix;		/* what less means; the command */
};
extern const struct limit limits[];	/* ends in a row without name */
#define LIMITS 10

struct facts {
	char release[65];
	char lsm[256];			/* "" = unknown */
	enum cgroup_layout layout;
	char cgroup[256];		/* where v2 is mounted, "" = nowhere */
	char v1[256], v2[256];		/* controllers, spaces between */
	uint64_t limit[LIMITS];		/* of row i */
	bool known[LIMITS];
};

void facts_read(int root, struct facts *f);
void facts_ask_lsm(struct facts *f);	/* the running kernel, where no securityfs said it */
const char *facts_layout(enum cgroup_layout l);
bool facts_has_lsm(const struct facts *f, const char *name);
