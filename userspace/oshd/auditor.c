/* SPDX-License-Identifier: Apache-2.0 */
/*
 * osh-audit holds no state that cannot be given again: when it dies, another is started and every
 * living sandbox is announced to it; the rings hold what happened in between.
 */
#include "auditor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "chan.h"
#include "own.h"
#include "sandbox.h"
#include "spawn.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif
#define RESTARTS_PER_MINUTE 20
#define STOP_MS 5000
#define SEND_SECONDS 2			/* oshd waits no longer for room in osh-audit's socket */
#define ANSWER_US 15000000		/* an END drains full rings first: seconds, not more */

struct auditor {
	int fd, pidfd;
	pid_t pid;
	sd_event_source *io;
	time_t window;
	unsigned restarts;
	int unanswered;			/* ENDs that wait for their ENDED */
	sd_event_source *timer;
};

static int spawn(struct daemon *d, struct auditor *a, struct err *e);
static void watch_answers(struct daemon *d, int more);

static void lost(struct daemon *d)
{
	struct auditor *a = d->auditor;
	time_t now = time(NULL);
	struct err e = { 0 };

	a->io = sd_event_source_disable_unref(a->io);
	a->unanswered = 0;
	watch_answers(d, 0);
	own_close(&a->fd);
	own_close(&a->pidfd);
	kill(a->pid, SIGKILL);		/* our child, not yet reaped: the pid is still its own */
	waitpid(a->pid, NULL, 0);
	a->pid = 0;
	if (now - a->window > 60) {
		a->window = now;
		a->restarts = 0;
	}
	fprintf(stderr, "oshd: osh-audit ended; starting another\n");
	if (a->restarts++ >= RESTARTS_PER_MINUTE || spawn(d, a, &e) < 0) {
		fprintf(stderr, "oshd: no audit, so no sandbox: %s\n", e.text);
		sd_event_exit(d->event, 1);
		return;
	}
	sandbox_announce_all(d);
}

static int on_no_answer(sd_event_source *s, uint64_t usec, void *data)
{
	(void)s;
	(void)usec;
	fprintf(stderr, "oshd: osh-audit does not answer\n");
	lost(data);
	return 0;
}

/* A stopped osh-audit looks alive. One that leaves an END unanswered for so long is replaced. */
static void watch_answers(struct daemon *d, int more)
{
	struct auditor *a = d->auditor;

	a->unanswered += more;
	a->timer = sd_event_source_disable_unref(a->timer);
	if (a->unanswered > 0 && sd_event_add_time_relative(d->event, &a->timer, CLOCK_MONOTONIC,
							   ANSWER_US, 0, on_no_answer, d) < 0)
		fprintf(stderr, "oshd: no timer to watch osh-audit\n");
}

static int on_message(sd_event_source *s, int fd, uint32_t events, void *data)
{
	struct daemon *d = data;
	const struct osh_msg_id *m;
	struct chan_in in;
	int r = chan_recv(fd, &in);

	(void)s;
	(void)events;
	if (r == -EAGAIN)
		return 0;
	m = r > 0 ? chan_is(&in, OSH_MSG_AUDIT_ENDED, sizeof(*m), 0) : NULL;
	if (!m) {
		if (r > 0)
			chan_in_done(&in);
		lost(d);
		return 0;
	}
	watch_answers(d, -1);
	sandbox_reported(d, m->id);
	return 0;
}

static int spawn(struct daemon *d, struct auditor *a, struct err *e)
{
	static const struct {
		const char *name;
		int mapped;		/* needs the map itself; else a descriptor that can only look up */
	} maps[] = {			/* enum audit_fd */
		{ "ring_deny", 1 }, { "ring_allow", 1 }, { "denials", 0 }, { "idents", 0 }, { "addrs", 0 },
		{ "sandboxes", 0 }, { "task_data", 0 }, { "tasks", 0 }, { "lane_slots", 1 }, { "lane_tails", 1 },
	};
	char uid[16];
	char *argv[] = { "osh-audit", uid, d->config.embedded ? "embedded" : "resident", NULL };
	struct timeval patience = { .tv_sec = SEND_SECONDS };
	int fds[1 + ARRAY_SIZE(maps)], pair[2], r;

	snprintf(uid, sizeof(uid), "%u", OSH_UID_AUDIT);
	r = chan_pair(pair);
	if (r < 0)
		return fail(e, -r, "socketpair: %s", strerror(-r));
	fds[0] = pair[1];
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		fds[1 + i] = maps[i].mapped ? kbpf_map_fd(d->kernel, maps[i].name) :
					      kbpf_map_fd_ro(d->kernel, maps[i].name);
	r = spawn_role(d->libexec_fd, "osh-audit", argv, fds, ARRAY_SIZE(fds), &a->pid, &a->pidfd, e);
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		if (!maps[i].mapped)
			own_close(&fds[1 + i]);
	close(pair[1]);
	a->fd = pair[0];
	if (r < 0)
		return r;
	if (setsockopt(a->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
		return fail(e, errno, "osh-audit's socket: %s", strerror(errno));
	r = sd_event_add_io(d->event, &a->io, a->fd, EPOLLIN, on_message, d);
	return r < 0 ? fail(e, -r, "watch osh-audit: %s", strerror(-r)) : 0;
}

int auditor_start(struct daemon *d, struct err *e)
{
	d->auditor = calloc(1, sizeof(*d->auditor));
	if (!d->auditor)
		return fail(e, ENOMEM, "out of memory");
	d->auditor->fd = d->auditor->pidfd = -1;
	return spawn(d, d->auditor, e);
}

void auditor_stop(struct daemon *d)
{
	struct auditor *a = d->auditor;

	if (!a)
		return;
	a->io = sd_event_source_disable_unref(a->io);
	a->timer = sd_event_source_disable_unref(a->timer);
	own_close(&a->fd);		/* end of input: it drains and exits */
	spawn_reap(a->pid, &a->pidfd, STOP_MS);
	free(a);
	d->auditor = NULL;
}

int auditor_add(struct daemon *d, const struct sandbox *s, struct err *e)
{
	struct osh_msg_audit_add m = { .id = s->k.id, .uid = s->uid, .slot = s->k.slot, .generation = s->k.generation,
				       .again = s->state == SB_RUNNING,
				       .has_log = s->log_fd >= 0, .has_summary = s->summary_fd >= 0 };
	int fds[4] = { s->bundle_fd, s->records_in_fd }, n = 2, r;

	snprintf(m.name, sizeof(m.name), "%s", s->name);
	if (s->log_fd >= 0)
		fds[n++] = s->log_fd;
	if (s->summary_fd >= 0)
		fds[n++] = s->summary_fd;
	r = chan_send(d->auditor->fd, OSH_MSG_AUDIT_ADD, &m, sizeof(m), fds, n);
	if (r < 0)
		return fail(e, -r, "announce the sandbox to osh-audit: %s", strerror(-r));
	return m.again ? auditor_calls(d, s, e) : 0;
}

/* Of a fixed size for whoever maps it: a shorter one would end osh-audit with SIGBUS. */
int auditor_tally(int *ret_fd, struct err *e)
{
	*ret_fd = memfd_create("osh-tally", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (*ret_fd < 0 || ftruncate(*ret_fd, OSH_TALLY_BYTES) < 0 ||
	    fcntl(*ret_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return fail(e, errno, "memory for refused calls: %s", strerror(errno));
	return 0;
}

int auditor_calls(struct daemon *d, const struct sandbox *s, struct err *e)
{
	struct osh_msg_audit_calls m = { .id = s->k.id, .run_uid = s->run_uid };
	const int fds[] = { s->calls_fd, s->tally_fd };
	int r = chan_send(d->auditor->fd, OSH_MSG_AUDIT_CALLS, &m, sizeof(m), fds, ARRAY_SIZE(fds));

	return r < 0 ? fail(e, -r, "give osh-audit the refused calls: %s", strerror(-r)) : 0;
}

int auditor_policy(struct daemon *d, const struct sandbox *s, struct err *e)
{
	struct osh_msg_audit_policy m = { .id = s->k.id, .generation = s->k.generation };
	int r = chan_send(d->auditor->fd, OSH_MSG_AUDIT_POLICY, &m, sizeof(m), &s->bundle_fd, 1);

	return r < 0 ? fail(e, -r, "give osh-audit the new policy: %s", strerror(-r)) : 0;
}

int auditor_end(struct daemon *d, uint32_t id)
{
	struct osh_msg_id m = { .id = id };

	watch_answers(d, 1);		/* also where the send fails: a full socket is no answer */
	return chan_send(d->auditor->fd, OSH_MSG_AUDIT_END, &m, sizeof(m), NULL, 0);
}
