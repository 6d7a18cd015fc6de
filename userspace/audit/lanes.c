/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads what bpf/lane.bpf.h writes. The slots are the kernel's and are trusted; the tails may be those
 * of a former osh-audit, and one that makes no sense would keep its lane shut for good.
 */
#include "lanes.h"

#include <bpf/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "note.h"

static uint64_t slot_seq(const struct lanes *l, uint32_t lane, uint64_t n)
{
	const struct osh_lane_slot *s = &l->slots[lane * l->each + n % l->each];

	return __atomic_load_n(&s->seq, __ATOMIC_ACQUIRE);
}

/*
 * Does the slot before the tail hold what was read last, or, in a full lane, the record of a lap later?
 * In a fresh lane it has seq 0, which is right for tail 0.
 */
static int tail_fits(const struct lanes *l, uint32_t lane)
{
	uint64_t tail = l->tails[lane].tail, seq = slot_seq(l, lane, tail - 1);

	return seq == tail || seq == tail + l->each;
}

/* All that the lane holds is given up: what of it was read before, nobody knows. */
static void tail_mend(struct lanes *l, uint32_t lane)
{
	uint64_t last = 0;

	for (uint32_t i = 0; i < l->each; i++) {
		uint64_t seq = slot_seq(l, lane, i);

		if (seq > last)
			last = seq;
	}
	note(NULL, NOTE_NOBODY, "lane %u was out of step; its records are lost", lane);
	__atomic_store_n(&l->tails[lane].tail, last, __ATOMIC_RELEASE);
}

static int map_entries(int fd, uint32_t type_size, uint32_t *ret)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return -errno;
	*ret = info.max_entries;
	return info.value_size == type_size ? 0 : -EPROTO;
}

int lanes_open(struct lanes *l, int slots_fd, int tails_fd, struct err *e)
{
	uint32_t slots = 0;
	int r = map_entries(slots_fd, sizeof(*l->slots), &slots);

	if (!r)
		r = map_entries(tails_fd, sizeof(*l->tails), &l->n);
	if (!r && (!l->n || slots % l->n || slots < l->n))
		r = -EPROTO;
	if (r)
		return fail(e, -r, "the lanes' shape: %s", strerror(-r));
	l->each = slots / l->n;
	if (l->each & (l->each - 1))
		return fail(e, EPROTO, "lanes of %u records", l->each);
	l->slots = mmap(NULL, slots * sizeof(*l->slots), PROT_READ, MAP_SHARED, slots_fd, 0);
	l->tails = mmap(NULL, l->n * sizeof(*l->tails), PROT_READ | PROT_WRITE, MAP_SHARED, tails_fd, 0);
	if (l->slots == MAP_FAILED || l->tails == MAP_FAILED)
		return fail(e, errno, "map the lanes: %s", strerror(errno));
	for (uint32_t i = 0; i < l->n; i++)
		if (!tail_fits(l, i))
			tail_mend(l, i);
	return 0;
}

void lanes_close(struct lanes *l)
{
	munmap((void *)l->slots, (size_t)l->n * l->each * sizeof(*l->slots));
	munmap(l->tails, l->n * sizeof(*l->tails));
}

/* The tail is stored after each record: the one that a dying reader was at is written twice, not never. */
static uint32_t lane_read(struct lanes *l, uint32_t lane, uint32_t most,
			  void (*each)(void *, const struct osh_event *), void *data)
{
	uint64_t n = l->tails[lane].tail;
	uint32_t done = 0;

	while (done < most && slot_seq(l, lane, n) == n + 1) {
		each(data, &l->slots[lane * l->each + n % l->each].ev);
		__atomic_store_n(&l->tails[lane].tail, ++n, __ATOMIC_RELEASE);
		done++;
	}
	return done;
}

bool lanes_read(struct lanes *l, uint32_t most, void (*each)(void *, const struct osh_event *),
		void *data)
{
	bool more = false;

	for (uint32_t i = 0; i < l->n; i++)
		more |= lane_read(l, (l->turn + i) % l->n, most, each, data) == most;
	l->turn++;
	return more;
}
