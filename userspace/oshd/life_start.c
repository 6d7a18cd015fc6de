/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a row to a struct sandbox: who its owner was when it was created, the policy revision in
 * force, its home and volumes, and its command over a session socket of oshd's own, which closes
 * once that was executed.
 */
#include <fcntl.h>

#include "home.h"
#include "init.h"
#include "life.h"
#include "own.h"
#include "provider.h"

#define HOME "/sandbox"

/* oshd reads nothing of credentials but their names. */
static int check_creds(const struct life *l, int bundle_fd, int set_fd, struct err *e)
{
	struct bundle b = { 0 };
	int r = bundle_open_fd(&b, bundle_fd, e);
	const char *name = r ? NULL : provider_missing(&b, set_fd);

	if (name)
		r = fail(e, ENOKEY, "its policy uses the provider '%.60s', which is not stored: start it with "
			 "`oshctl sandbox start %s --provider %.60s=RECORD`, or create the provider and attach it",
			 name, l->name, name);
	bundle_done(&b);
	return r;
}

static int add_mount(struct run_request *q, struct sandbox_mount *m, const char *path,
		     uint32_t flags)
{
	m->flags = flags;
	snprintf(m->path, sizeof(m->path), "%s", path);
	q->n_mounts++;
	return 0;
}

static int open_mounts(struct life *l, const struct state_sandbox *row, struct run_request *q,
		       struct sandbox_mount m[OSH_MOUNTS], struct err *e)
{
	int r = home_open(l->d, row->key, row->uid, row->gid, &m[0].fd, e);

	if (!r)
		r = add_mount(q, &m[0], HOME, OSH_MOUNT_HOME);
	for (size_t i = 0; !r && i < row->n_volumes; i++) {
		const struct state_volume_use *v = &row->volumes[i];
		struct sandbox_mount *to = &m[q->n_mounts];

		r = home_volume(l->d, v->key, row->uid, row->gid, &to->fd, e);
		if (!r)
			r = add_mount(q, to, v->path, v->read_only ? OSH_MOUNT_RO : 0);
	}
	q->mounts = m;
	return r;
}

void life_session_done(struct life *l)
{
	l->session = sd_event_source_disable_unref(l->session);
	own_close(&l->session_fd);
}

/* False when there is nothing more to read now. */
static bool read_one(struct life *l)
{
	const struct osh_msg_failed *bad;
	const struct osh_msg_status *ended;
	struct chan_in in;
	int r = l->session_fd < 0 ? -EAGAIN : chan_recv(l->session_fd, &in);
	bool started;

	if (r == -EAGAIN)
		return false;
	if (r <= 0) {
		life_session_done(l);
		return false;
	}
	bad = chan_is(&in, OSH_MSG_INIT_ERROR, sizeof(*bad), 0);
	started = chan_is(&in, OSH_MSG_INIT_STARTED, sizeof(struct osh_msg_status), 0);
	ended = chan_is(&in, OSH_MSG_INIT_EXITED, sizeof(*ended), 0);
	if (ended && !ended->value) /* no command: its environment is known now */
		started = true;
	if (bad)
		life_say(l, bad->text, sizeof(bad->text));
	chan_in_done(&in);
	if (started)
		life_happen(l, LV_UP); /* closes the session */
	return !started;
}

/* The first word decides: it was executed, or why not; then the sandbox ends by itself. */
void life_session_read(struct life *l)
{
	while (read_one(l))
		;
}

static int on_session(sd_event_source *src, int fd, uint32_t events, void *data)
{
	struct life *l = data;

	(void)src;
	(void)fd;
	(void)events;
	life_session_read(l);
	if (l->session_fd < 0 && l->s && (l->state == LIFE_CREATING || l->state == LIFE_STARTING))
		life_end_soon(l); /* it said no, or nothing: without a command it would idle on */
	return 0;
}

static int make_session(struct life *l, const struct state_sandbox *row, struct run_request *q,
			int *ret_far, struct err *e)
{
	_close_ int memfd = -1;
	struct osh_msg_init_spec spec = row->spec_head;
	int pair[2], r;

	if (!row->spec_len)
		return 0;
	r = state_command_open(l->d->state, row->key, &memfd, e);
	if (r < 0)
		return r;
	r = chan_pair(pair);
	if (r < 0)
		return fail(e, -r, "socketpair: %s", strerror(-r));
	l->session_fd = pair[0];
	*ret_far = pair[1];
	q->control_fd = pair[1];
	if (spec.flags != OSH_SPEC_BASE)
		q->session_flags = OSH_OPEN_ENDS | OSH_OPEN_TERMINAL;
	if (fcntl(l->session_fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return fail(e, errno, "session socket: %s", strerror(errno));
	r = chan_send(l->session_fd, OSH_MSG_INIT_SPEC, &spec, sizeof(spec), &memfd, 1);
	if (!r) /* it waits in the socket until osh-init is there */
		r = sd_event_add_io(l->d->event, &l->session, l->session_fd, EPOLLIN, on_session,
				    l);
	return r < 0 ? fail(e, -r, "session: %s", strerror(-r)) : 0;
}

static void fill_request(struct life *l, const struct state_sandbox *row, struct run_request *q)
{
	*q = (struct run_request){ .uid = row->uid,
				   .gid = row->gid,
				   .n_groups = row->n_groups,
				   .bundle_fd = -1,
				   .control_fd = -1,
				   .workdir_fd = l->workdir_fd,
				   .reopen = l->workdir_fd < 0,
				   .lasting = true,
				   .log_fd = l->given.log,
				   .summary_fd = -1,
				   .hosts_fd = l->given.hosts,
				   .creds_fd = l->given.creds,
				   .ca_fd = l->given.ca };
	memcpy(q->groups, row->groups, sizeof(q->groups));
	memcpy(q->name, row->name, sizeof(q->name));
	memcpy(q->amount, row->amount, sizeof(q->amount));
	memcpy(q->workdir, row->workdir, sizeof(q->workdir));
}

static int build(struct life *l, const struct state_sandbox *row,
		 struct sandbox_mount m[OSH_MOUNTS], struct err *e)
{
	_close_ int bundle = -1, far = -1, set = -1;
	struct run_request q;
	int r = sandbox_share(l->d, l->uid, OSH_SLOTS, e);

	fill_request(l, row, &q);
	if (!r)
		r = state_policy_open(l->d->state, row->key, row->revision, &bundle, NULL, e);
	if (!r)
		r = provider_compose(l->d, l->uid, l->given.creds, row->providers, row->n_providers, &set, e);
	if (!r)
		r = check_creds(l, bundle, set, e);
	q.creds_fd = set;
	if (!r)
		r = open_mounts(l, row, &q, m, e);
	if (!r)
		r = make_session(l, row, &q, &far, e);
	q.bundle_fd = bundle;
	if (!r)
		r = sandbox_run(l->d, &q, NULL, &l->s, e);
	if (r < 0) {
		life_session_done(l);
		return r;
	}
	l->s->life = l;
	own_close(&l->workdir_fd);
	return 0;
}

int life_build(struct life *l, struct err *e)
{
	struct state_sandbox row = { 0 };
	struct sandbox_mount m[OSH_MOUNTS];
	int r = state_find(l->d->state, l->name, &row, e);

	for (size_t i = 0; i < ARRAY_SIZE(m); i++)
		m[i].fd = -1;
	if (!r)
		r = build(l, &row, m, e);
	for (size_t i = 0; i < ARRAY_SIZE(m); i++)
		own_close(&m[i].fd);
	state_sandbox_done(&row);
	return r;
}
