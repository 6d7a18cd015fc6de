/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order of a start: identity and cgroups, ask osh-launch (it works in parallel), fill the kernel's
 * tables, announce to osh-audit; when osh-launch is prepared, tie the netns to the slot and let it
 * execute. From the first instruction of osh-init on, every table is in force.
 */
#include "sandbox.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "auditor.h"
#include "bus.h"
#include "counts.h"
#include "denied.h"
#include "gpu.h"
#include "hits.h"
#include "host.h"
#include "init.h"
#include "launcher.h"
#include "life.h"
#include "note.h"
#include "own.h"
#include "preset.h"
#include "programs.h"
#include "reload.h"
#include "root.h"
#include "share.h"
#include "store.h"
#include "wall.h"

#define REMOVE_US 5000			/* between two tries to remove a cgroup, */
#define REMOVE_SOON_US 250		/* but for the first ones: a caller waits, and most are free by then */
#define REMOVE_SOON 20
#define REMOVE_TRIES 400
#define RECORD_SIZE 1152		/* half of what the kernel counts for a decision */
#define REPORTS 3			/* of one end: an osh-audit that dies over it is not asked for ever */

struct sandbox *sandbox_new(struct daemon *d)
{
	struct sandbox *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->d = d;
	s->bundle_fd = s->log_fd = s->summary_fd = s->hosts_fd = s->root_fd = s->anchors_fd = -1;
	s->box_fd = s->egress_cgroup_fd = s->records_out_fd = s->records_in_fd = -1;
	s->steer_prog_fd = s->steer_map_fd = s->steer_link_fd = -1;
	s->pidfd = s->listener_fd = s->netns_fd = s->egress.pidfd = s->egress.control_fd = -1;
	s->slot_fd = s->calls_fd = s->tally_fd = s->creds_fd = s->manager_fd = s->scratch_fd = -1;
	return s;
}

/* Nobody but root takes what belongs to all: slots, and turns of the one that builds. */
int sandbox_share(const struct daemon *d, uid_t uid, unsigned building, struct err *e)
{
	unsigned all = 0, starting = 0;

	for (uint32_t i = 0; uid && i < OSH_SLOTS; i++)
		if (d->slots[i] && d->slots[i]->uid == uid) {
			all++;
			starting += d->slots[i]->state <= SB_PREPARING;
		}
	if (all >= OSH_SLOTS_EACH)
		return fail(e, EAGAIN, "uid %u has %u sandboxes, no more than %d: end one first", uid, all,
			    OSH_SLOTS_EACH);
	if (starting >= building)
		return fail(e, EAGAIN, "uid %u: %u sandboxes are being built already", uid, starting);
	return 0;
}

static int slot_take(struct daemon *d, struct sandbox *s, struct err *e)
{
	/* Round robin, so that a slot (and with it a uid) rests before its next tenant. */
	for (uint32_t i = 0; i < OSH_SLOTS; i++) {
		uint32_t slot = (d->next_id + i) % OSH_SLOTS;

		if (d->slots[slot])
			continue;
		s->slot_fd = host_slot(slot, e);
		if (s->slot_fd == -EAGAIN)
			continue;	/* another oshd's on this host */
		if (s->slot_fd < 0)
			return s->slot_fd;
		s->k.slot = slot;
		s->k.id = ++d->next_id;
		kbpf_set_last_id(d->kernel, s->k.id);
		s->k.generation = 1;
		d->slots[slot] = s;
		d->n_sandboxes++;
		return 0;
	}
	return fail(e, ENOSPC, "%d sandboxes are alive; end one first", OSH_SLOTS);
}

/* RFC 4193 section 3.2.2: fd, then 40 random bits. */
static int random_prefix(uint32_t net6[4], struct err *e)
{
	uint8_t p[16] = { 0xfd };

	if (getrandom(p + 1, 5, 0) != 5)
		return fail(e, EIO, "no random bytes");
	memcpy(net6, p, sizeof(p));
	return 0;
}

/* Known one ahead, so that osh-launch can have the namespace ready. */
static int take_prefix(struct daemon *d, uint32_t net6[4], struct err *e)
{
	int r = d->next_net6[0] ? 0 : random_prefix(d->next_net6, e);

	memcpy(net6, d->next_net6, sizeof(d->next_net6));
	return r ? r : random_prefix(d->next_net6, e);
}

static int dup_into(int *to, int from, struct err *e)
{
	*to = from < 0 ? -1 : fcntl(from, F_DUPFD_CLOEXEC, 3);
	if (from >= 0 && *to < 0)
		return fail(e, errno, "duplicate a descriptor: %s", strerror(errno));
	return 0;
}

/* DESIGN: a caller who is not root may run as `sandbox` or as himself only. */
static int identity(struct sandbox *s, const struct run_request *r, struct err *e)
{
	const struct osh_b_meta *m = s->bundle.meta;

	s->uid = r->uid;
	s->run_uid = r->uid ? r->uid : OSH_UID_SANDBOX + s->k.slot;
	s->run_gid = r->uid ? r->gid : OSH_UID_SANDBOX + s->k.slot;
	if (m->run_as_user == OSH_RUNAS_UID) {
		if (r->uid && m->uid != r->uid)
			return fail(e, EPERM, "run_as_user %u: only root may name another user", m->uid);
		s->run_uid = m->uid;
	}
	if (m->run_as_group == OSH_RUNAS_UID) {
		if (r->uid && m->gid != r->gid)
			return fail(e, EPERM, "run_as_group %u: only root may name another group", m->gid);
		s->run_gid = m->gid;
	}
	if (!s->run_uid || !s->run_gid)
		return fail(e, EPERM, "a sandbox never runs as root");
	return 0;
}

static int adopt_request(struct sandbox *s, const struct run_request *r, struct err *e)
{
	int x = share_open(&s->bundle, r->uid, r->bundle_fd, e);

	if (x < 0)
		return x;
	x = dup_into(&s->bundle_fd, r->bundle_fd, e);
	if (!x)
		x = dup_into(&s->log_fd, r->log_fd, e);
	if (!x)
		x = dup_into(&s->summary_fd, r->summary_fd, e);
	if (!x)
		x = dup_into(&s->hosts_fd, r->hosts_fd >= 0 ? r->hosts_fd : s->d->hosts_fd, e);
	if (!x)
		x = dup_into(&s->creds_fd, r->creds_fd, e);
	if (!x)
		x = kbpf_fd_check(s->d->kernel, s->log_fd, "the log", e);
	if (!x)
		x = kbpf_fd_check(s->d->kernel, s->summary_fd, "the summary", e);
	if (!x)
		x = identity(s, r, e);
	if (!x)
		x = counts_check(s->d, &s->bundle, e);
	s->fresh = true;
	for (int i = 0; i < OSH_RESOURCES; i++)
		s->amount[i] = r->amount[i] ? r->amount[i] : s->bundle.limits ? s->bundle.limits->amount[i] : 0;
	snprintf(s->name, sizeof(s->name), "%s", r->name);
	for (uint32_t n = s->k.id; !s->name[0]; n += OSH_SLOTS) {	/* somebody may have called one so */
		char text[OSH_SANDBOX_NAME];

		snprintf(text, sizeof(text), "osh-%" PRIu32, n);
		if (!life_name_taken(s->d, text))
			memcpy(s->name, text, sizeof(s->name));
	}
	return x;
}

/*
 * An egress is killed with its sandbox, and what it holds by itself is lost with it: so the kernel has room for what osh-audit
 * has not read yet. It doubles the number for what it needs besides the bytes (net/core/sock.c, sock_setsockopt).
 */
static int make_records(struct sandbox *s, struct err *e)
{
	int room = OSH_EGRESS_RECORDS * RECORD_SIZE, pair[2], r = chan_pair(pair);

	if (r < 0)
		return fail(e, -r, "socketpair: %s", strerror(-r));
	s->records_out_fd = pair[0];
	s->records_in_fd = pair[1];
	(void)chan_refuse_fds(pair[1]);
	if (setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0)
		return fail(e, errno, "room for %d decisions on their way to osh-audit: %s", OSH_EGRESS_RECORDS, strerror(errno));
	return 0;
}

/* Before anything else that takes time: it is made while osh-launch works. */
static int make_root(struct sandbox *s, const struct run_request *r, int *ret_cert, struct err *e)
{
	int x;

	/* A run without a resident oshd has no next policy, and no authority was made ahead for it. */
	if (s->d->config.embedded && !bundle_opens_tls(&s->bundle))
		return 0;
	x = root_anchors(s->d, r->ca_fd >= 0 ? r->ca_fd : s->d->ca_fd, &s->anchors_fd, e);
	return x ? x : root_start(s->d, &s->root_fd, ret_cert, e);
}

static int ask_mounts(struct sandbox *s, const struct run_request *r, struct err *e)
{
	int x = 0;

	for (size_t i = 0; !x && i < r->n_mounts; i++) {
		struct osh_msg_mount m = { .id = s->k.id, .flags = r->mounts[i].flags };

		memcpy(m.path, r->mounts[i].path, sizeof(m.path));
		x = launcher_mount(s->d, &m, r->mounts[i].fd, e);
	}
	return x;
}

static int ask_launch(struct sandbox *s, const struct run_request *r, int cert_fd, int init_fd,
		      struct err *e)
{
	struct osh_msg_launch m = { .id = s->k.id, .uid = r->uid, .gid = r->gid,
				    .n_groups = r->n_groups, .run_uid = s->run_uid,
				    .run_gid = s->run_gid, .files = s->amount[OSH_RES_FILES],
				    .disk = s->amount[OSH_RES_DISK], .off = s->d->config.off.layers,
				    .flags = (r->uid ? 0 : OSH_LAUNCH_IDMAP) |
					     (cert_fd < 0 ? 0 : OSH_LAUNCH_TRUST) |
					     (r->lasting || bundle_opens_tls(&s->bundle) ? OSH_LAUNCH_JAVA : 0) |
					     (kbpf_lsm(s->d->kernel) ? OSH_LAUNCH_LSM : 0) |
					     (r->reopen ? OSH_LAUNCH_REOPEN : 0) };
	int fds[OSH_LFD_MAX] = {
		[OSH_LFD_BUNDLE] = s->bundle_fd,     [OSH_LFD_MANAGER] = init_fd,
		[OSH_LFD_WORKDIR] = r->reopen ? s->bundle_fd : r->workdir_fd, [OSH_LFD_CGROUP] = s->box_fd,
		[OSH_LFD_DNS] = kbpf_prog_fd(s->d->kernel, OSH_HOOK_DNS),
		[OSH_LFD_STEER] = s->steer_prog_fd,  [OSH_LFD_STEER_MAP] = s->steer_map_fd,
		/* A hole cannot be sent: the bundle stands in, and the flags say so. */
		[OSH_LFD_ROOT] = cert_fd < 0 ? s->bundle_fd : cert_fd,
		[OSH_LFD_ANCHORS] = cert_fd < 0 ? s->bundle_fd : s->anchors_fd,
	}, x;

	memcpy(m.groups, r->groups, sizeof(m.groups));
	memcpy(m.net6, s->k.net6, sizeof(m.net6));
	memcpy(m.next_net6, s->d->next_net6, sizeof(m.next_net6));
	memcpy(m.name, s->name, sizeof(m.name));
	memcpy(m.workdir, r->workdir, sizeof(m.workdir));
	x = ask_mounts(s, r, e);
	if (!x)
		x = gpu_mounts(s, e);
	return x ? x : launcher_launch(s->d, &m, fds, e);
}

static int fill(struct sandbox *s, const struct run_request *req, struct err *e)
{
	/* git sets these for every helper that it starts; they name the place where it finds them anyway. */
	static const char *const harmless[] = {
		"GIT_EXEC_PATH=/usr/lib/git-core", "GIT_EXEC_PATH=/usr/libexec/git-core",
	};
	struct kbpf *k = s->d->kernel;
	int r = kbpf_fill(k, &s->k, &s->bundle, e);

	/* Host sockets may lie in the work directory, another sandbox's in a volume, even below /tmp. */
	if (!r)
		r = kbpf_unix_outside(k, &s->k, req->workdir, e);
	for (size_t i = 0; !r && i < req->n_mounts; i++)
		if (!(req->mounts[i].flags & OSH_MOUNT_HOME))
			r = kbpf_unix_outside(k, &s->k, req->mounts[i].path, e);
	for (size_t i = 0; !r && i < ARRAY_SIZE(harmless); i++)
		r = kbpf_env_exempt(k, &s->k, harmless[i], e);
	for (uint32_t i = 0; !r && i < s->bundle.n_env; i++)
		if (s->bundle.env[i].kind == OSH_ENV_SET)
			r = kbpf_env_exempt(k, &s->k, bundle_str(&s->bundle, s->bundle.env[i].text), e);
	if (!r)
		r = gpu_fill(s, e);
	if (!r)
		r = kbpf_flip(k, &s->k, &s->bundle, e);
	return r;
}

static int start(struct sandbox *s, const struct run_request *r, struct err *e)
{
	struct daemon *d = s->d;
	_close_ int cert = -1, init = -1;
	const char *unkept;
	unsigned i = 0;
	int x = adopt_request(s, r, e);

	if (!x)
		x = share_check(s, &s->bundle, e);
	if (!x && s->uid)
		x = limits_may(&d->limits, s->amount, e);
	if (!x)
		x = gpu_take(s, e);
	if (!x)
		x = make_root(s, r, &cert, e);
	if (!x)
		x = take_prefix(d, s->k.net6, e);
	if (!x)
		x = make_records(s, e);
	if (!x)
		x = init_pair(s, &init, e);
	if (!x && r->control_fd >= 0)	/* it waits in the socket until osh-init is there */
		x = init_open(s, r->control_fd, r->session_flags, e);
	if (!x)
		x = auditor_tally(&s->tally_fd, e);
	if (!x)
		x = cgroup_make(d->cgroups.box_fd, s->k.id, &s->box_fd, &s->k.cgroup, e);
	if (!x)
		x = limits_set(&d->limits, s->amount, s->k.id, s->box_fd, e);
	if (!x)
		x = gpu_limit(s, e);
	while (!x && (unkept = limits_unkept(&d->limits, s->amount, &i)))
		warnings_add(&s->warnings, "%s", unkept);
	if (!x)
		x = cgroup_make(d->cgroups.egress_fd, s->k.id, &s->egress_cgroup_fd,
				&s->egress_cgroup, e);
	if (!x)
		x = kbpf_steer_new(d->kernel, &s->steer_prog_fd, &s->steer_map_fd, e);
	if (!x)
		x = ask_launch(s, r, cert, init, e);
	if (!x) {
		s->state = SB_PREPARING;
		x = fill(s, r, e);
	}
	if (!x)
		x = kbpf_egress_cgroup(d->kernel, &s->k, s->egress_cgroup, e);
	if (!x)
		x = auditor_add(d, s, e);
	return x;
}

static void forget(struct sandbox *s);

int sandbox_run(struct daemon *d, const struct run_request *r, sd_bus_message *call,
		struct sandbox **ret, struct err *e)
{
	struct sandbox *s = sandbox_new(d);
	int x;

	if (!s)
		return fail(e, ENOMEM, "out of memory");
	x = slot_take(d, s, e);
	if (x < 0) {
		free(s);
		return x;
	}
	x = start(s, r, e);
	gpu_done(s);
	if (x < 0) {
		sandbox_kill(s);
		return x;
	}
	s->call = sd_bus_message_ref(call);
	*ret = s;
	return 0;
}

struct sandbox *sandbox_by_id(struct daemon *d, uint32_t id)
{
	for (uint32_t i = 0; i < OSH_SLOTS; i++)	/* ids are not slots: a slot rests between tenants */
		if (d->slots[i] && d->slots[i]->k.id == id)
			return d->slots[i];
	return NULL;
}

static void answer(struct sandbox *s, const char *error)
{
	if (s->life && error)
		life_failed(s->life, error);
	if (!s->call)
		return;
	if (error)
		bus_answer_error(s->call, error);
	else
		bus_answer_run(s->call, s->name, s->k.id, &s->warnings);
	s->call = sd_bus_message_unref(s->call);
}

static int on_removal(sd_event_source *src, uint64_t usec, void *data)
{
	(void)src;
	(void)usec;
	forget(data);
	return 0;
}

/* A run's caller waits for this, and may ask for the next one at once: processes and cgroups are gone. By hand: osh-launch and its children have copies. */
static void say_gone(struct sandbox *s)
{
	if (s->summary_fd >= 0)
		(void)shutdown(s->summary_fd, SHUT_WR);
	own_close(&s->summary_fd);
}

/* The last step: tables, cgroups, slot. A cgroup whose processes are still leaving is tried again. */
static void forget(struct sandbox *s)
{
	struct daemon *d = s->d;
	int a, b;

	s->removal = sd_event_source_disable_unref(s->removal);
	a = cgroup_remove(d->cgroups.box_fd, s->k.id);
	b = cgroup_remove(d->cgroups.egress_fd, s->k.id);
	if ((a == -EBUSY || b == -EBUSY) && s->removal_tries++ < REMOVE_TRIES &&
	    sd_event_add_time_relative(d->event, &s->removal, CLOCK_MONOTONIC,
				       s->removal_tries < REMOVE_SOON ? REMOVE_SOON_US : REMOVE_US, 1, on_removal, s) >= 0)
		return;
	if (a < 0 || b < 0)
		note(s->name, s->uid, "its cgroup stays: %s", strerror(a ? -a : -b));
	limits_remove(&d->limits, s->k.id);
	say_gone(s);			/* what is asked from here on is heard behind the rest */
	store_forget(s);		/* first: what is not stored, the next oshd clears */
	kbpf_clear(d->kernel, &s->k);
	own_close(&s->box_fd);
	own_close(&s->egress_cgroup_fd);
	own_close(&s->log_fd);
	own_close(&s->records_in_fd);
	own_close(&s->calls_fd);
	own_close(&s->tally_fd);
	own_close(&s->hosts_fd);
	own_close(&s->creds_fd);
	own_close(&s->root_fd);
	own_close(&s->anchors_fd);
	bundle_done(&s->bundle);
	own_close(&s->bundle_fd);
	host_slot_free(&s->slot_fd);
	d->slots[s->k.slot] = NULL;
	d->n_sandboxes--;
	if (s->life)
		life_free(s->life);
	free(s);
	if (!d->config.embedded)
		kbpf_steer_ahead(d->kernel);
	root_ahead(d);
	daemon_gone(d);
}

/* Everything that keeps the kernel's objects alive goes first; the report needs none of it. */
static void release(struct sandbox *s)
{
	reload_cancel(s, "the sandbox has ended");
	wall_stop(s);
	egress_end(s);
	counts_end(s);
	choice_end(s);
	s->exit_source = sd_event_source_disable_unref(s->exit_source);
	cgroup_kill(s->box_fd);
	own_close(&s->listener_fd);
	own_close(&s->steer_link_fd);
	own_close(&s->steer_prog_fd);
	own_close(&s->steer_map_fd);
	own_close(&s->netns_fd);
	own_close(&s->scratch_fd);
	own_close(&s->pidfd);
	s->manager = sd_event_source_disable_unref(s->manager);
	own_close(&s->manager_fd);
	programs_close(s);
	own_close(&s->records_out_fd);
}

static int do_exited(struct sandbox *s, const char *why)
{
	(void)why;
	if (s->life)			/* before the manager socket goes, with the last word in it */
		life_ended(s->life);
	hits_stop(s);
	release(s);
	(void)auditor_end(s->d, s);	/* without an osh-audit the next one is asked */
	return 0;
}

/* Its pid 1 is gone, and with it, before it, every process: what it had of devices is the next one's at once. */
static int do_gone(struct sandbox *s, const char *why)
{
	gpu_give_back(s);
	return do_exited(s, why);
}

static int do_failed(struct sandbox *s, const char *why)
{
	answer(s, why ? why : "the sandbox ended before it started");
	return do_exited(s, why);
}

/* Nothing of its caller's has run in it. */
static int do_unborn(struct sandbox *s, const char *why)
{
	gpu_give_back(s);
	return do_failed(s, why);
}

static int do_reported(struct sandbox *s, const char *why)
{
	(void)why;
	forget(s);
	return 0;
}

static int on_gone(sd_event_source *src, int fd, uint32_t events, void *data);

static int do_prepared(struct sandbox *s, const char *why)
{
	struct err e = { 0 };
	int r;

	(void)why;
	r = limits_enter(&s->d->limits, s->k.id, s->pid, &e);
	if (!r)
		r = kbpf_set_netns(s->d->kernel, &s->k, s->k.netns, &e);
	if (!r)
		r = denied_check(s, &e);
	if (!r)
		r = egress_arm(s, &e);
	if (!r && sd_event_add_io(s->d->event, &s->exit_source, s->pidfd, EPOLLIN, on_gone, s) < 0)
		r = fail(&e, ENOMEM, "watch osh-init: out of memory");
	if (!r)
		r = init_watch(s, &e);
	if (!r)
		r = wall_start(s, &e);
	if (!r)
		r = auditor_calls(s->d, s, &e);
	if (!r)
		r = preset_apply(s, &e);
	if (!r)
		r = auditor_warned(s->d, s, &e);
	if (!r)
		r = store_save(s, &e);
	kbpf_guard(s->d->kernel, &s->k);
	if (!r)
		r = launcher_go(s->d, s->k.id, &e);
	if (r < 0) {
		answer(s, e.text);
		return r;
	}
	hits_start(s);
	answer(s, NULL);
	return 0;
}

/* A former oshd's sandbox: it runs and is enforced; only our eyes on it are new. */
int sandbox_resume(struct sandbox *s, struct err *e)
{
	int r = egress_adopt(s, e);

	kbpf_guard(s->d->kernel, &s->k);	/* a build without these programs may have started it */
	if (!r && sd_event_add_io(s->d->event, &s->exit_source, s->pidfd, EPOLLIN, on_gone, s) < 0)
		r = fail(e, ENOMEM, "watch osh-init: out of memory");
	if (!r)
		r = init_watch(s, e);
	if (!r)
		r = wall_start(s, e);
	s->state = SB_RUNNING;
	if (!r)
		hits_start(s);
	return r;
}

static const struct step {
	int (*act)(struct sandbox *, const char *why);
	enum sandbox_state next, on_error;
} steps[SB_STATES][SB_EVENTS] = {
	/* clang-format off */
	[SB_NEW] =       { [EV_KILL]     = { do_unborn,   SB_REPORTING, SB_REPORTING } },
	[SB_PREPARING] = { [EV_PREPARED] = { do_prepared, SB_RUNNING,   SB_RUNNING   },
			   [EV_FAILED]   = { do_unborn,   SB_REPORTING, SB_REPORTING },
			   [EV_KILL]     = { do_unborn,   SB_REPORTING, SB_REPORTING } },
	[SB_RUNNING] =   { [EV_FAILED]   = { do_failed,   SB_REPORTING, SB_REPORTING },
			   [EV_EXITED]   = { do_gone,     SB_REPORTING, SB_REPORTING },
			   [EV_KILL]     = { do_exited,   SB_REPORTING, SB_REPORTING } },
	[SB_REPORTING] = { [EV_REPORTED] = { do_reported, SB_REPORTING, SB_REPORTING } },
	/* clang-format on */
};

static void happen(struct sandbox *s, enum sandbox_event ev, const char *why)
{
	const struct step *step = &steps[s->state][ev];

	if (!step->act)			/* an empty cell: the event comes too late to matter */
		return;
	if (ev == EV_REPORTED) {	/* frees s */
		step->act(s, why);
		return;
	}
	if (step->act(s, why) < 0) {
		s->state = step->on_error;
		happen(s, EV_KILL, NULL);
		return;
	}
	s->state = step->next;
}

static int on_gone(sd_event_source *src, int fd, uint32_t events, void *data)
{
	(void)src;
	(void)fd;
	(void)events;
	happen(data, EV_EXITED, NULL);
	return 0;
}

void sandbox_kill(struct sandbox *s)
{
	happen(s, EV_KILL, NULL);
}

void sandbox_prepared(struct daemon *d, const struct osh_msg_prepared *p, struct chan_in *in)
{
	struct sandbox *s = sandbox_by_id(d, p->id);

	if (!s || s->state != SB_PREPARING)
		return;			/* its descriptors close with the message: the child ends */
	s->pid = (pid_t)p->pid;
	s->k.netns = p->netns_cookie;
	warnings_take(&s->warnings, p->warnings, p->warning, sizeof(p->warning));
	s->pidfd = chan_take(in, OSH_PFD_PIDFD);
	s->listener_fd = chan_take(in, OSH_PFD_LISTENER);
	s->steer_link_fd = chan_take(in, OSH_PFD_STEER_LINK);
	s->netns_fd = chan_take(in, OSH_PFD_NETNS);
	s->calls_fd = chan_take(in, OSH_PFD_CALLS);
	s->scratch_fd = chan_take(in, OSH_PFD_SCRATCH);
	happen(s, EV_PREPARED, NULL);
}

void sandbox_programs(struct daemon *d, const struct osh_msg_programs *m, struct chan_in *in)
{
	struct sandbox *s = sandbox_by_id(d, m->id);
	struct err e = { 0 };
	int r = 0;

	if (!s || (s->state != SB_PREPARING && s->state != SB_RUNNING))
		return;
	for (uint32_t i = 0; i < m->n && s->state == SB_PREPARING; i++)
		if (m->binary[i] >= s->bundle.n_binaries) {
			happen(s, EV_FAILED, "osh-launch named a program that the policy lacks");
			return;
		}
	if (s->state == SB_PREPARING)	/* else a reload's, or they are known and come from what osh-launch kept */
		r = kbpf_register_inodes(d->kernel, &s->k, &s->bundle, in->fds, m->binary, (int)m->n, &e);
	else
		(void)reload_programs(s, m, in);
	if (!r)
		r = programs_keep(s, in, &e);
	if (r < 0)
		happen(s, EV_FAILED, e.text);
}

/* A run's caller hears from osh-init itself, and sooner. */
void sandbox_went(struct daemon *d, uint32_t id)
{
	struct sandbox *s = sandbox_by_id(d, id);

	if (s && s->life && s->state == SB_RUNNING)
		life_went(s->life);
}

void sandbox_tree(struct daemon *d, const struct osh_msg_tree *m, struct chan_in *in)
{
	struct sandbox *s = sandbox_by_id(d, m->id);
	struct err e = { 0 };

	if (s && s->state == SB_PREPARING && denied_tree(s, m, in, &e) < 0)
		happen(s, EV_FAILED, e.text);
}

void sandbox_failed(struct daemon *d, const struct osh_msg_failed *f)
{
	struct sandbox *s = sandbox_by_id(d, f->id);
	char text[sizeof(f->text) + 1];

	if (!s)
		return;
	snprintf(text, sizeof(text), "%.*s", (int)sizeof(f->text), f->text);
	if (s->state == SB_RUNNING && s->egress.state == EGRESS_ASKED)
		egress_failed(s, text);
	else
		happen(s, EV_FAILED, text);
}

void sandbox_egress_up(struct daemon *d, const struct osh_msg_prepared *p, struct chan_in *in)
{
	struct sandbox *s = sandbox_by_id(d, p->id);

	if (s && s->state == SB_RUNNING && s->egress.state == EGRESS_ASKED)
		egress_up(s, chan_take(in, 0));
}

void sandbox_reported(struct daemon *d, uint32_t id)
{
	struct sandbox *s = sandbox_by_id(d, id);

	if (s)
		happen(s, EV_REPORTED, NULL);
}

/* One that has ended is reported by the next osh-audit, unless that is what ends them. */
static int announce(struct sandbox *s, struct err *e)
{
	bool ended = s->state == SB_REPORTING;
	int r;

	if (ended && (s->records_in_fd < 0 || s->reports++ >= REPORTS)) {
		happen(s, EV_REPORTED, NULL);
		return 0;
	}
	r = auditor_add(s->d, s, e);
	if (!r && ended)
		(void)auditor_end(s->d, s);
	return r;
}

int sandbox_announce_all(struct daemon *d, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; !r && i < OSH_SLOTS; i++)
		if (d->slots[i])
			r = announce(d->slots[i], e);
	return r;
}

int sandbox_store_all(struct daemon *d, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; !r && i < OSH_SLOTS; i++) {
		struct sandbox *s = d->slots[i];

		if (s && s->state == SB_RUNNING)
			r = store_save(s, e);
		if (!r && s && s->state == SB_RUNNING)
			r = launcher_programs(d, s->k.id, s->programs, s->n_programs, e);
	}
	return r;
}

void sandbox_launcher_lost(struct daemon *d)
{
	for (uint32_t i = 0; i < OSH_SLOTS; i++)
		if (d->slots[i] && d->slots[i]->state == SB_PREPARING)
			happen(d->slots[i], EV_FAILED, "osh-launch ended while it built the sandbox");
}

void sandbox_unheard(struct daemon *d)
{
	for (uint32_t i = 0; i < OSH_SLOTS; i++)
		if (d->slots[i] && d->slots[i]->state == SB_RUNNING) {
			launcher_unheard(d->slots[i]);
			egress_unheard(d->slots[i]);
		}
}
