/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests go out, answers come back in any order and name their sandbox. A broken answer or a dead
 * osh-launch ends oshd's use of it at once: nothing new starts, what runs stays enforced.
 */
#include "launcher.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "across.h"
#include "chan.h"
#include "own.h"
#include "renew.h"
#include "sandbox.h"
#include "spawn.h"
#include "store.h"

#define STOP_MS 10000			/* an embedded one removes its cgroups first */
#define REAP_MS 200			/* from its closed socket to its end, where it was killed */
#define RETRY_US 500000			/* where another cannot be started */
#define TOLD_EACH 64			/* messages about one sandbox that it kept */

struct launcher {
	int fd;
	pid_t pid;			/* 0 when it is not our child */
	bool fresh;			/* of this build, and it keeps nothing yet */
	int pidfd;
	char path[300];			/* where a resident one listens */
	sd_event_source *io;
};

static void start_another(struct daemon *d);
static void launcher_drop(struct daemon *d);

static void reap(struct launcher *l)
{
	struct pollfd p = { .fd = l->pidfd, .events = POLLIN };

	if (l->pid > 0 && poll(&p, 1, REAP_MS) > 0)
		waitpid(l->pid, NULL, 0);
	own_close(&l->pidfd);
}

static int on_retry(sd_event_source *s, uint64_t usec, void *data)
{
	(void)s;
	(void)usec;
	start_another(data);
	return 0;
}

/* It keeps everything that the former one kept, from our own descriptors. */
static void start_another(struct daemon *d)
{
	struct err e = { 0 };

	if (launcher_start(d, &e) >= 0 && sandbox_store_all(d, &e) >= 0)
		return;
	fprintf(stderr, "oshd: %s; what runs stays enforced; trying again\n", e.text);
	launcher_drop(d);
	if (sd_event_add_time_relative(d->event, NULL, CLOCK_MONOTONIC, RETRY_US, 0, on_retry, d) < 0)
		sd_event_exit(d->event, 1);
}

static void lost(struct daemon *d, const char *why)
{
	fprintf(stderr, "oshd: osh-launch is gone (%s)%s\n", why, d->config.embedded ? "" : "; starting another");
	launcher_drop(d);
	sandbox_launcher_lost(d);
	if (d->config.embedded) {
		sd_event_exit(d->event, 1);
		return;
	}
	start_another(d);
	sandbox_unheard(d);		/* with one that they can go on with */
}

static void routed(struct daemon *d, const struct osh_msg_failed *f);

/* 1 = the last of the stored sandboxes has been told. */
static int answer(struct daemon *d, struct chan_in *in)
{
	const struct osh_msg_programs *g;
	const struct osh_msg_tree *t;
	const struct osh_msg_stored *st;
	struct err e = { 0 };
	const struct osh_msg_prepared *p;
	const struct osh_msg_failed *f;

	if ((p = chan_is(in, OSH_MSG_PREPARED, sizeof(*p), OSH_PFD_MAX)))
		sandbox_prepared(d, p, in);
	else if ((p = chan_is(in, OSH_MSG_SPAWNED, sizeof(*p), 1)))
		sandbox_egress_up(d, p, in);
	else if (chan_is(in, OSH_MSG_WENT, sizeof(struct osh_msg_id), 0))
		sandbox_went(d, ((const struct osh_msg_id *)(const void *)in->bytes)->id);
	else if ((f = chan_is(in, OSH_MSG_FAILED, sizeof(*f), 0)))
		sandbox_failed(d, f);
	else if ((f = chan_is(in, OSH_MSG_ROUTED, sizeof(*f), 0)))
		routed(d, f);
	else if ((g = chan_is_programs(in)))
		sandbox_programs(d, g, in);
	else if ((t = chan_is(in, OSH_MSG_TREE, sizeof(*t), 1)))
		sandbox_tree(d, t, in);
	else if ((st = chan_is(in, OSH_MSG_STORED, sizeof(*st), OSH_SFD_MAX))) {
		if (store_adopt(d, st, in, &e) < 0)
			fprintf(stderr, "oshd: not adopted: %s\n", e.text);
	} else if (chan_is(in, OSH_MSG_STORED_ALL, sizeof(struct osh_msg_id), 0))
		return 1;
	else
		lost(d, "it sent an unknown message");
	return 0;
}

static int on_answer(sd_event_source *s, int fd, uint32_t events, void *data)
{
	struct daemon *d = data;
	struct chan_in in;
	int r = chan_recv(fd, &in);

	(void)s;
	(void)events;
	if (r == -EAGAIN)
		return 0;
	if (r <= 0) {
		lost(d, r ? strerror(-r) : "it closed its socket");
		return 0;
	}
	answer(d, &in);
	chan_in_done(&in);
	return 0;
}

static int spawn(struct daemon *d, struct launcher *l, char *path, struct err *e)
{
	char *resident[] = { "osh-launch", "--listen", path, NULL };
	char *embedded[] = { "osh-launch", "--embedded", NULL };
	int pair[2], r;

	l->fresh = true;
	if (d->config.launcher)
		return renew_ask(d->config.launcher, path, &l->fd, e);
	r = chan_pair(pair);
	if (r < 0)
		return fail(e, -r, "socketpair: %s", strerror(-r));
	r = spawn_role(d->libexec_fd, "osh-launch", d->config.embedded ? embedded : resident,
		       &pair[1], 1, &l->pid, &l->pidfd, e);
	close(pair[1]);
	if (r < 0) {
		close(pair[0]);
		return r;
	}
	l->fd = pair[0];
	return 0;
}

/* A resident osh-launch that outlived its oshd waits on a socket that only root reaches. */
static int reconnect(struct launcher *l)
{
	int fd = renew_connect(l->path);

	l->fd = fd < 0 ? -1 : fd;
	return fd < 0 ? fd : 0;
}

/* osh-launch speaks first to a new peer: what it keeps, then that it was all. Blocks; bounded. */
static int adopt_all(struct daemon *d, struct launcher *l, struct err *e)
{
	struct timeval limit = { .tv_sec = 5 };

	if (setsockopt(l->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		return fail(e, errno, "osh-launch: %s", strerror(errno));
	for (unsigned i = 0; i <= OSH_SLOTS * TOLD_EACH; i++) {
		struct chan_in in;
		int r = chan_recv(l->fd, &in);

		if (r <= 0)
			return fail(e, EPROTO, "the resident osh-launch does not answer; end it and retry");
		r = answer(d, &in);
		chan_in_done(&in);
		if (r)
			return 0;
	}
	return fail(e, EPROTO, "the resident osh-launch has too much to say");
}

static int watch(struct daemon *d, struct launcher *l, struct err *e)
{
	int r = sd_event_add_io(d->event, &l->io, l->fd, EPOLLIN, on_answer, d);

	if (r < 0)
		return fail(e, -r, "watch osh-launch: %s", strerror(-r));
	/* Answers open the way for everything else: before new requests. */
	sd_event_source_set_priority(l->io, SD_EVENT_PRIORITY_IMPORTANT);
	return 0;
}

int launcher_start(struct daemon *d, struct err *e)
{
	struct launcher *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return fail(e, ENOMEM, "out of memory");
	l->fd = l->pidfd = -1;
	snprintf(l->path, sizeof(l->path), "%s/launch-%d", d->run, OSH_ABI);
	d->launcher = l;
	if (d->config.embedded || reconnect(l) < 0)
		r = spawn(d, l, l->path, e);
	else
		r = adopt_all(d, l, e);
	if (r < 0)
		return r;
	across_all(d);
	return watch(d, l, e);
}

static int tell_next(struct daemon *d, struct launcher *next, struct err *e)
{
	char place[sizeof(next->path)];
	int r;

	renew_place(next->path, place, sizeof(place));
	r = spawn(d, next, place, e);
	if (!r)
		r = sandbox_store_all(d, e);
	return r ? r : renew_take_over(next->path, e);
}

void launcher_renew(struct daemon *d)
{
	struct launcher *l = d->launcher, was = *l;
	struct err e = { 0 };

	if (d->config.embedded || was.fresh || !renew_other(d->libexec_fd, was.fd))
		return;
	l->fd = l->pidfd = -1;
	l->io = NULL;
	if (tell_next(d, l, &e) < 0 || watch(d, l, &e) < 0) {
		fprintf(stderr, "oshd: the former osh-launch stays: %s\n", e.text);
		own_close(&l->fd);
		if (l->pid > 0)
			kill(l->pid, SIGKILL);
		spawn_reap(l->pid, &l->pidfd, REAP_MS);
		*l = was;
		return;
	}
	sd_event_source_disable_unref(was.io);
	own_close(&was.fd);
	renew_bury(l->path);
	fprintf(stderr, "oshd: another build's osh-launch has been replaced\n");
}

static void launcher_drop(struct daemon *d)
{
	struct launcher *l = d->launcher;

	if (!l)
		return;
	l->io = sd_event_source_disable_unref(l->io);
	own_close(&l->fd);
	reap(l);
	free(l);
	d->launcher = NULL;
}

void launcher_stop(struct daemon *d, bool all)
{
	struct launcher *l = d->launcher;

	if (l && all) {
		own_close(&l->fd);
		if (l->pid > 0 && !d->config.embedded)
			kill(l->pid, SIGTERM);
		spawn_reap(l->pid, &l->pidfd, STOP_MS);
		unlink(l->path);
	}
	launcher_drop(d);
}

static int send_to(struct daemon *d, unsigned type, void *m, size_t size, const int *fds, int n,
		   struct err *e)
{
	int r;

	if (!d->launcher || d->launcher->fd < 0)
		return fail(e, ENOTCONN, "osh-launch is not running");
	r = chan_send(d->launcher->fd, type, m, size, fds, n);
	return r < 0 ? fail(e, -r, "ask osh-launch: %s", strerror(-r)) : 0;
}

int launcher_launch(struct daemon *d, struct osh_msg_launch *m, const int fds[OSH_LFD_MAX],
		    struct err *e)
{
	return send_to(d, OSH_MSG_LAUNCH, m, sizeof(*m), fds, OSH_LFD_MAX, e);
}

int launcher_mount(struct daemon *d, struct osh_msg_mount *m, int dir_fd, struct err *e)
{
	return send_to(d, OSH_MSG_MOUNT, m, sizeof(*m), &dir_fd, 1, e);
}

int launcher_go(struct daemon *d, uint32_t id, struct err *e)
{
	struct osh_msg_id m = { .id = id };

	return send_to(d, OSH_MSG_GO, &m, sizeof(m), NULL, 0, e);
}

int launcher_egress(struct daemon *d, struct osh_msg_egress *m, const int fds[OSH_EFD_MAX],
		    struct err *e)
{
	return send_to(d, OSH_MSG_SPAWN_EGRESS, m, sizeof(*m), fds, OSH_EFD_MAX, e);
}

int launcher_routes(struct sandbox *s, int next_fd, uint32_t flags, launcher_routed *done, struct err *e)
{
	struct osh_msg_routes m = { .id = s->k.id, .flags = flags };
	const int fds[OSH_RFD_MAX] = { [OSH_RFD_NETNS] = s->netns_fd, [OSH_RFD_NEXT] = next_fd,
				       [OSH_RFD_WAS] = s->bundle_fd, [OSH_RFD_PIDFD] = s->pidfd };
	int r;

	if (s->routed)			/* whose answer is whose, nobody could tell */
		return fail(e, EBUSY, "osh-launch has not answered about the last policy of '%s' yet; try again", s->name);
	r = send_to(s->d, OSH_MSG_ROUTES, &m, sizeof(m), fds, OSH_RFD_MAX, e);
	if (!r)
		s->routed = done;
	return r;
}

static void routed(struct daemon *d, const struct osh_msg_failed *f)
{
	struct sandbox *s = sandbox_by_id(d, f->id);
	launcher_routed *done = s ? s->routed : NULL;
	char text[sizeof(f->text) + 1];

	if (!done)
		return;
	s->routed = NULL;
	snprintf(text, sizeof(text), "%.*s", (int)sizeof(f->text), f->text);
	done(s, f->code, text);
}

void launcher_unheard(struct sandbox *s)
{
	launcher_routed *done = s->routed;

	s->routed = NULL;
	if (done)
		done(s, ECHILD, "osh-launch ended");
}

int launcher_store(struct daemon *d, struct osh_msg_stored *m, const int fds[OSH_SFD_MAX],
		   struct err *e)
{
	return send_to(d, OSH_MSG_STORE, m, sizeof(*m), fds, OSH_SFD_MAX, e);
}

int launcher_programs(struct daemon *d, uint32_t id, const int *fds, uint32_t n, struct err *e)
{
	for (uint32_t i = 0, more; i < n; i += more) {
		struct osh_msg_programs m = { .id = id };
		int r;

		m.n = more = n - i < OSH_PROGRAMS_MSG ? n - i : OSH_PROGRAMS_MSG;
		r = send_to(d, OSH_MSG_PROGRAMS, &m, sizeof(m), fds + i, (int)more, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int launcher_probe(struct daemon *d, int out_fd, struct err *e)
{
	struct osh_msg_id m = { 0 };

	return send_to(d, OSH_MSG_PROBE, &m, sizeof(m), &out_fd, 1, e);
}

int launcher_forget(struct daemon *d, uint32_t id, struct err *e)
{
	struct osh_msg_id m = { .id = id };

	return send_to(d, OSH_MSG_FORGET, &m, sizeof(m), NULL, 0, e);
}
