// SPDX-License-Identifier: Apache-2.0
/*
 * The front table: endpoints where the connect hook finds them without a call. A copy for speed of what
 * `endpoints` holds: an entry that has no place here is found there. Hooks read while this writes: a
 * sequence number tells them. One writer, the daemon that holds the object.
 */
#include "kbpf.h"

/* Only what the hook looks for first: names by address, not hosts by number. */
static int is_front(const struct osh_endpoint_key *key)
{
	return key->host & OSH_EP_ADDR;
}

/* Where a daemon was killed in between, the number stays odd and the place unread until it is used again. */
static void change(struct osh_front *f, const struct osh_endpoint_key *key, const struct osh_endpoint *ep)
{
	uint64_t odd = f->seq | 1;

	__atomic_store_n(&f->seq, odd, __ATOMIC_SEQ_CST);	/* before what follows */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	f->key = *key;
	f->ep = *ep;
	__atomic_store_n(&f->seq, odd + 1, __ATOMIC_RELEASE);
}

void kbpf_front_put(struct kbpf *k, const struct osh_endpoint_key *keys, const struct osh_endpoint *eps, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct osh_front *f = &k->front[osh_front_at(&keys[i])];

		if ((!f->key.id || f->seq & 1) && is_front(&keys[i]))
			change(f, &keys[i], &eps[i]);
	}
}

void kbpf_front_drop(struct kbpf *k, const struct osh_endpoint_key *keys, uint32_t n)
{
	static const struct osh_endpoint_key no_key;
	static const struct osh_endpoint nothing;

	for (uint32_t i = 0; i < n; i++) {
		struct osh_front *f = &k->front[osh_front_at(&keys[i])];

		if (!memcmp(&f->key, &keys[i], sizeof(f->key)))
			change(f, &no_key, &nothing);
	}
}
