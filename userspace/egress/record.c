/* SPDX-License-Identifier: Apache-2.0 */
#include "record.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* 1 = all out, 0 = more to send, -1 = audit is gone. */
static int flush(struct records *r)
{
	while (r->n && !r->dead) {
		union record *m = &r->ring[r->first];

		if (send(r->w.fd, m, m->h.size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
			if (errno == EINTR)
				continue;
			if (errno == EAGAIN || errno == ENOBUFS)
				return 0;
			r->dead = 1;
			return -1;
		}
		r->first = (r->first + 1) % RECORDS;
		if (!--r->n)
			r->first = 0;	/* the same pages again */
	}
	return r->dead ? -1 : 1;
}

static void on_audit(struct watch *w, uint32_t events)
{
	struct records *r = container_of(w, struct records, w);

	if (events & (EPOLLERR | EPOLLHUP))
		r->dead = 1;
	if (flush(r) != 0)
		(void)loop_rewatch(r->loop, w, 0);
	if (r->dead)
		loop_unwatch(r->loop, w);	/* a hang-up is level triggered and would spin */
}

int records_init(struct records *r, struct loop *l, int fd, struct err *e)
{
	int n;

	r->w = (struct watch){ fd, on_audit };
	r->loop = l;
	r->ring = calloc(RECORDS, sizeof(*r->ring));
	if (!r->ring)
		return fail(e, ENOMEM, "record queue: out of memory");
	n = loop_watch(l, &r->w, 0);
	return n < 0 ? fail(e, -n, "watch the audit socket: %s", strerror(-n)) : 0;
}

static int reserve(struct records *r, unsigned most)
{
	if (r->dead || r->n + r->reserved >= most)
		return 0;
	r->reserved++;
	return 1;
}

bool records_room(const struct records *r)
{
	return !r->n && r->reserved < RECORDS - RECORDS_SPARE;
}

int records_reserve(struct records *r)
{
	return records_room(r) && reserve(r, RECORDS - RECORDS_SPARE);
}

int records_reserve_long(struct records *r)
{
	return reserve(r, RECORDS / 2);
}

int records_reserve_last(struct records *r)
{
	return reserve(r, RECORDS);
}

void records_release(struct records *r)
{
	r->reserved--;
}

/* The next place: uses a reservation. NULL = audit is gone. */
static union record *next(struct records *r, unsigned type, size_t size, const struct osh_event_named *ev)
{
	union record *m = &r->ring[(r->first + r->n) % RECORDS];

	r->reserved--;
	if (r->dead)
		return NULL;
	m->h = (struct osh_msg_head){ type, (uint32_t)size };
	m->request.e = *ev;
	m->request.e.ev.time_ns = now_ns();
	return m;
}

static int queue(struct records *r)
{
	r->n++;
	if (flush(r) == 0)
		(void)loop_rewatch(r->loop, &r->w, EPOLLOUT);
	return !r->dead;
}

int records_put(struct records *r, const struct osh_event_named *ev)
{
	return next(r, OSH_MSG_RECORD, sizeof(struct osh_msg_record), ev) ? queue(r) : 0;
}

int records_put_http(struct records *r, const struct osh_event_named *ev, const struct osh_http *http)
{
	union record *m = next(r, OSH_MSG_REQUEST, sizeof(m->request), ev);

	if (!m)
		return 0;
	m->request.http = *http;
	return queue(r);
}

int records_put_inference(struct records *r, const struct osh_event_named *ev, const struct osh_inference *said)
{
	union record *m = next(r, OSH_MSG_INFERENCE, sizeof(m->inference), ev);

	if (!m)
		return 0;
	m->inference.said = *said;
	return queue(r);
}
