/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The event funnel: two lanes, so that a flood of allows never crowds out a denial.
 *
 * Allow lane: records with a name in `ring_allow`, the others in memory that the reader maps
 * (lane.bpf.h). No wakeup; the reader has a timer, and is woken early only where either is half full.
 * No room = sandbox->allow_drops.
 *
 * Deny lane: `denials` counts first. A repeat costs a lookup and an atomic add and gives no event.
 * A new key takes from the sandbox's own budget (before anything is reserved, so one sandbox cannot
 * use up another's), then gives one event. If the ring is full the entry keeps first_ns == 0: it is
 * then itself the record, the reader's walk reports it, and the next repeat tries the ring again.
 * Past the budget only sandbox->deny_overflow counts. The reader is woken at most once a
 * millisecond; it also polls by timer, since the last record of a burst wakes nobody.
 */
#pragma once

#include "lane.bpf.h"

#define ALLOW_LOOK 64			/* records between two looks at how full the ring is */

/* Every byte of the record is written: neither ring nor lane is zeroed. */
static __always_inline void event_fill(struct osh_event *e, const struct ask *q, __u32 verdict,
				       __u32 why, __u64 now)
{
	struct task_struct *t = q->t;

	e->time_ns = now;
	e->id = q->sb ? q->sb->id : 0;
	e->generation = q->generation;
	e->kind = q->kind;
	e->verdict = verdict;
	e->why = why;
	e->pid = t->tgid;
	e->tid = t->pid;
	e->uid = q->uid;
	e->ident = q->ident;
	e->rule = q->rule;
	e->aux = q->aux;
	e->port = q->port;
	e->family = q->family;
	__builtin_memcpy(e->addr_be, q->addr_be, sizeof(e->addr_be));
	e->host = q->host;
	e->name_len = 0;
	((__u64 *)e->comm)[0] = *(const __u64 *)t->comm;	/* not by a helper: this is the hot path */
	((__u64 *)e->comm)[1] = *(const __u64 *)(t->comm + 8);
}

/* `cap`: readable bytes at `name`, a constant of at most OSH_NAME_MAX; the text is NUL padded. */
static __always_inline void event_name(struct osh_event_named *e, const char *name, __u32 cap,
				       __u32 len)
{
	if (cap < OSH_NAME_MAX)
		__builtin_memset(e->name, 0, sizeof(e->name));
	bpf_probe_read_kernel(e->name, cap, name);
	e->ev.name_len = len < cap ? len : cap;
}

static __always_inline __u64 allow_wake(struct osh_funnel *f, __u64 now)
{
	if (++f->allow_n % ALLOW_LOOK || now - f->allow_woken_ns <= WAKE_EVERY_NS)
		return BPF_RB_NO_WAKEUP;
	if (bpf_ringbuf_query(&ring_allow, BPF_RB_AVAIL_DATA) * 2 <
	    bpf_ringbuf_query(&ring_allow, BPF_RB_RING_SIZE))
		return BPF_RB_NO_WAKEUP;
	f->allow_woken_ns = now;
	return BPF_RB_FORCE_WAKEUP;
}

static __always_inline int allow_named(struct ask *q, __u32 why, const char *name, __u32 cap,
				       __u32 len, struct osh_funnel *f)
{
	struct osh_event_named *named = bpf_ringbuf_reserve(&ring_allow, sizeof(*named), 0);
	__u64 now = boot_tick(f);

	if (!named)
		return -1;
	event_fill(&named->ev, q, OSH_ALLOW, why, now);
	event_name(named, name, cap, len);
	bpf_ringbuf_submit(named, allow_wake(f, now));
	return 0;
}

static __always_inline int allow_plain(struct ask *q, __u32 why, struct osh_funnel *f)
{
	__u32 lane = bpf_get_smp_processor_id() & lanes_last, at;
	struct osh_lane_tail *tail = bpf_map_lookup_elem(&lane_tails, &lane);
	__u64 now = boot_tick(f), read;
	struct osh_lane_slot *slot;
	__s64 n;

	if (!tail)
		return -1;
	read = *(volatile __u64 *)&tail->tail;
	n = lane_take(f, lane, read);
	if (n < 0)
		return -1;
	if (n - read > lane_last / 2)
		lane_bell(f, now);
	at = lane * (lane_last + 1) + (n & lane_last);
	slot = bpf_map_lookup_elem(&lane_slots, &at);
	if (!slot)
		return -1;		/* cannot be: the loader made the map that large */
	event_fill(&slot->ev, q, OSH_ALLOW, why, now);
	lane_publish(&slot->seq, n + 1);
	return 0;
}

static __always_inline void lane_allow(struct ask *q, __u32 why, const char *name, __u32 cap,
				       __u32 len)
{
	struct osh_funnel *f = funnel_get();

	if (!q->sb || !f)
		return;
	if (name ? allow_named(q, why, name, cap, len, f) : allow_plain(q, why, f))
		__sync_fetch_and_add(&q->sb->allow_drops, 1);
}

#define HASH_CHUNK 64

/*
 * Seeded, so that nobody outside can compute two names that share an entry. verifier: whole words of
 * the padded text, copied through a small buffer; a loop over bytes costs thousands of instructions.
 */
static __always_inline __u64 name_hash(const char *name, __u32 cap, __u64 seed)
{
	__u64 h = seed ^ 0xcbf29ce484222325ull, word[HASH_CHUNK / 8];

	for (__u32 at = 0; at < OSH_NAME_MAX; at += HASH_CHUNK) {
		if (at >= cap)
			break;
		__builtin_memset(word, 0, sizeof(word));
		bpf_probe_read_kernel(word, cap - at < HASH_CHUNK ? cap - at : HASH_CHUNK, name + at);
		for (int i = 0; i < HASH_CHUNK / 8; i++) {
			h = (h ^ word[i]) * 0x9e3779b97f4a7c15ull;
			h ^= h >> 29;
		}
	}
	return h;
}

static __always_inline __u64 deny_wake(struct osh_funnel *f, __u64 now)
{
	if (now - f->deny_woken_ns <= WAKE_EVERY_NS)
		return BPF_RB_NO_WAKEUP;
	f->deny_woken_ns = now;
	return BPF_RB_FORCE_WAKEUP;
}

/* 0, or -1 when the ring has no room. */
static __always_inline int deny_event(struct ask *q, __u32 verdict_why, const char *name,
				      __u32 cap_len, struct osh_funnel *f, __u64 now)
{
	__u32 verdict = verdict_why >> 16, why = verdict_why & 0xffff;
	__u32 cap = cap_len >> 16, len = cap_len & 0xffff;
	struct osh_event_named *named;
	struct osh_event *plain;

	if (name) {
		named = bpf_ringbuf_reserve(&ring_deny, sizeof(*named), 0);
		if (!named)
			return -1;
		event_fill(&named->ev, q, verdict, why, now);
		event_name(named, name, cap, len);
		bpf_ringbuf_submit(named, deny_wake(f, now));
		return 0;
	}
	plain = bpf_ringbuf_reserve(&ring_deny, sizeof(*plain), 0);
	if (!plain)
		return -1;
	event_fill(plain, q, verdict, why, now);
	bpf_ringbuf_submit(plain, deny_wake(f, now));
	return 0;
}

/* A new key: budget first, then the entry. Gives the entry, or NULL where it could only be counted. */
static __always_inline struct osh_denial *denial_add(struct osh_sandbox *sb,
						     const struct osh_denial_key *key)
{
	struct osh_denial fresh = { 0 };
	long r;

	if (sb && __sync_fetch_and_add(&sb->denials, 1) >= OSH_DENIALS_EACH)
		goto over;
	r = bpf_map_update_elem(&denials, key, &fresh, BPF_NOEXIST);
	if (!r)
		return bpf_map_lookup_elem(&denials, key);
	if (r == -17 /* EEXIST: another CPU was first */) {
		if (sb)
			__sync_fetch_and_add(&sb->denials, -1);
		return bpf_map_lookup_elem(&denials, key);
	}
over:
	if (sb) {
		__sync_fetch_and_add(&sb->denials, -1);
		__sync_fetch_and_add(&sb->deny_overflow, 1);
	}
	return NULL;
}

static __always_inline void denial_key(struct osh_denial_key *key, const struct ask *q, __u32 why)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->kind = q->kind;
	key->why = why;
	if (!q->sb)			/* nobody's budget: kind and reason alone bound the entries */
		return;
	key->id = q->sb->id;
	key->ident = q->ident;
	key->host = q->host;
	__builtin_memcpy(key->addr_be, q->addr_be, sizeof(key->addr_be));
	key->aux = q->aux;
	key->port = q->port;
}

/*
 * verifier: arguments are packed in pairs because a BPF function has five. Not inlined: it is the
 * slow lane, and its stack would otherwise add to every hook's.
 */
static __noinline int lane_deny(struct ask *q, __u32 verdict_why, const char *name, __u32 cap_len)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct osh_funnel *f = funnel_get();
	struct osh_denial_key key;
	struct osh_denial *d;

	if (!f)
		return 0;
	if (name && !q->family) {
		__u64 h = name_hash(name, cap_len >> 16, f->seed);

		q->addr_be[0] = h >> 32;
		q->addr_be[1] = h;
	}
	denial_key(&key, q, verdict_why & 0xffff);
	d = bpf_map_lookup_elem(&denials, &key);
	if (!d)
		d = denial_add(q->sb, &key);
	if (!d)
		return 0;
	__sync_fetch_and_add(&d->count, 1);
	d->last_ns = now;
	if (d->first_ns || __sync_val_compare_and_swap(&d->first_ns, 0, now))
		return 0;
	if (deny_event(q, verdict_why, name, cap_len, f, now) < 0)
		d->first_ns = 0;
	return 0;
}

/*
 * One decision on record. ALLOW takes the allow lane; DENY and AUDIT (something a person must see
 * although it went ahead, such as a lost identity) take the aggregated deny lane. `name` may be NULL;
 * else `cap` readable bytes at it are a compile-time constant <= OSH_NAME_MAX, NUL padded.
 */
static __always_inline void record(struct ask *q, __u32 verdict, __u32 why, const char *name,
				   __u32 cap, __u32 len)
{
	if (verdict == OSH_ALLOW)
		lane_allow(q, why, name, cap, len);
	else
		lane_deny(q, verdict << 16 | (why & 0xff), name, cap << 16 | (len & 0xffff));
}
