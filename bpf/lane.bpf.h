/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Allowed connections on record: the hot path. A ring buffer takes a lock, two calls and an interrupt
 * flag; here a record is one compare-and-exchange and plain stores into memory that osh-audit maps.
 *
 * A CPU keeps to its lane, so there is nobody to race with but a program that preempted this one, or
 * CPUs beyond the last lane. `head` is the kernel's alone. `tail` is osh-audit's, read here as what a
 * stranger wrote: it says when the lane is full and never where to write. No room, or no turn within
 * LANE_TRIES = sandbox->allow_drops, exactly.
 */
#pragma once

#include "sandbox.bpf.h"

#define LANE_TRIES 8
#define WAKE_EVERY_NS 1000000ull

static __always_inline struct osh_funnel *funnel_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&funnel, &zero);
}

/*
 * Time of an allow: exact for the first of a clock tick, and the same for the others of that tick.
 * Reading the clock costs as much as the rest of the record, and only a flood has others.
 */
static __always_inline __u64 boot_tick(struct osh_funnel *f)
{
	__u64 tick = bpf_jiffies64(), now;

	if (tick == *(volatile __u64 *)&f->tick)
		return f->tick_ns;
	now = bpf_ktime_get_boot_ns();
	f->tick_ns = now;
	barrier();			/* whoever sees the tick sees its time, or a later one */
	*(volatile __u64 *)&f->tick = tick;
	return now;
}

/* Wakes the reader, who waits for the ring of named records: what is discarded there is never read. */
static __always_inline void lane_bell(struct osh_funnel *f, __u64 now)
{
	void *nothing;

	if (now - f->allow_woken_ns <= WAKE_EVERY_NS)
		return;
	f->allow_woken_ns = now;
	nothing = bpf_ringbuf_reserve(&ring_allow, 8, 0);
	if (nothing)
		bpf_ringbuf_discard(nothing, BPF_RB_FORCE_WAKEUP);
}

/* The number of a record that is now the caller's to write; -1 = no room. */
static __always_inline __s64 lane_take(struct osh_funnel *f, __u32 lane, __u64 tail)
{
	__u64 *head = &f->lanes[lane % OSH_LANES].head;

	for (int i = 0; i < LANE_TRIES; i++) {
		__u64 n = *(volatile __u64 *)head, used = n - tail;

		if (used > lane_last)	/* a tail that is ahead of the head looks like this too */
			return -1;
		if (__sync_val_compare_and_swap(head, n, n + 1) == n)
			return n;
	}
	return -1;
}

/*
 * After the record's stores, so that who sees the number sees the record. x86 keeps stores in order;
 * elsewhere an exchange, which BPF defines as a full barrier, stands for a releasing store.
 */
static __always_inline void lane_publish(__u64 *seq, __u64 value)
{
#ifdef __TARGET_ARCH_x86
	barrier();
	*(volatile __u64 *)seq = value;
#else
	__sync_lock_test_and_set(seq, value);
#endif
}
