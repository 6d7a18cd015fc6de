/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Does the environment of a fresh program image inject code? Reads the image's own strings at exec,
 * before its first instruction. What cannot be read in full counts as injected.
 */
#pragma once

#include "maps.bpf.h"

#define TAINT_CHUNK 4096		/* bytes of a string looked at in one go */
#define TAINT_WORDS 3			/* 8-byte words of the longest "NAME=" */
#define TAINT_STEPS (OSH_ENV_VARS + OSH_ENV_LEN / (TAINT_CHUNK - 1) + 2)

struct taint_count {
	__u32 run;			/* bytes seen of a string longer than a chunk */
	__u32 vars;
};

struct taint_scan {
	__u64 at, end;			/* user addresses */
	char *chunk;			/* TAINT_CHUNK bytes, aligned */
	struct osh_env_key *key;
	struct taint_count *count;
	__u32 id;			/* sandbox */
	__u32 hit;			/* as osh_task.tainted */
};

/* Word `i` of a literal, and which of its bytes count: constants once unrolled. */
#define TAINT_BYTE(s, i, b) ((__u64)((i) * 8 + (b) < sizeof(s) - 1 ? (__u8)(s)[((i) * 8 + (b)) % sizeof(s)] : 0) << (8 * (b)))
#define TAINT_WORD(s, i) (TAINT_BYTE(s, i, 0) | TAINT_BYTE(s, i, 1) | TAINT_BYTE(s, i, 2) | TAINT_BYTE(s, i, 3) | \
			  TAINT_BYTE(s, i, 4) | TAINT_BYTE(s, i, 5) | TAINT_BYTE(s, i, 6) | TAINT_BYTE(s, i, 7))
#define TAINT_MASK(s, i) (sizeof(s) - 1 >= (i) * 8 + 8 ? ~0ull : \
			  sizeof(s) - 1 <= (i) * 8 ? 0ull : (1ull << (8 * ((sizeof(s) - 1) % 8))) - 1)
#define TAINT_IS(w, s) (((w)[0] & TAINT_MASK(s, 0)) == TAINT_WORD(s, 0) && \
			((w)[1] & TAINT_MASK(s, 1)) == TAINT_WORD(s, 1) && \
			((w)[2] & TAINT_MASK(s, 2)) == TAINT_WORD(s, 2))


/*
 * 1 + index in taint.def of the variable whose text begins with these words, or 0.
 * verifier: global, so that the chain is walked once and not for every state of the caller.
 */
__noinline __u32 taint_name_at(__u64 w0, __u64 w1, __u64 w2)
{
	__u64 w[TAINT_WORDS] = { w0, w1, w2 };
	__u32 i = 0;

#define TAINT(name) i++; if (TAINT_IS(w, name "=")) return i;
#include "osh/taint.def"
#undef TAINT
	return 0;
}

/* Values that osh itself put into the environment are no sign of anything. */
static __always_inline int taint_exempt(struct taint_scan *t, __u32 len)
{
	struct osh_env_key *key = t->key;

	if (!len || len > OSH_PATH_MAX)
		return 0;
	__builtin_memset(key, 0, sizeof(*key));
	key->id = t->id;
	if (bpf_probe_read_kernel(key->text, len, t->chunk))
		return 0;
	return bpf_map_lookup_elem(&env_exempt, key) != NULL;
}

static long taint_step(__u32 i, struct taint_scan *t)
{
	const __u64 *w = (const __u64 *)t->chunk;
	__u32 hit;
	long n;

	if (t->at >= t->end)
		return 1;
	n = bpf_probe_read_user_str(t->chunk, TAINT_CHUNK, (const void *)t->at);
	if (n < 0)
		goto unread;
	if (!n) {			/* before 6.13: an empty string is 0 bytes, its NUL not counted */
		t->chunk[0] = 0;
		n = 1;
	}
	if (!t->count->run) {
		hit = taint_name_at(w[0], w[1], w[2]);
		if (hit && !taint_exempt(t, n)) {
			t->hit = hit;
			return 1;
		}
		if (++t->count->vars > OSH_ENV_VARS)
			goto unread;
	}
	if (n < TAINT_CHUNK) {
		t->at += n;
		t->count->run = 0;
		return 0;
	}
	t->at += TAINT_CHUNK - 1;	/* the last byte of a full chunk is a NUL of the helper's own */
	t->count->run += TAINT_CHUNK - 1;
	if (t->count->run < OSH_ENV_LEN)
		return 0;
unread:
	t->hit = OSH_TAINT_UNREAD;
	return 1;
}

/* For the running task. `chunk`, `key` and `count` are scratch. Gives osh_task.tainted. */
static __always_inline __u32 taint_of(struct mm_struct *mm, __u32 id, char *chunk,
				      struct osh_env_key *key, struct taint_count *count)
{
	struct taint_scan t = {
		.at = BPF_CORE_READ(mm, env_start), .end = BPF_CORE_READ(mm, env_end),
		.chunk = chunk, .key = key, .count = count, .id = id,
	};

	if (!t.at || t.end < t.at)
		return OSH_TAINT_UNREAD;
	count->run = count->vars = 0;
	bpf_loop(TAINT_STEPS, taint_step, &t, 0);
	if (!t.hit && t.at < t.end)
		return OSH_TAINT_UNREAD;
	return t.hit;
}
