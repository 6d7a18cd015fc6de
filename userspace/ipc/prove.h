/* SPDX-License-Identifier: Apache-2.0 */
/* What osh-prove answers with, and the descriptors that oshctl gives it. */
#pragma once

enum {					/* exit status */
	PROVE_DONE = 0,			/* nothing was found, and nothing is there */
	PROVE_FOUND = 1,		/* findings, or a policy that is refused */
	PROVE_USAGE = 2,
	PROVE_UNKNOWN = 3,		/* a bound was met, or an answer that eval does not confirm */
	PROVE_GAVE_UP = 4,		/* the same, and nothing was said yet */
};

enum {					/* those that an option does not speak of are not open */
	PROVE_FD_POLICY = 3,
	PROVE_FD_BASE,
	PROVE_FD_CREDENTIALS,
	PROVE_FD_ACCEPT,
	PROVE_FD_WITH,			/* and the next ones: of each other sandbox */
};

#define PROVE_WITH 8			/* other sandboxes in one question */
#define PROVE_VOLUMES 15		/* of one of them: all that oshd mounts but a home */

/* prove_sarif.c: begin, rules, results, each result, end. unknown: why, or NULL. */
struct json;
void prove_sarif_begin(struct json *j, const char *unknown);
void prove_sarif_results(struct json *j);
void prove_sarif_end(struct json *j);

#define PROVE_CPU_SECONDS 120		/* a kill after that is "unknown" */
#define PROVE_MEMORY (2ul << 30)
