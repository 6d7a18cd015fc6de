/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel files say that they changed (a poll for EPOLLPRI); for memory in cgroup v1 an eventfd says so, before the kill is
 * counted. A file system that is full says nothing: it is looked at. What was told is kept by osh-launch, so that the
 * next oshd tells nothing twice.
 */
#include "hits.h"

#include <sys/epoll.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "auditor.h"
#include "note.h"
#include "own.h"
#include "store.h"

#define LOOK_US 2000000			/* between two looks at what cannot be watched */
#define AGAIN_US 30000000		/* between two lines about one limit */
#define SOON_US 200000			/* from the kernel's word that memory is out to its count of the kill */

static void look(struct sandbox *s);

static int on_timer(sd_event_source *src, uint64_t usec, void *data)
{
	(void)src;
	(void)usec;
	look(data);
	return 0;
}

static void look_again(struct sandbox *s, uint64_t us)
{
	struct hits *h = &s->hits;
	uint64_t now = 0, due;

	sd_event_now(s->d->event, CLOCK_MONOTONIC, &now);
	if (h->timer && sd_event_source_get_enabled(h->timer, NULL) > 0 && sd_event_source_get_time(h->timer, &due) >= 0 &&
	    due <= now + us)
		return;			/* who hits one limit without end does not put off the look at another */
	h->timer = sd_event_source_disable_unref(h->timer);
	if (sd_event_add_time_relative(s->d->event, &h->timer, CLOCK_MONOTONIC, us, us / 2, on_timer, s) < 0)
		note(s->name, s->uid, "no timer to look at its limits");
}

static void tell(struct sandbox *s)
{
	struct hits *h = &s->hits;
	bool told = false;
	uint64_t now = 0;
	struct err e;

	sd_event_now(s->d->event, CLOCK_MONOTONIC, &now);
	for (int i = 1; i < OSH_LIMITS; i++) {
		if (h->seen[i] == h->told[i] || (h->told_us[i] && now < h->told_us[i] + AGAIN_US))
			continue;
		if (auditor_limit(s->d, s, (enum osh_limit)i, h->seen[i] - h->told[i], &e) < 0)
			continue;	/* the next osh-audit, at the next look */
		h->told[i] = h->seen[i];
		h->told_us[i] = now;
		told = true;
	}
	if (told && s->state == SB_RUNNING && store_save(s, &e) < 0)
		note(s->name, s->uid, "%s", e.text);
}

static void read_limits(struct sandbox *s)
{
	struct limits_use *u = &s->used;

	limits_use(&s->d->limits, s->k.id, s->box_fd, u);
	if (u->tasks_refused > s->hits.seen[OSH_LIMIT_TASKS])
		s->hits.seen[OSH_LIMIT_TASKS] = u->tasks_refused;
	if (u->killed > s->hits.seen[OSH_LIMIT_MEMORY])
		s->hits.seen[OSH_LIMIT_MEMORY] = u->killed;
}

static void read_disk(struct sandbox *s)
{
	struct statfs fs;
	bool full;

	if (s->scratch_fd < 0 || fstatfs(s->scratch_fd, &fs) < 0)
		return;
	full = !fs.f_bfree || (fs.f_files && !fs.f_ffree);
	if (full && !s->hits.full)
		s->hits.seen[OSH_LIMIT_DISK]++;
	s->hits.full = full;
}

static void listen_again(sd_event_source *src)
{
	if (src)
		sd_event_source_set_enabled(src, SD_EVENT_ON);
}

static void look(struct sandbox *s)
{
	read_limits(s);
	read_disk(s);
	tell(s);
	listen_again(s->hits.pids);
	listen_again(s->hits.memory);
	look_again(s, LOOK_US);
}

/*
 * A file of the kernel is quiet again once it was read, by this descriptor. It is listened to again at the next look: many
 * sandboxes that hit their limits without end cost oshd a few looks a second each, and no more.
 */
static int on_change(sd_event_source *src, int fd, uint32_t events, void *data)
{
	struct sandbox *s = data;
	char text[1024];
	bool gone = (events & EPOLLIN) ? read(fd, text, 8) < 0 : pread(fd, text, sizeof(text), 0) < 0;

	sd_event_source_set_enabled(src, SD_EVENT_OFF);
	if (gone) {			/* nothing more comes of it, and it would be ready for ever */
		sd_event_source **at = src == s->hits.pids ? &s->hits.pids : &s->hits.memory;

		*at = sd_event_source_unref(*at);
	}
	read_limits(s);
	tell(s);
	look_again(s, SOON_US);
	return 0;
}

static void watch(struct sandbox *s, enum limit_kind kind, sd_event_source **ret)
{
	bool file;
	int fd = limits_watch(&s->d->limits, kind, s->k.id, s->box_fd, &file);

	if (fd < 0)
		return;			/* the looks find it, later */
	if (sd_event_add_io(s->d->event, ret, fd, file ? EPOLLPRI : EPOLLIN, on_change, s) < 0)
		close(fd);
	else
		sd_event_source_set_io_fd_own(*ret, true);
}

void hits_start(struct sandbox *s)
{
	watch(s, LIMIT_PIDS, &s->hits.pids);
	watch(s, LIMIT_MEMORY, &s->hits.memory);
	look_again(s, LOOK_US);		/* not now: an osh-audit that is new is told of the sandbox in a moment */
}

void hits_stop(struct sandbox *s)
{
	struct hits *h = &s->hits;

	h->timer = sd_event_source_disable_unref(h->timer);
	h->pids = sd_event_source_disable_unref(h->pids);
	h->memory = sd_event_source_disable_unref(h->memory);
	read_limits(s);
	read_disk(s);
}

void hits_add(struct sandbox *s, enum osh_limit which)
{
	s->hits.seen[which]++;
	tell(s);
}

uint64_t hits_untold(const struct sandbox *s, enum osh_limit which)
{
	return s->hits.seen[which] - s->hits.told[which];
}
