/* SPDX-License-Identifier: Apache-2.0 */
#include "reload.h"

#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "across.h"
#include "cred/cred.h"
#include "flow.h"
#include "http/limits.h"
#include "osh/msg.h"
#include "own.h"

struct word {				/* one message of oshd's */
	union {
		struct osh_msg_head h;
		struct osh_msg_reload m;
		struct osh_msg_taken taken;
		struct osh_msg_choice choice;
		struct osh_msg_crossed crossed;
	};
	int fd;				/* -1 = none came */
};
#define WORD_BYTES offsetof(struct word, fd)

static void answer(struct reload *r, const struct osh_msg_reload *to, unsigned type, const struct err *e)
{
	struct osh_msg_reloaded m = { .h = { type, sizeof(m) }, .id = r->fs->policies.now->table.id,
				      .generation = to->generation, .serial = to->serial, .code = e->code };

	snprintf(m.text, sizeof(m.text), "%s", e->code ? e->text : "");
	/* Not heard: oshd finds no answer, and ends this process. */
	(void)send(r->control.fd, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/*
 * Everything that lives, by the policy in force; what ends is closed when it is answered. A timer: what is freed
 * here may have events in a batch that is being worked off.
 */
static void on_sweep(struct timer *t)
{
	struct reload *r = container_of(t, struct reload, sweep);
	struct err none = { 0 };

	flows_again(r->fs);
	conns_again(r->fs);
	pool_dials_again(r->fs);
	if (r->owes)
		answer(r, &r->owed, OSH_MSG_EGRESS_FLIPPED, &none);
	r->owes = false;
}

/* Called in the middle of a judgement: what it goes by is set right now, the rest at the loop's own level. */
static void on_flipped(struct generations *ps)
{
	struct flows *fs = container_of(ps, struct flows, policies);

	pool_again(fs);
	loop_disarm(fs->loop, &fs->reload.look);
	loop_arm(fs->loop, &fs->reload.sweep, TIMER_NOW);
}

static void on_look(struct timer *t)
{
	struct reload *r = container_of(t, struct reload, look);

	(void)generation_now(&r->fs->policies);
	if (r->fs->policies.next)
		loop_arm(r->fs->loop, &r->look, TIMER_GRACE);
}

static void drop_next(struct flows *fs)
{
	generation_put(fs->policies.next);
	fs->policies.next = NULL;
	loop_disarm(fs->loop, &fs->reload.look);
}

static int take_next(struct reload *r, const struct word *w, struct err *e)
{
	struct generations *ps = &r->fs->policies;
	struct generation *now = generation_now(ps), *p = NULL;
	int x;

	drop_next(r->fs);
	if (w->m.generation != now->table.generation + 1)
		return fail(e, EPROTO, "generation %u cannot follow %u", w->m.generation, now->table.generation);
	x = generation_open(&p, &now->table, w->m.generation, w->fd, e);
	if (!x)
		x = reload_tls(r, &p->bundle, e);
	if (x < 0) {
		generation_put(p);
		return x;
	}
	ps->next = p;
	loop_arm(r->fs->loop, &r->look, TIMER_GRACE);
	return 0;
}

static void on_next(struct reload *r, struct word *w)
{
	struct err e = { 0 };

	if (take_next(r, w, &e) < 0 && !e.code)
		e.code = EIO;
	answer(r, &w->m, OSH_MSG_EGRESS_READY, &e);
}

/* The flip has been: nothing that the policy in force forbids is left when this is answered. */
static void on_flip(struct reload *r, struct word *w)
{
	struct flows *fs = r->fs;
	struct err e = { 0 };

	if (generation_now(&fs->policies)->table.generation != w->m.generation)
		fail(&e, EPROTO, "generation %u is not in force", w->m.generation);
	r->owes = !e.code && r->sweep.due_ms;
	r->owed = w->m;
	if (!r->owes)
		answer(r, &w->m, OSH_MSG_EGRESS_FLIPPED, &e);
}

static void on_drop(struct reload *r, struct word *w)
{
	(void)w;
	(void)generation_now(&r->fs->policies);	/* it may be in force by now: then there is nothing to drop */
	drop_next(r->fs);
}

/* A request that is judged from here on goes by it; one that was sent finishes with what it was sent with. */
static void on_creds(struct reload *r, struct word *w)
{
	struct err e = { 0 };
	int x = creds_next(&r->fs->creds, w->fd, &e);

	if (x == -ENOTRECOVERABLE)	/* the next egress begins with the new set */
		_exit(1);
	if (x < 0 && !e.code)
		e.code = EIO;
	if (e.code) {
		answer(r, &w->m, OSH_MSG_EGRESS_TAKEN, &e);
		return;
	}
	r->taken = w->m;
	loop_arm(r->fs->loop, &r->creds, TIMER_NOW);
}

/* Answered when what waits for a connection has none of the former set; at the loop's own level, as it may end. */
static void on_taken(struct timer *t)
{
	struct reload *r = container_of(t, struct reload, creds);
	struct err none = { 0 };

	conns_creds(r->fs);
	/* Whoever waits for a token: it may be another's now, or nobody's. */
	loop_arm(r->fs->loop, &r->fs->token_timer, TIMER_NOW);
	answer(r, &r->taken, OSH_MSG_EGRESS_TAKEN, &none);
}

static void on_count(struct reload *r, struct word *w)
{
	limits_taken(r->fs, &w->taken);
}

/* Calls that are judged from here on go by it; what is under way goes on. */
static void on_choice(struct reload *r, struct word *w)
{
	const struct osh_msg_reload to = { .serial = w->choice.serial };
	struct err none = { 0 };

	if (!memchr(w->choice.route, 0, sizeof(w->choice.route)) || !memchr(w->choice.model, 0, sizeof(w->choice.model)))
		return;
	r->fs->choice = w->choice;
	answer(r, &to, OSH_MSG_EGRESS_CHOSEN, &none);
}

static void on_crossed(struct reload *r, struct word *w)
{
	across_said(r->fs, &w->crossed, &w->fd);
}

static const struct {
	unsigned type;
	bool has_fd;
	size_t size;
	void (*act)(struct reload *, struct word *);
} words[] = {
	{ OSH_MSG_EGRESS_NEXT, true, sizeof(struct osh_msg_reload), on_next },
	{ OSH_MSG_EGRESS_FLIP, false, sizeof(struct osh_msg_reload), on_flip },
	{ OSH_MSG_EGRESS_DROP, false, sizeof(struct osh_msg_reload), on_drop },
	{ OSH_MSG_EGRESS_CREDS, true, sizeof(struct osh_msg_reload), on_creds },
	{ OSH_MSG_EGRESS_CHOICE, false, sizeof(struct osh_msg_choice), on_choice },
	{ OSH_MSG_ACROSS_GOT, true, sizeof(struct osh_msg_crossed), on_crossed },
	{ OSH_MSG_ACROSS_NOT, false, sizeof(struct osh_msg_crossed), on_crossed },
	{ OSH_MSG_COUNT_TAKEN, false, sizeof(struct osh_msg_taken), on_count },
};

/* 1 = a message, 0 = none, -1 = the other end is gone. One descriptor has room: the kernel closes what more there is. */
static int receive(int fd, struct word *w)
{
	struct iovec iov = { w, WORD_BYTES };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	ssize_t n;

	w->fd = -1;
	n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&w->fd, CMSG_DATA(c), sizeof(int));
	if (n >= (ssize_t)sizeof(w->h) && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && w->h.size == (size_t)n)
		return 1;
	own_close(&w->fd);
	return n ? 0 : -1;
}

static bool next_is(int fd, unsigned type)
{
	struct osh_msg_head h = { 0 };
	struct iovec iov = { &h, sizeof(h) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	return recvmsg(fd, &m, MSG_DONTWAIT | MSG_PEEK) == sizeof(h) && h.type == type;
}

static void on_control(struct watch *watch, uint32_t events)
{
	struct reload *r = container_of(watch, struct reload, control);
	struct word w;
	int n = receive(watch->fd, &w);

	(void)events;
	if (n < 0) {			/* no oshd and no osh-launch: the sandbox ends, and its pidfd tells */
		loop_unwatch(r->fs->loop, watch);
		return;
	}
	for (size_t i = 0; n && i < ARRAY_SIZE(words); i++)
		if (w.h.type == words[i].type && w.h.size == words[i].size && (w.fd >= 0) == words[i].has_fd)
			words[i].act(r, &w);
	if (n)
		own_close(&w.fd);
}

int reload_tls(struct reload *r, const struct bundle *b, struct err *e)
{
	int x;

	if (r->fs->tls || !bundle_opens_tls(b))
		return 0;
	x = tls_new(&r->fs->tls, r->root_fd, r->anchors_fd, e);
	if (x < 0)
		return x;
	own_close(&r->root_fd);
	own_close(&r->anchors_fd);
	return 0;
}

int reload_init(struct reload *r, struct flows *fs, int control_fd, struct err *e)
{
	int x;

	r->fs = fs;
	r->control = (struct watch){ control_fd, on_control };
	r->look.fn = on_look;
	r->sweep.fn = on_sweep;
	r->creds.fn = on_taken;
	fs->policies.flipped = on_flipped;
	x = loop_watch(fs->loop, &r->control, EPOLLIN);
	if (x < 0)
		return fail(e, -x, "watch oshd: %s", strerror(-x));
	if (next_is(control_fd, OSH_MSG_EGRESS_CHOICE))	/* said before this process began: true of the first connection */
		on_control(&r->control, EPOLLIN);
	return 0;
}
