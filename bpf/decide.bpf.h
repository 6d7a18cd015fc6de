/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The only place with a verdict. A hook works out a reason; decide() turns the reason into a verdict
 * and puts it on record; cgroup_ret() translates the verdict for the kernel. Nothing else answers.
 */
#pragma once

#include "events.bpf.h"

#define EACCES 13

/* Only ALLOWED in a known sandbox allows; every other reason, zero included, denies. */
static __always_inline __u32 decide_named(struct ask *q, __u32 why, const char *name, __u32 cap,
					  __u32 len)
{
	__u32 verdict = OSH_DENY;

	if (!q->sb)
		why = OSH_WHY_NO_SANDBOX;
	else if (why == OSH_WHY_ALLOWED)
		verdict = OSH_ALLOW;
	record(q, verdict, why, name, cap, len);
	return verdict;
}

static __always_inline __u32 decide(struct ask *q, __u32 why)
{
	return decide_named(q, why, NULL, 0, 0);
}

/* For hooks whose allows somebody else records: only a denial leaves a record. */
static __always_inline __u32 decide_quiet(struct ask *q, __u32 why)
{
	return q->sb && why == OSH_WHY_ALLOWED ? OSH_ALLOW : decide(q, why);
}

/*
 * A denial is EACCES, which names this layer: a hook's own default is EPERM, a missing route is
 * ENETUNREACH. verifier: spelled so that the result is 0 or 1 and nothing else.
 */
static __always_inline int cgroup_ret(__u32 verdict)
{
	if (verdict == OSH_ALLOW)
		return 1;
	bpf_set_retval(-EACCES);
	return 0;
}
