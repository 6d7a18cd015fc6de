/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nothing here waits for one child: clone returns at once, and the child builds itself. One event a
 * turn, so that an event never speaks of a child that an earlier one has freed.
 */
#include "server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "chan.h"
#include "egress.h"
#include "follow.h"
#include "idmap.h"
#include "own.h"
#include "probing.h"
#include "program.h"
#include "start.h"

#define STARTING_MAX 64			/* sandboxes being built at once */
#define START_MS 30000			/* longest that one may take, oshd's part included */
#define FOLLOW_MS 3000			/* one that walks into a living sandbox; less than oshd waits */
#define IDLE_MS 2			/* without an event: time for a chore, which takes less */
#define GONE_MS 200			/* a killed process is gone in one, nearly always */
#define SEND_S 5			/* an oshd that does not read for so long is as good as dead */

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int watch(struct server *s, int fd, struct source *src)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = src };

	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

/* By hand: oshd and forked children hold the same open files, so closing ours would not end it. */
static void unwatch(struct server *s, int *fd)
{
	if (*fd < 0)
		return;
	epoll_ctl(s->epoll, EPOLL_CTL_DEL, *fd, NULL);
	own_close(fd);
}

static void drop(struct server *s, struct kin *k)
{
	unwatch(s, &k->channel);
	kin_reap(k);
	unwatch(s, &k->pidfd);
	kin_free(&s->family, k);
}

static void hear_out(struct server *s, int peer);

/* One that walks into a sandbox for somebody who does not wait for it any more: nobody else hears what it says. */
static void hush(struct server *s, struct kin *k)
{
	kin_kill(k);
	unwatch(s, &k->channel);
	kin_running(&s->family, k);
}

/* An embedded run ends with its oshd; a resident one keeps what runs and waits for the next. */
static void peer_lost(struct server *s)
{
	int peer = s->peer;

	s->peer = -1;
	if (peer >= 0)
		hear_out(s, peer);
	unwatch(s, &peer);
	mounts_done(&s->mounts);
	for (struct kin *k = s->family.first; k; k = k->next)
		if (k->kind == KIN_FOLLOW && k->state != KIN_RUNNING)
			hush(s, k);
		else if (s->embedded || k->state != KIN_RUNNING)
			kin_kill(k);
}

static void tell(struct server *s, unsigned type, void *msg, size_t size, const int *fds, int n)
{
	if (s->peer >= 0 && chan_send(s->peer, type, msg, size, fds, n) < 0)
		peer_lost(s);
}

static void tell_failed(struct server *s, uint32_t id, const struct err *e)
{
	struct osh_msg_failed f = { .id = id, .code = e->code };

	snprintf(f.text, sizeof(f.text), "%s", e->text);
	tell(s, OSH_MSG_FAILED, &f, sizeof(f), NULL, 0);
}

/* The child is to end, whatever it is doing. */
static void give_up(struct server *s, struct kin *k)
{
	if (k->kind == KIN_SANDBOX)
		keep_forget(&s->keep, k->id);
	kin_kill(k);
	drop(s, k);
}

/*
 * Told when it is undone: oshd may remove the cgroup at once. One that sits in a file system of its
 * caller's which never answers cannot even be killed; its pidfd says when it has gone, and nobody waits.
 */
static void fail_kin(struct server *s, struct kin *k, const struct err *e)
{
	uint32_t id = k->id;

	kin_kill(k);
	if (kin_gone(k, GONE_MS)) {
		give_up(s, k);
	} else {
		keep_forget(&s->keep, id);
		unwatch(s, &k->channel);
		kin_running(&s->family, k);
	}
	tell_failed(s, id, e);
}

static int keep_cgroup(struct server *s, struct kin *k, int fd)
{
	if (!s->embedded)
		return 0;
	k->cgroup_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return k->cgroup_fd < 0 ? -errno : 0;
}

static int start(struct server *s, const struct osh_msg_launch *m, const int *fds, const struct mounts *mounts,
		 struct err *e)
{
	_close_ int netns = -1;
	struct start_args a = { .m = m, .fds = fds, .init_fd = s->init_fd, .mounts = mounts, .filters = &s->filters,
				.windows = &s->windows, .machine = &s->machine, .nofile = s->nofile };
	struct kin *k;
	int r = start_check(m, e);

	if (!r)
		r = mounts_check(mounts, e);
	if (r < 0)
		return r;
	if (s->family.n_starting >= STARTING_MAX)
		return fail(e, EAGAIN, "%d sandboxes are being started already", STARTING_MAX);
	if (kin_find(&s->family, KIN_SANDBOX, m->id))
		return fail(e, EEXIST, "sandbox %u exists", m->id);
	k = kin_new(&s->family, KIN_SANDBOX, m->id);
	if (!k)
		return fail(e, ENOMEM, "out of memory");
	k->deadline_ms = now_ms() + START_MS;
	/* A test that leaves a layer out needs one without. */
	a.netns_fd = netns = m->off ? -1 : spare_take(&s->spare, m->net6);
	spare_hint(&s->spare, m->next_net6, fds[OSH_LFD_DNS]);
	r = start_sandbox(&a, &k->pid, &k->pidfd, &k->channel, e);
	if (!r && ((r = keep_cgroup(s, k, fds[OSH_LFD_CGROUP])) < 0 ||
		   (r = watch(s, k->pidfd, &k->on_exit)) < 0 ||
		   (r = watch(s, k->channel, &k->on_channel)) < 0))
		r = fail(e, -r, "watch a child: %s", strerror(-r));
	if (r < 0)
		give_up(s, k);
	return r;
}

static void on_launch(struct server *s, struct chan_in *in)
{
	const struct osh_msg_launch *m = (const void *)in->bytes;
	struct mounts mounts;
	struct err e = { 0 };

	if (mounts_take(&s->mounts, m->id, &mounts) < 0)
		(void)fail(&e, ENOMEM, "out of memory");
	else
		(void)start(s, m, in->fds, &mounts, &e);
	mounts_done(&mounts);
	if (e.code)
		tell_failed(s, m->id, &e);
}

/* Whether it may be mounted is said when the sandbox is to be built: a refusal then is its. */
static void on_mount(struct server *s, struct chan_in *in)
{
	if (mounts_add(&s->mounts, (const void *)in->bytes, chan_take(in, 0)) < 0)
		peer_lost(s);
}

static void on_go(struct server *s, struct chan_in *in)
{
	const struct osh_msg_id *m = (const void *)in->bytes;
	struct kin *k = kin_find(&s->family, KIN_SANDBOX, m->id);
	struct osh_msg_id go = { .id = m->id };

	if (!k || k->state != KIN_PREPARED)
		return;			/* it has died meanwhile; that was told */
	k->state = KIN_STARTING;
	if (chan_send(k->channel, OSH_MSG_GO, &go, sizeof(go), NULL, 0) < 0)
		kin_kill(k);
}

static int spawn_egress(struct server *s, const struct osh_msg_egress *m, const int *fds,
			struct err *e)
{
	struct osh_msg_prepared p = { .id = m->id };
	struct kin *k = kin_new(&s->family, KIN_EGRESS, m->id);
	int r;

	if (!k)
		return fail(e, ENOMEM, "out of memory");
	r = launch_egress(m, fds, &s->machine, &k->pid, &k->pidfd, e);
	kin_running(&s->family, k);
	if (!r && ((r = keep_cgroup(s, k, fds[OSH_EFD_CGROUP])) < 0 ||
		   (r = watch(s, k->pidfd, &k->on_exit)) < 0))
		r = fail(e, -r, "watch an egress: %s", strerror(-r));
	if (r < 0) {
		give_up(s, k);
		return r;
	}
	p.pid = (uint32_t)k->pid;
	tell(s, OSH_MSG_SPAWNED, &p, sizeof(p), &k->pidfd, 1);
	return 0;
}

static void on_spawn_egress(struct server *s, struct chan_in *in)
{
	const struct osh_msg_egress *m = (const void *)in->bytes;
	struct err e = { 0 };

	if (spawn_egress(s, m, in->fds, &e) < 0)
		tell_failed(s, m->id, &e);
}

/* The last that is heard of it, whether it has gone or not. */
static void followed(struct server *s, struct kin *k, int code, const char *text)
{
	struct osh_msg_failed f = { .id = k->id, .code = code };

	snprintf(f.text, sizeof(f.text), "%.*s", (int)sizeof(f.text) - 1, text);
	unwatch(s, &k->channel);
	kin_running(&s->family, k);
	tell(s, OSH_MSG_ROUTED, &f, sizeof(f), NULL, 0);
}

static void on_routes(struct server *s, struct chan_in *in)
{
	const struct osh_msg_routes *m = (const void *)in->bytes;
	struct osh_msg_failed f = { .id = m->id };
	struct kin *k = NULL;
	struct err e = { 0 };
	int r;

	if (!keep_has(&s->keep, m->id))
		r = fail(&e, ESRCH, "no sandbox %u", m->id);
	else if (!(k = kin_new(&s->family, KIN_FOLLOW, m->id)))
		r = fail(&e, ENOMEM, "out of memory");
	else
		r = follow_start(m, in->fds, &k->pid, &k->pidfd, &k->channel, &e);
	if (!r && ((r = watch(s, k->pidfd, &k->on_exit)) < 0 || (r = watch(s, k->channel, &k->on_channel)) < 0))
		r = fail(&e, -r, "watch a child: %s", strerror(-r));
	if (!r) {
		k->deadline_ms = now_ms() + FOLLOW_MS;
		return;
	}
	if (k) {
		kin_kill(k);
		drop(s, k);
	}
	f.code = e.code;
	memcpy(f.text, e.text, sizeof(f.text));
	tell(s, OSH_MSG_ROUTED, &f, sizeof(f), NULL, 0);
}

static void on_store(struct server *s, struct chan_in *in)
{
	int fds[OSH_SFD_MAX];

	for (int i = 0; i < OSH_SFD_MAX; i++)
		fds[i] = chan_take(in, i);
	if (keep_sandbox(&s->keep, (const void *)in->bytes, fds) < 0)
		peer_lost(s);		/* out of memory: better no oshd than one that counts on us */
}

static void on_forget(struct server *s, struct chan_in *in)
{
	uint32_t id = ((const struct osh_msg_id *)(const void *)in->bytes)->id;
	struct mounts none;

	for (struct kin *k = s->family.first; k; k = k->next)
		if (k->kind == KIN_FOLLOW && k->id == id)
			hush(s, k);
	keep_forget(&s->keep, id);
	(void)mounts_take(&s->mounts, id, &none);
	mounts_done(&none);
}

/* What it finds goes past us. Where none can be started, oshd sees the end of its pipe. */
static void on_probe(struct server *s, struct chan_in *in)
{
	struct kin *k = kin_new(&s->family, KIN_PROBE, 0);
	struct err e = { 0 };

	if (!k)
		return;
	(void)probing_start(in->fds[0], &s->machine, &k->pid, &k->pidfd, &e);
	kin_running(&s->family, k);
	if (!e.code && watch(s, k->pidfd, &k->on_exit) >= 0)
		return;
	fprintf(stderr, "osh-launch: %s\n", e.code ? e.text : "a probing cannot be watched");
	give_up(s, k);
}

static const struct {
	unsigned type;
	size_t size;
	int n_fds;
	void (*act)(struct server *, struct chan_in *);
} requests[] = {
	{ OSH_MSG_LAUNCH, sizeof(struct osh_msg_launch), OSH_LFD_MAX, on_launch },
	{ OSH_MSG_GO, sizeof(struct osh_msg_id), 0, on_go },
	{ OSH_MSG_SPAWN_EGRESS, sizeof(struct osh_msg_egress), OSH_EFD_MAX, on_spawn_egress },
	{ OSH_MSG_STORE, sizeof(struct osh_msg_stored), OSH_SFD_MAX, on_store },
	{ OSH_MSG_FORGET, sizeof(struct osh_msg_id), 0, on_forget },
	{ OSH_MSG_MOUNT, sizeof(struct osh_msg_mount), 1, on_mount },
	{ OSH_MSG_ROUTES, sizeof(struct osh_msg_routes), OSH_RFD_MAX, on_routes },
	{ OSH_MSG_PROBE, sizeof(struct osh_msg_id), 1, on_probe },
};

/* Of a former osh-launch, which was killed. */
static int on_old_programs(struct server *s, const struct osh_msg_programs *m, struct chan_in *in)
{
	int fds[OSH_PROGRAMS_MSG];

	for (uint32_t i = 0; i < m->n; i++)
		fds[i] = chan_take(in, (int)i);
	return keep_programs(&s->keep, m->id, fds, (int)m->n);
}

static void on_peer(struct server *s)
{
	const struct osh_msg_programs *p;
	struct chan_in in;
	int r = chan_recv(s->peer, &in);

	if (r > 0 && (p = chan_is_programs(&in)) && !on_old_programs(s, p, &in))
		return;

	for (size_t i = 0; r > 0 && i < ARRAY_SIZE(requests); i++)
		if (chan_is(&in, requests[i].type, requests[i].size, requests[i].n_fds)) {
			requests[i].act(s, &in);
			chan_in_done(&in);
			return;
		}
	if (r > 0)
		chan_in_done(&in);
	peer_lost(s);			/* gone, or it speaks another language */
}

/*
 * What a dead oshd had given us to keep counts, read or not: it went on from there (a reload is stored and then
 * takes effect). Nothing else of what it asked for does.
 */
static void hear_out(struct server *s, int peer)
{
	const struct osh_msg_programs *p;
	struct chan_in in;

	while (chan_recv_now(peer, &in) > 0) {
		if ((p = chan_is_programs(&in)))
			(void)on_old_programs(s, p, &in);
		else if (chan_is(&in, OSH_MSG_STORE, sizeof(struct osh_msg_stored), OSH_SFD_MAX))
			on_store(s, &in);
		else if (chan_is(&in, OSH_MSG_FORGET, sizeof(struct osh_msg_id), 0))
			on_forget(s, &in);
		chan_in_done(&in);
	}
}

static bool is_gone(int peer)
{
	struct pollfd p = { .fd = peer, .events = POLLIN };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));
}

static int adopt_peer(struct server *s, int fd)
{
	const struct timeval limit = { .tv_sec = SEND_S };
	int r;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	r = watch(s, fd, &s->on_peer);
	if (!r)
		s->peer = fd;
	return r;
}

static void on_listen(struct server *s)
{
	_close_ int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
	struct ucred c = { .uid = (uid_t)-1 };
	socklen_t n = sizeof(c);

	if (s->peer >= 0 && is_gone(s->peer))
		peer_lost(s);		/* its successor was quicker than its end */
	if (fd < 0 || s->peer >= 0)	/* one oshd; a second one is a mistake */
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &n) < 0 || c.uid != 0)
		return;
	if (adopt_peer(s, fd) < 0)
		return;
	fd = -1;
	if (keep_tell(&s->keep, s->peer) < 0)
		peer_lost(s);
}

static void on_prepared(struct server *s, struct kin *k, struct chan_in *in)
{
	struct osh_msg_prepared p;
	int fds[OSH_PFD_MAX] = { [OSH_PFD_PIDFD] = k->pidfd };

	memcpy(&p, in->bytes, sizeof(p));
	p.id = k->id;			/* ours, not the child's word */
	p.pid = (uint32_t)k->pid;
	p.warning[sizeof(p.warning) - 1] = 0;
	memcpy(fds + 1, in->fds, sizeof(int) * CHILD_FDS);
	k->state = KIN_PREPARED;
	tell(s, OSH_MSG_PREPARED, &p, sizeof(p), fds, OSH_PFD_MAX);
}

static int on_programs(struct server *s, struct kin *k, struct chan_in *in)
{
	struct osh_msg_programs p;
	int fds[OSH_PROGRAMS_MSG];

	memcpy(&p, in->bytes, sizeof(p));
	p.id = k->id;
	for (uint32_t i = 0; i < p.n; i++)
		fds[i] = chan_take(in, (int)i);
	tell(s, OSH_MSG_PROGRAMS, &p, sizeof(p), fds, (int)p.n);
	return keep_programs(&s->keep, k->id, fds, (int)p.n);
}

/* One message of a child that follows a policy, or its silence, which the pidfd will explain. */
static void on_follow(struct server *s, struct kin *k)
{
	const struct osh_msg_failed *f;
	struct chan_in in;
	int r = chan_recv(k->channel, &in), x = 0;

	if (r <= 0) {
		unwatch(s, &k->channel);
		return;
	}
	if (chan_is_programs(&in))
		x = on_programs(s, k, &in);
	else if ((f = chan_is(&in, OSH_MSG_ROUTED, sizeof(*f), 0)))
		followed(s, k, f->code, f->text);
	else
		x = -EPROTO;
	if (x < 0)
		followed(s, k, -x, x == -E2BIG ? "more programs in writable trees than can be held open; start a new "
						 "sandbox for that" : strerror(-x));
	chan_in_done(&in);
}

static void tell_went(struct server *s, struct kin *k)
{
	struct osh_msg_id m = { .id = k->id };

	kin_running(&s->family, k);
	tell(s, OSH_MSG_WENT, &m, sizeof(m), NULL, 0);
}

static int on_tree(struct server *s, struct kin *k, struct chan_in *in)
{
	struct osh_msg_tree t;
	int fd = chan_take(in, 0);

	memcpy(&t, in->bytes, sizeof(t));
	t.id = k->id;
	t.path[sizeof(t.path) - 1] = t.workdir[sizeof(t.workdir) - 1] = 0;
	tell(s, OSH_MSG_TREE, &t, sizeof(t), &fd, 1);
	if (t.kind == OSH_TREE_DIR || t.kind == OSH_TREE_FILE || t.kind == OSH_TREE_RUN || t.kind == OSH_TREE_RESERVED)
		return keep_programs(&s->keep, k->id, &fd, 1);
	close(fd);
	return 0;
}

/* One message of a child, or its silence: after GO a closed channel means that osh-init runs. */
static bool on_channel(struct server *s, struct kin *k)
{
	struct err e = { 0 };
	struct chan_in in;
	int r;

	if (k->kind == KIN_FOLLOW) {
		on_follow(s, k);
		return true;
	}
	r = chan_recv(k->channel, &in);
	if (r > 0 && k->state == KIN_PREPARING &&
	    chan_is(&in, OSH_MSG_PREPARED, sizeof(struct osh_msg_prepared), CHILD_FDS)) {
		on_prepared(s, k, &in);
	} else if (r > 0 && k->state == KIN_PREPARING && chan_is_programs(&in) &&
		   !on_programs(s, k, &in)) {
		;			/* PREPARED follows */
	} else if (r > 0 && k->state == KIN_PREPARING && chan_is(&in, OSH_MSG_TREE, sizeof(struct osh_msg_tree), 1) &&
		   !on_tree(s, k, &in)) {
		;
	} else if (r > 0) {
		const struct osh_msg_failed *f = chan_is(&in, OSH_MSG_FAILED, sizeof(*f), 0);

		(void)fail(&e, f && f->code > 0 ? f->code : EPROTO, "%.*s",
			   f ? (int)sizeof(f->text) : 0, f ? f->text : "");
		chan_in_done(&in);
		fail_kin(s, k, &e);
		return false;
	} else {
		if (k->state == KIN_STARTING)
			tell_went(s, k);
		unwatch(s, &k->channel);	/* still preparing: it has died, the pidfd says so next */
		return true;
	}
	chan_in_done(&in);
	return true;
}

static void on_exit_of(struct server *s, struct kin *k)
{
	struct err e = { 0 };

	/* Its last word may lie in the channel still. */
	while (k->channel >= 0)
		if (!on_channel(s, k))
			return;
	if (k->kind == KIN_FOLLOW && k->state != KIN_RUNNING)
		followed(s, k, ECHILD, "who was to walk into the sandbox died there");
	if (k->state != KIN_RUNNING) {
		(void)fail(&e, ECHILD, "the sandbox ended while it was being built");
		fail_kin(s, k, &e);
		return;
	}
	drop(s, k);
}

static void on_deadlines(struct server *s)
{
	struct err e = { 0 };
	uint64_t now = now_ms();

	for (struct kin *k = s->family.first; k; k = k->next) {
		if (k->state == KIN_RUNNING || now < k->deadline_ms)
			continue;
		kin_kill(k);		/* it may hang in a dead file server: not waited for here */
		if (k->kind == KIN_FOLLOW) {
			followed(s, k, ETIMEDOUT, "a file system in the sandbox does not answer");
			continue;
		}
		(void)fail(&e, ETIMEDOUT, "not ready after %d s", START_MS / 1000);
		unwatch(s, &k->channel);
		kin_running(&s->family, k);
		keep_forget(&s->keep, k->id);
		tell_failed(s, k->id, &e);
	}
}

static void on_event(struct server *s, struct source *src)
{
	if (src->what == SOURCE_PEER)
		on_peer(s);
	else if (src->what == SOURCE_LISTEN)
		on_listen(s);
	else if (src->what == SOURCE_CHANNEL)
		on_channel(s, src->kin);
	else
		on_exit_of(s, src->kin);
}

/* A resident one uses its free time for the next sandbox, not the time of one that is being built. */
static bool has_chores(const struct server *s)
{
	return !s->embedded && s->peer >= 0 && !s->family.n_starting &&
	       (spare_wanted(&s->spare) || idmap_wanted());
}

static void do_chore(struct server *s)
{
	if (idmap_wanted())		/* the quicker one first */
		idmap_ahead();
	else
		spare_make(&s->spare);
}

/* Milliseconds to wait for an event, -1 = for ever. One chore follows another while none comes. */
static int patience(const struct server *s, bool idle)
{
	if (has_chores(s))
		return idle ? 0 : IDLE_MS;
	return s->family.n_starting ? 1000 : -1;
}

int server_run(struct server *s)
{
	bool idle = false;

	/* Without a peer a resident one stays only while it has something to keep. */
	while (s->peer >= 0 || (!s->embedded && (s->family.n || s->keep.first))) {
		struct epoll_event ev;
		int n = epoll_wait(s->epoll, &ev, 1, patience(s, idle));

		if (n < 0 && errno != EINTR)
			break;
		idle = n == 0;
		if (n > 0)
			on_event(s, ev.data.ptr);
		else if (idle && has_chores(s))
			do_chore(s);
		if (s->family.n_starting)
			on_deadlines(s);
	}
	if (s->embedded)
		family_end(&s->family);
	if (s->listen_path)
		unlink(s->listen_path);
	return 0;
}

static int listen_at(struct server *s, const char *path, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	mode_t mask = umask(0177);
	int r;

	if (strlen(path) >= sizeof(a.sun_path))
		return fail(e, ENAMETOOLONG, "'%s': too long for a socket", path);
	strcpy(a.sun_path, path);
	unlink(path);			/* what a dead one left; a living one would have been found */
	s->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	r = s->listener < 0 || bind(s->listener, (struct sockaddr *)&a, sizeof(a)) < 0 ||
			    listen(s->listener, 4) < 0 ? -errno : 0;
	umask(mask);
	if (!r)
		r = watch(s, s->listener, &s->on_listen);
	if (r < 0)
		return fail(e, -r, "listen at '%s': %s", path, strerror(-r));
	s->listen_path = path;
	return 0;
}

/* A few descriptors per sandbox: as many as we may have; children get the old limit back. */
static int raise_limit(struct server *s, struct err *e)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &s->nofile) < 0)
		return fail(e, errno, "descriptor limit: %s", strerror(errno));
	l = (struct rlimit){ s->nofile.rlim_max, s->nofile.rlim_max };
	return setrlimit(RLIMIT_NOFILE, &l) < 0 ? fail(e, errno, "descriptor limit: %s", strerror(errno))
						: 0;
}

int server_init(struct server *s, int peer, bool embedded, const char *listen_path, const struct machine *machine,
		struct err *e)
{
	int r;

	*s = (struct server){ .embedded = embedded, .peer = -1, .listener = -1, .init_fd = -1, .machine = *machine,
			      .windows = { .fd = -1, .machine = &s->machine }, .spare = { .machine = &s->machine },
			      .on_peer = { SOURCE_PEER, NULL }, .on_listen = { SOURCE_LISTEN, NULL } };
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll < 0)
		return fail(e, errno, "epoll: %s", strerror(errno));
	if (fcntl(peer, F_SETFD, FD_CLOEXEC) < 0)
		return fail(e, errno, "descriptor %d: %s", peer, strerror(errno));
	r = adopt_peer(s, peer);
	if (r < 0)
		return fail(e, -r, "watch oshd: %s", strerror(-r));
	r = raise_limit(s, e);
	if (!r)
		r = program_copy("osh-init", &s->init_fd, e);
	if (!r)
		r = seccomp_compile(&s->filters, e);
	if (!r && listen_path)
		r = listen_at(s, listen_path, e);
	return r;
}
