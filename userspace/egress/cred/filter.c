/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a body that pass only when they can no longer be part of what is searched for. */
#include "cred/set.h"

#define FILTER_ROOM 65536		/* bytes waiting for the other side, what is held aside */

int filter_start(struct filter *f, const struct creds *c, enum filter_what what, const char *host)
{
	int r;

	*f = (struct filter){ 0 };
	if (!c || (what == FILTER_ANSWER && !creds_near(c, host)))
		return 0;
	r = scan_start(&f->scan, what == FILTER_REQUEST ? c->placeholders : c->secrets);
	return r < 0 ? r : 1;
}

void filter_done(struct filter *f)
{
	scan_done(&f->scan);
	buf_done(&f->kept);
}

struct slice filter_ready(const struct filter *f)
{
	return (struct slice){ f->kept.p + f->start, f->kept.n - f->held - f->start };
}

static void compact(struct filter *f)
{
	if (f->start == f->kept.n) {
		f->start = f->kept.n = 0;
	} else if (f->start > FILTER_ROOM / 2) {
		memmove(f->kept.p, f->kept.p + f->start, f->kept.n - f->start);
		f->kept.n -= f->start;
		f->start = 0;
	}
}

size_t filter_push(struct filter *f, struct slice bytes)
{
	size_t waiting = filter_ready(f).n;
	uint64_t held = 0;

	if (f->found || waiting >= FILTER_ROOM)
		return 0;
	if (bytes.n > FILTER_ROOM - waiting)
		bytes.n = FILTER_ROOM - waiting;
	compact(f);
	buf_put(&f->kept, bytes.p, bytes.n);
	f->found = !buf_ok(&f->kept) || scan_feed(&f->scan, bytes, &held);
	/* After a find nothing that is still here goes on. */
	f->held = f->found ? f->kept.n - f->start : (size_t)held;
	return bytes.n;
}

void filter_passed(struct filter *f, size_t n)
{
	f->start += n;
}

void filter_flush(struct filter *f)
{
	if (!f->found)
		f->held = 0;
}
