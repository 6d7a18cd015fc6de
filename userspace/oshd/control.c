/* SPDX-License-Identifier: Apache-2.0 */
/* What comes from an egress is one struct of fixed size, or the end of that egress. Run by oshd. */
#include "control.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "across.h"
#include "chan.h"
#include "counts.h"
#include "note.h"
#include "own.h"
#include "provider.h"
#include "reload.h"

/* Of an embedded oshd: the kind of socket says that no policy will come over it. */
static int open_counts(struct sandbox *s, int *ret_theirs, struct err *e)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return fail(e, errno, "socketpair: %s", strerror(errno));
	*ret_theirs = pair[1];
	s->egress.control_fd = pair[0];
	(void)chan_refuse_fds(pair[0]);
	return 0;
}

int control_open(struct sandbox *s, int *ret_theirs, struct err *e)
{
	int pair[2], r;

	control_close(s);
	if (s->d->config.embedded && s->bundle.n_budgets)
		return open_counts(s, ret_theirs, e);
	if (s->d->config.embedded) {
		*ret_theirs = memfd_create("osh-none", MFD_CLOEXEC);
		return *ret_theirs < 0 ? fail(e, errno, "memfd: %s", strerror(errno)) : 0;
	}
	r = chan_pair(pair);
	if (r < 0)
		return fail(e, -r, "socketpair: %s", strerror(-r));
	*ret_theirs = pair[1];
	s->egress.control_fd = pair[0];
	(void)chan_refuse_fds(pair[0]);
	if (fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0)
		return fail(e, errno, "socketpair: %s", strerror(errno));
	return 0;
}

static int on_control(sd_event_source *src, int fd, uint32_t events, void *data)
{
	const struct osh_msg_reloaded *m;
	struct sandbox *s = data;
	struct chan_in in;
	int r = chan_recv(fd, &in);

	(void)src;
	(void)events;
	if (r == -EAGAIN)
		return 0;
	if (r <= 0) {			/* its pidfd tells the rest; alive without it, it is ended at the next reload */
		control_close(s);
		return 0;
	}
	m = chan_is(&in, OSH_MSG_EGRESS_READY, sizeof(*m), 0);
	if (!m)
		m = chan_is(&in, OSH_MSG_EGRESS_FLIPPED, sizeof(*m), 0);
	if (m) {
		reload_answered(s, m);
	} else if ((m = chan_is(&in, OSH_MSG_EGRESS_TAKEN, sizeof(*m), 0))) {
		provider_answered(s, m);
	} else if ((m = chan_is(&in, OSH_MSG_EGRESS_CHOSEN, sizeof(*m), 0))) {
		choice_answered(s, m);
	} else if (!across_message(s, &in) && !counts_message(s, &in)) {
		note(s->name, s->uid, "its egress sent an unknown message; it is ended");
		cgroup_kill_members(s->egress_cgroup_fd);
	}
	chan_in_done(&in);
	return 0;
}

int control_watch(struct sandbox *s, struct err *e)
{
	struct egress *g = &s->egress;

	if (g->control_fd < 0)
		return 0;
	if (sd_event_add_io(s->d->event, &g->control, g->control_fd, EPOLLIN, on_control, s) < 0)
		return fail(e, ENOMEM, "watch an egress: out of memory");
	return 0;
}

void control_close(struct sandbox *s)
{
	s->egress.control = sd_event_source_disable_unref(s->egress.control);
	own_close(&s->egress.control_fd);
}

int control_say(struct sandbox *s, unsigned type, uint32_t generation, uint64_t serial, int bundle_fd)
{
	struct osh_msg_reload m = { .id = s->k.id, .generation = generation, .serial = serial };

	if (s->egress.control_fd < 0)
		return -ENOTCONN;
	return chan_send(s->egress.control_fd, type, &m, sizeof(m), &bundle_fd, bundle_fd >= 0);
}
