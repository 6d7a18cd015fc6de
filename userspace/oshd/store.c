/* SPDX-License-Identifier: Apache-2.0 */
/* Trusts osh-launch for what it hands back, but checks it against the pinned tables. Run by oshd. */
#include "store.h"

#include <sys/mman.h>
#include <unistd.h>

#include "across.h"
#include "auditor.h"
#include "choice.h"
#include "launcher.h"
#include "life.h"
#include "own.h"
#include "provider.h"
#include "reload.h"
#include "revision.h"

int store_save(struct sandbox *s, struct err *e)
{
	struct osh_msg_stored m = {
		.id = s->k.id, .slot = s->k.slot, .generation = s->k.generation,
		.pid = (uint32_t)s->pid, .uid = s->uid, .run_uid = s->run_uid, .run_gid = s->run_gid,
		.flags = (s->log_fd >= 0 ? OSH_STORED_LOG : 0) |
			 (s->summary_fd >= 0 ? OSH_STORED_SUMMARY : 0) |
			 (s->hosts_fd >= 0 ? OSH_STORED_HOSTS : 0) |
			 (s->creds_fd >= 0 ? OSH_STORED_CREDS : 0) |
			 (s->root_fd >= 0 ? OSH_STORED_ROOT : 0) |
			 (s->egress.control_fd >= 0 ? OSH_STORED_CONTROL : 0),
		.cgroup = s->k.cgroup, .egress_cgroup = s->egress_cgroup, .netns = s->k.netns,
	};
	int fds[OSH_SFD_MAX];

	memcpy(m.net6, s->k.net6, sizeof(m.net6));
	memcpy(m.amount, s->amount, sizeof(s->amount));
	memcpy(m.told, s->hits.told, sizeof(s->hits.told));
	memcpy(m.name, s->name, sizeof(m.name));
	m.warnings = s->warnings.n;
	memcpy(m.warning, s->warnings.text, sizeof(m.warning));
	fds[OSH_SFD_PIDFD] = s->pidfd;
	fds[OSH_SFD_BUNDLE] = s->bundle_fd;
	fds[OSH_SFD_LISTENER] = s->listener_fd;
	fds[OSH_SFD_STEER_LINK] = s->steer_link_fd;
	fds[OSH_SFD_NETNS] = s->netns_fd;
	fds[OSH_SFD_BOX] = s->box_fd;
	fds[OSH_SFD_EGRESS] = s->egress_cgroup_fd;
	fds[OSH_SFD_RECORDS_OUT] = s->records_out_fd;
	fds[OSH_SFD_RECORDS_IN] = s->records_in_fd;
	/* A hole cannot be sent: the bundle stands in, and the flags say so. */
	fds[OSH_SFD_LOG] = s->log_fd >= 0 ? s->log_fd : s->bundle_fd;
	fds[OSH_SFD_SUMMARY] = s->summary_fd >= 0 ? s->summary_fd : s->bundle_fd;
	fds[OSH_SFD_HOSTS] = s->hosts_fd >= 0 ? s->hosts_fd : s->bundle_fd;
	fds[OSH_SFD_CREDS] = s->creds_fd >= 0 ? s->creds_fd : s->bundle_fd;
	fds[OSH_SFD_CALLS] = s->calls_fd;
	fds[OSH_SFD_TALLY] = s->tally_fd;
	fds[OSH_SFD_ROOT] = s->root_fd >= 0 ? s->root_fd : s->bundle_fd;
	fds[OSH_SFD_ANCHORS] = s->root_fd >= 0 ? s->anchors_fd : s->bundle_fd;
	fds[OSH_SFD_MANAGER] = s->manager_fd;
	fds[OSH_SFD_SLOT] = s->slot_fd;
	fds[OSH_SFD_CONTROL] = s->egress.control_fd >= 0 ? s->egress.control_fd : s->bundle_fd;
	fds[OSH_SFD_SCRATCH] = s->scratch_fd;
	return launcher_store(s->d, &m, fds, e);
}

void store_forget(struct sandbox *s)
{
	struct err e;

	(void)launcher_forget(s->d, s->k.id, &e);	/* a dead osh-launch has forgotten already */
}

static void take(struct sandbox *s, const struct osh_msg_stored *m, struct chan_in *in)
{
	s->pidfd = chan_take(in, OSH_SFD_PIDFD);
	s->bundle_fd = chan_take(in, OSH_SFD_BUNDLE);
	s->listener_fd = chan_take(in, OSH_SFD_LISTENER);
	s->steer_link_fd = chan_take(in, OSH_SFD_STEER_LINK);
	s->netns_fd = chan_take(in, OSH_SFD_NETNS);
	s->box_fd = chan_take(in, OSH_SFD_BOX);
	s->egress_cgroup_fd = chan_take(in, OSH_SFD_EGRESS);
	s->records_out_fd = chan_take(in, OSH_SFD_RECORDS_OUT);
	s->records_in_fd = chan_take(in, OSH_SFD_RECORDS_IN);
	s->calls_fd = chan_take(in, OSH_SFD_CALLS);
	s->tally_fd = chan_take(in, OSH_SFD_TALLY);
	s->manager_fd = chan_take(in, OSH_SFD_MANAGER);
	s->slot_fd = chan_take(in, OSH_SFD_SLOT);
	s->scratch_fd = chan_take(in, OSH_SFD_SCRATCH);
	if (m->flags & OSH_STORED_LOG)
		s->log_fd = chan_take(in, OSH_SFD_LOG);
	if (m->flags & OSH_STORED_SUMMARY)
		s->summary_fd = chan_take(in, OSH_SFD_SUMMARY);
	if (m->flags & OSH_STORED_HOSTS)
		s->hosts_fd = chan_take(in, OSH_SFD_HOSTS);
	if (m->flags & OSH_STORED_CREDS)
		s->creds_fd = chan_take(in, OSH_SFD_CREDS);
	if (m->flags & OSH_STORED_ROOT) {
		s->root_fd = chan_take(in, OSH_SFD_ROOT);
		s->anchors_fd = chan_take(in, OSH_SFD_ANCHORS);
	}
	if (m->flags & OSH_STORED_CONTROL)
		s->egress.control_fd = chan_take(in, OSH_SFD_CONTROL);
	s->k = (struct kbpf_sandbox){ .slot = m->slot, .id = m->id, .generation = m->generation,
				      .cgroup = m->cgroup, .netns = m->netns };
	memcpy(s->k.net6, m->net6, sizeof(m->net6));
	memcpy(s->amount, m->amount, sizeof(s->amount));
	memcpy(s->hits.told, m->told, sizeof(s->hits.told));
	memcpy(s->hits.seen, m->told, sizeof(s->hits.seen));
	s->egress_cgroup = m->egress_cgroup;
	s->pid = (pid_t)m->pid;
	s->uid = m->uid;
	s->run_uid = m->run_uid;
	s->run_gid = m->run_gid;
	warnings_take(&s->warnings, m->warnings, m->warning, sizeof(m->warning));
	snprintf(s->name, sizeof(s->name), "%.*s", (int)sizeof(m->name) - 1, m->name);
}

int store_adopt(struct daemon *d, const struct osh_msg_stored *m, struct chan_in *in, struct err *e)
{
	struct sandbox *s;
	int r;

	if (m->slot >= OSH_SLOTS || d->slots[m->slot])
		return fail(e, EPROTO, "sandbox %u: slot %u is not free", m->id, m->slot);
	s = sandbox_new(d);
	if (!s)
		return fail(e, ENOMEM, "out of memory");
	take(s, m, in);
	d->slots[m->slot] = s;
	d->n_sandboxes++;
	if (m->id > d->next_id)
		d->next_id = m->id;
	r = bundle_open_fd(&s->bundle, s->bundle_fd, e);
	if (!r)
		r = reload_resume(s, e);
	if (!r)
		r = sandbox_resume(s, e);
	if (!r)
		reload_resumed(s);
	if (!r)
		r = auditor_add(d, s, e);
	if (r < 0) {
		sandbox_kill(s);
		return r;
	}
	provider_resumed(s);
	life_adopt(s);
	revision_adopt(s);
	choice_resumed(s);
	across_adopted(s);
	return 0;
}
