/* SPDX-License-Identifier: Apache-2.0 */
#include "across.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "dial.h"
#include "flow.h"
#include "own.h"

/* Without a resident oshd there is no socket. */
enum osh_reason across_ask(struct flows *fs, struct dial *d)
{
	const struct generation *p = d->grant->policy;
	struct osh_msg_across m = { .h = { OSH_MSG_ACROSS_ASK, sizeof(m) }, .id = p->table.id, .port = d->grant->target.port,
				    .call = ++fs->across.next };

	bundle_sandbox(&p->bundle, d->grant->target.host, m.name);
	if (send(fs->reload.control.fd, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof(m)) {
		snprintf(d->said, sizeof(d->said), "%s", errno == ENOTSOCK ? "it takes a resident oshd, and this sandbox has none" :
			 "oshd does not hear this egress");
		return OSH_WHY_PEER_AWAY;
	}
	d->call = m.call;
	TAILQ_INSERT_TAIL(&fs->across.asked, d, asked);
	return OSH_WHY_ALLOWED;
}

void across_forget(struct dial *d)
{
	if (d->call)
		TAILQ_REMOVE(&d->fs->across.asked, d, asked);
	d->call = 0;
}

void across_said(struct flows *fs, const struct osh_msg_crossed *m, int *fd)
{
	struct dial *d;
	size_t n = strnlen(m->text, sizeof(m->text) - 1);

	TAILQ_FOREACH(d, &fs->across.asked, asked)
		if (d->call == m->call)
			break;
	if (!d)				/* its time was over, or nobody wants it any more */
		return;
	across_forget(d);
	memcpy(d->said, m->text, n);
	d->said[n] = 0;
	dial_crossed(d, *fd, m->why > OSH_WHY_ALLOWED && m->why < OSH_WHY_MAX ? (enum osh_reason)m->why : OSH_WHY_UPSTREAM);
	*fd = -1;
}

int across_begun(struct dial *d)
{
	unsigned char code = 0;
	ssize_t n = recv(d->w.fd, &code, 1, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n == 1 && !code)
		return 1;
	snprintf(d->said, sizeof(d->said), "port %u in the sandbox: %s", d->grant->target.port,
		 n == 1 ? strerror(code) : "it ended before the port answered");
	return -1;
}
