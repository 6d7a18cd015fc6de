/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several sandboxes at once: what one of them reads, another one may send, where they have a volume in common or files of
 * the host that one writes and the other reads. Each has its policy, its working directory and its volumes.
 */
#pragma once

#include "find.h"

struct flow_volume {
	const char *name, *path;
	bool read_only;
};

struct flow_box {
	const char *name;		/* of its policy's file */
	const char *workdir;
	const char *sandbox;		/* the name that routes and `serve` have for it; NULL = not said */
	const struct policy *p;
	struct list volumes;		/* struct flow_volume */
};

/* NAME:/PATH or NAME:/PATH:ro, as `sandbox create` takes it. */
bool flow_volume(struct arena *a, const char *text, struct flow_volume *ret);

void find_flow(struct prover *pr, const struct flow_box *boxes, uint32_t n);
