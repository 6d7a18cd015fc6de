/* SPDX-License-Identifier: Apache-2.0 */
#include "egress.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "control.h"
#include "counts.h"
#include "launcher.h"
#include "note.h"
#include "own.h"
#include "provider.h"
#include "reload.h"
#include "root.h"
#include "sandbox.h"
#include "store.h"
#include "upstream.h"

#define REST_US 100000			/* between two starts, so that a crash loop is no load */
#define MAX_STARTS 1000

static int text_fd(const char *path)
{
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : -1;

	return fd >= 0 ? fd : memfd_create("empty", MFD_CLOEXEC);
}

/* Everything an egress holds, as osh/msg.h lists it. */
static int ask(struct sandbox *s, struct err *e)
{
	struct osh_msg_egress m = { .id = s->k.id, .generation = s->k.generation, .slot = s->k.slot,
				    .uid = OSH_UID_EGRESS + s->k.slot,
				    .gid = OSH_UID_EGRESS + s->k.slot };
	_close_ int resolv = text_fd("/etc/resolv.conf");
	_close_ int hosts = s->hosts_fd >= 0 ? fcntl(s->hosts_fd, F_DUPFD_CLOEXEC, 3) : text_fd(NULL);
	_close_ int creds = s->creds_fd >= 0 ? fcntl(s->creds_fd, F_DUPFD_CLOEXEC, 3) : text_fd(NULL);
	_close_ int none = s->root_fd < 0 ? root_none() : -1;
	_close_ int addrs = kbpf_map_fd_ro(s->d->kernel, "addrs");
	_close_ int idents = kbpf_map_fd_ro(s->d->kernel, "idents");
	_close_ int sandboxes = kbpf_map_fd_ro(s->d->kernel, "sandboxes"), control = -1;
	int fds[OSH_EFD_MAX], r;

	if (addrs < 0 || idents < 0 || sandboxes < 0)
		return fail(e, EIO, "no read-only descriptor of the tables");
	if (s->root_fd < 0 && none < 0)
		return fail(e, errno, "memfd: %s", strerror(errno));
	if (resolv < 0 || hosts < 0 || creds < 0)
		return fail(e, errno, "open the resolver's configuration: %s", strerror(errno));
	r = upstream_trust(s, resolv, hosts, e);
	if (!r)
		r = control_open(s, &control, e);
	if (!r)
		r = control_watch(s, e);
	if (!r)
		r = choice_tell(s, e);	/* it reads that before it takes a connection */
	if (!r && !s->d->config.embedded)
		r = store_save(s, e);	/* the next oshd must be able to reach it */
	if (r < 0)
		return r;
	memcpy(m.net6, s->k.net6, sizeof(m.net6));
	fds[OSH_EFD_BUNDLE] = s->bundle_fd;
	fds[OSH_EFD_LISTENER] = s->listener_fd;
	fds[OSH_EFD_AUDIT] = s->records_out_fd;
	fds[OSH_EFD_PIDFD] = s->pidfd;
	fds[OSH_EFD_ADDRS] = addrs;
	fds[OSH_EFD_IDENTS] = idents;
	fds[OSH_EFD_RESOLV] = resolv;
	fds[OSH_EFD_HOSTS] = hosts;
	fds[OSH_EFD_CREDS] = creds;
	fds[OSH_EFD_ROOT] = s->root_fd < 0 ? none : s->root_fd;
	fds[OSH_EFD_ANCHORS] = s->root_fd < 0 ? none : s->anchors_fd;
	fds[OSH_EFD_SANDBOXES] = sandboxes;
	fds[OSH_EFD_CONTROL] = control;
	fds[OSH_EFD_CGROUP] = s->egress_cgroup_fd;
	return launcher_egress(s->d, &m, fds, e);
}

static int on_rested(sd_event_source *src, uint64_t usec, void *data)
{
	struct sandbox *s = data;

	(void)src;
	(void)usec;
	s->egress.rest = sd_event_source_unref(s->egress.rest);
	s->egress.state = EGRESS_NONE;
	if (s->egress.wait)
		sd_event_source_set_enabled(s->egress.wait, SD_EVENT_ON);
	return 0;
}

/* No egress for a moment: connections wait in the listener's backlog, nothing leaves. */
static void rest(struct sandbox *s)
{
	s->egress.state = EGRESS_RESTING;
	if (s->egress.starts >= MAX_STARTS) {
		note(s->name, s->uid, "egress died %u times; no more", s->egress.starts);
		return;
	}
	if (sd_event_add_time_relative(s->d->event, &s->egress.rest, CLOCK_MONOTONIC, REST_US, 0,
				       on_rested, s) < 0)
		note(s->name, s->uid, "no timer; its egress stays down");
}

/* While a policy is loaded: the next one starts with what comes of that, so there is no reason to rest. */
static void gone_while_held(struct sandbox *s)
{
	s->egress.state = EGRESS_NONE;
	reload_egress_gone(s);
}

enum egress_state egress_hold(struct sandbox *s)
{
	struct egress *g = &s->egress;

	g->held = true;
	g->rest = sd_event_source_disable_unref(g->rest);
	sd_event_source_set_enabled(g->wait, SD_EVENT_OFF);
	if (g->state == EGRESS_RESTING)
		g->state = EGRESS_NONE;
	return g->state;
}

void egress_kill(struct sandbox *s)
{
	cgroup_kill_members(s->egress_cgroup_fd);
}

void egress_release(struct sandbox *s)
{
	s->egress.held = false;
	if (s->egress.state == EGRESS_NONE)
		sd_event_source_set_enabled(s->egress.wait, SD_EVENT_ON);
}

static int on_connection(sd_event_source *src, int fd, uint32_t events, void *data)
{
	struct sandbox *s = data;
	struct err e = { 0 };

	(void)fd;
	(void)events;
	sd_event_source_set_enabled(src, SD_EVENT_OFF);
	if (s->egress.state != EGRESS_NONE || s->state != SB_RUNNING || s->egress.held)
		return 0;
	s->egress.state = EGRESS_ASKED;
	s->egress.starts++;
	if (ask(s, &e) < 0)
		egress_failed(s, e.text);
	return 0;
}

int egress_arm(struct sandbox *s, struct err *e)
{
	int r = sd_event_add_io(s->d->event, &s->egress.wait, s->listener_fd, EPOLLIN,
				on_connection, s);

	s->egress.pidfd = -1;
	return r < 0 ? fail(e, -r, "watch the listener: %s", strerror(-r)) : 0;
}

static int on_gone(sd_event_source *src, int fd, uint32_t events, void *data)
{
	struct sandbox *s = data;

	(void)src;
	(void)fd;
	(void)events;
	s->egress.exit = sd_event_source_disable_unref(s->egress.exit);
	own_close(&s->egress.pidfd);
	counts_egress_gone(s);
	control_close(s);
	provider_egress_gone(s);
	choice_egress_gone(s);
	if (s->state == SB_RUNNING && s->egress.held)
		gone_while_held(s);
	else if (s->state == SB_RUNNING)
		rest(s);
	else
		s->egress.state = EGRESS_NONE;
	return 0;
}

/* cgroup.events(7) tells when a former oshd's egress, whose pidfd died with it, has gone. */
static bool populated(int events_fd)
{
	char text[128];
	ssize_t n = pread(events_fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	return strstr(text, "populated 1") != NULL;
}

static int on_cgroup(sd_event_source *src, int fd, uint32_t events, void *data)
{
	return populated(fd) ? 0 : on_gone(src, fd, events, data);
}

/* Who lives in the cgroup is its egress. */
static int watch_living(struct sandbox *s, int *events_fd, struct err *e)
{
	struct egress *g = &s->egress;
	int r = sd_event_add_io(s->d->event, &g->exit, *events_fd, EPOLLPRI, on_cgroup, s);

	if (r < 0)
		return fail(e, -r, "watch the egress' cgroup: %s", strerror(-r));
	sd_event_source_set_io_fd_own(g->exit, 1);
	(void)take_fd(events_fd);
	g->state = EGRESS_UP;
	sd_event_source_set_enabled(g->wait, SD_EVENT_OFF);
	return 0;
}

int egress_adopt(struct sandbox *s, struct err *e)
{
	_close_ int fd = openat(s->egress_cgroup_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return fail(e, errno, "open cgroup.events: %s", strerror(errno));
	r = egress_arm(s, e);
	if (r < 0 || !populated(fd)) {
		control_close(s);
		return r;
	}
	r = control_watch(s, e);
	return r < 0 ? r : watch_living(s, &fd, e);
}

static void tell_up(struct sandbox *s)
{
	provider_egress_up(s);
	if (s->egress.held)		/* asked for before it was held */
		reload_egress_up(s);
}

void egress_up(struct sandbox *s, int pidfd)
{
	struct egress *g = &s->egress;

	g->state = EGRESS_UP;
	g->pidfd = pidfd;
	if (sd_event_add_io(s->d->event, &g->exit, pidfd, EPOLLIN, on_gone, s) < 0)
		note(s->name, s->uid, "cannot watch its egress");
	tell_up(s);
}

void egress_unheard(struct sandbox *s)
{
	_close_ int fd = -1;
	struct err e = { 0 };

	if (s->state != SB_RUNNING || s->egress.state != EGRESS_ASKED)
		return;
	fd = openat(s->egress_cgroup_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && populated(fd) && watch_living(s, &fd, &e) >= 0) {
		tell_up(s);
		return;
	}
	egress_kill(s);			/* never two at once */
	egress_failed(s, "osh-launch ended while it started it");
}

void egress_failed(struct sandbox *s, const char *why)
{
	note(s->name, s->uid, "egress: %s", why);
	counts_egress_gone(s);
	control_close(s);
	provider_egress_gone(s);
	choice_egress_gone(s);
	if (s->egress.held)
		gone_while_held(s);
	else
		rest(s);
}

void egress_end(struct sandbox *s)
{
	struct egress *g = &s->egress;

	g->wait = sd_event_source_disable_unref(g->wait);
	g->exit = sd_event_source_disable_unref(g->exit);
	g->rest = sd_event_source_disable_unref(g->rest);
	own_close(&g->pidfd);
	counts_egress_gone(s);
	control_close(s);
	provider_egress_gone(s);
	choice_egress_gone(s);
	g->held = false;
	if (s->egress_cgroup_fd >= 0)
		cgroup_kill(s->egress_cgroup_fd);
	g->state = EGRESS_NONE;
}
