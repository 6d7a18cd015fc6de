/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the kernel's fixed-size notifications; what a caller's arguments point to is never looked at. One
 * call is taken at a time, and the kernel writes it straight into the tally: killed at any point, we leave
 * at most one call that was taken, and its number.
 */
#include "calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "audit.h"
#include "own.h"
#include "osh/refused.h"

#define TURN 64				/* calls of one sandbox before the others get their turn */
#define DISTINCT 512			/* refusals of one sandbox with a record of their own */

struct tally {
	struct seccomp_notif q;		/* id != 0: taken, perhaps not answered */
	uint64_t counted;		/* number of the last one that was */
	uint64_t overflow;
	uint32_t n, pad;
	struct {
		struct osh_event first;
		uint64_t count;
	} at[DISTINCT];
};
_Static_assert(sizeof(struct tally) <= OSH_TALLY_BYTES, "the tally fits");

struct pidfd_facts {			/* struct pidfd_info of Linux 6.13 */
	uint64_t mask, cgroup;
	uint32_t pid, tgid, ppid, ids[9];
};
_Static_assert(sizeof(struct pidfd_facts) == 64, "as PIDFD_GET_INFO has it");

void calls_name(uint32_t nr, char ret[CALLS_NAME])
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)nr);

	if (name)
		snprintf(ret, CALLS_NAME, "%s", name);
	else
		snprintf(ret, CALLS_NAME, "%u", nr);
	free(name);
}

/*
 * Who calls. The caller waits, so its number is its own, unless it has been killed meanwhile: asked last.
 * Without PIDFD_GET_INFO the process of a further thread is not known; the thread stands for it.
 */
static void identify(const struct asandbox *s, const struct seccomp_notif *q, struct osh_event *e)
{
	struct pidfd_facts facts = { 0 };
	int fd = (int)syscall(__NR_pidfd_open, q->pid, O_EXCL);	/* PIDFD_THREAD */

	e->pid = e->tid = q->pid;
	if (fd < 0)
		return;
	if (!ioctl(fd, ANSWER_PIDFD_INFO, &facts) && facts.tgid)
		e->pid = facts.tgid;
	e->ident = map_task_ident(s->id, fd, q->pid);
	close(fd);
	if (ioctl(s->calls.fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &q->id) < 0) {
		e->pid = q->pid;
		e->ident = 0;
	}
}

static struct osh_event event_of(const struct asandbox *s, const struct seccomp_notif *q)
{
	struct osh_event e = { .id = s->id, .verdict = OSH_DENY, .uid = s->calls.uid };
	const uint64_t *a = (const uint64_t *)q->data.args;
	struct osh_sandbox k = { 0 };
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	e.time_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	if (q->data.nr == __NR_socket || q->data.nr == __NR_socketpair) {
		e.kind = OSH_EV_SOCKET;
		e.why = OSH_WHY_FAMILY;
		e.aux = (uint32_t)(a[0] & 0xffff) << 16 | (uint32_t)(a[1] & 0xf) << 8 |
			(uint32_t)(a[2] & 0xff);
	} else {
		e.kind = OSH_EV_SYSCALL;
		e.why = OSH_WHY_SYSCALL;
		e.aux = (uint32_t)q->data.nr;
	}
	if (map_sandbox(s->slot, &k) && k.id == s->id)
		e.generation = k.generation;
	identify(s, q, &e);
	return e;
}

/* Place of this kind of attempt; t->n = a new one, DISTINCT = there is no room for it. */
static uint32_t place(const struct tally *t, const struct osh_event *e)
{
	uint32_t i = 0;

	while (i < t->n && (t->at[i].first.kind != e->kind || t->at[i].first.aux != e->aux ||
			    t->at[i].first.ident != e->ident))
		i++;
	return i;
}

/* One attempt more. Written down before it is counted: killed in between, it is there twice and not never. */
static void record(struct audit *a, struct asandbox *s, const struct osh_event_named *e)
{
	struct tally *t = s->calls.tally;
	uint32_t i = place(t, &e->ev);

	if (i == DISTINCT) {
		t->overflow++;
		return;
	}
	if (i < t->n) {
		asandbox_repeat(s, e);
		t->at[i].count++;
		return;
	}
	asandbox_event(a, s, e, false);
	t->at[i].first = e->ev;
	t->at[i].count = 1;
	t->n++;
}

/* What lies in q, whoever took it. */
static void finish(struct audit *a, struct asandbox *s)
{
	struct tally *t = s->calls.tally;

	if (t->counted != t->q.id) {
		struct osh_event_named e = { .ev = event_of(s, &t->q) };

		record(a, s, &e);
		t->counted = t->q.id;
	}
	(void)answer_send(s->calls.fd, t->q.id, osh_refused_errno(&t->q.data));
	memset(&t->q, 0, sizeof(t->q));	/* RECV wants it so */
}

/* By hand: oshd and osh-launch hold the same listener, so closing ours does not end the watch. */
static void stop(struct calls *c)
{
	if (c->fd >= 0)
		(void)epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
	own_close(&c->fd);
}

void calls_answer(struct audit *a, struct asandbox *s, int most)
{
	struct calls *c = &s->calls;

	if (c->fd >= 0 && c->tally->q.id)	/* its taker died */
		finish(a, s);
	for (int i = 0; c->fd >= 0 && i < most; i++) {
		struct pollfd p = { .fd = c->fd, .events = POLLIN };

		/* RECV would wait, so ask. It may find nothing: the caller was killed in between. */
		if (poll(&p, 1, 0) <= 0)
			return;
		if (!(p.revents & POLLIN)) {	/* nobody is left under the filter */
			stop(c);
			return;
		}
		if (!ioctl(c->fd, SECCOMP_IOCTL_NOTIF_RECV, &c->tally->q))
			finish(a, s);
	}
}

void calls_round(int epoll_fd, struct audit *a)
{
	struct epoll_event ev[16];
	int n = epoll_wait(epoll_fd, ev, ARRAY_SIZE(ev), 0);

	for (int i = 0; i < n; i++) {
		struct asandbox *s = asandbox_find(a, ev[i].data.u32);

		if (s)
			calls_answer(a, s, TURN);
	}
}

int calls_watch(int epoll_fd, struct asandbox *s, uint32_t uid, int listener, int tally_fd)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct calls *c = &s->calls;
	struct stat st;

	if (c->fd >= 0 || fstat(tally_fd, &st) < 0 || st.st_size != OSH_TALLY_BYTES) {
		close(listener);
		return -EPROTO;
	}
	c->fd = listener;
	c->epoll_fd = epoll_fd;
	c->uid = uid;
	c->tally = mmap(NULL, OSH_TALLY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, tally_fd, 0);
	if (c->tally == MAP_FAILED) {
		c->tally = NULL;
		stop(c);
		return -ENOMEM;
	}
	if (c->tally->n > DISTINCT)
		c->tally->n = DISTINCT;
	for (uint32_t i = 0; i < c->tally->n; i++)
		asandbox_recall(s, &c->tally->at[i].first, c->tally->at[i].count);
	ev.data.u32 = s->id;
	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &ev) < 0 ? -errno : 0;
}

uint64_t calls_overflow(const struct calls *c)
{
	return c->tally ? c->tally->overflow : 0;
}

void calls_done(struct calls *c)
{
	stop(c);
	if (c->tally)
		munmap(c->tally, OSH_TALLY_BYTES);
	c->tally = NULL;
}
