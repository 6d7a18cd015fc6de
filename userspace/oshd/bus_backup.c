/* SPDX-License-Identifier: Apache-2.0 */
/* Backup: the database, written into the caller's descriptor by a child (state/backup.c). */
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "manager.h"
#include "methods.h"
#include "own.h"
#include "sandbox.h"
#include "state/state.h"

#define LATE_US (600ull * 1000000)	/* a reader that hangs ends here */

struct backup {
	struct daemon *d;
	sd_bus_message *call;
	sd_event_source *exited, *late;
	int pidfd;
};

static void backup_free(struct backup *b)
{
	sd_event_source_disable_unref(b->exited);
	sd_event_source_disable_unref(b->late);
	sd_bus_message_unref(b->call);
	own_close(&b->pidfd);
	free(b);
}

static int on_exited(sd_event_source *src, int fd, uint32_t events, void *data)
{
	struct backup *b = data;
	struct err e = { 0 };

	(void)src;
	(void)fd;
	(void)events;
	if (state_backup_end(b->d->state, &e) < 0)
		bus_answer_error(b->call, e.text);
	else if (sd_bus_reply_method_return(b->call, "") < 0)
		fprintf(stderr, "oshd: the caller of a backup left before it was written\n");
	backup_free(b);
	return 0;
}

static int on_late(sd_event_source *src, uint64_t usec, void *data)
{
	struct backup *b = data;

	(void)src;
	(void)usec;
	(void)syscall(SYS_pidfd_send_signal, b->pidfd, SIGKILL, NULL, 0);
	return 0;			/* on_exited() follows */
}

static int watch(struct backup *b)
{
	int r = sd_event_add_io(b->d->event, &b->exited, b->pidfd, EPOLLIN, on_exited, b);

	return r < 0 ? r : sd_event_add_time_relative(b->d->event, &b->late, CLOCK_MONOTONIC, LATE_US, 0, on_late, b);
}

int on_backup(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct backup *b;
	pid_t pid;
	int to, r;

	if (!caller_is_admin(who))
		return fail(e, EPERM, "a backup holds what every user has: root and group " CALLER_ADMINS " may write one");
	if (!who->d->state)
		return fail(e, ENOTSUP, "this oshd lives for one run and keeps nothing");
	if (sd_bus_message_read(m, "h", &to) < 0)
		return fail(e, EINVAL, "malformed call");
	b = calloc(1, sizeof(*b));
	if (!b)
		return fail(e, ENOMEM, "out of memory");
	*b = (struct backup){ .d = who->d, .pidfd = -1 };
	r = state_backup_start(who->d->state, to, &pid, &b->pidfd, e);
	if (r < 0) {
		backup_free(b);
		return r;
	}
	r = watch(b);
	if (r < 0) {
		kill(pid, SIGKILL);
		(void)state_backup_end(who->d->state, e);
		backup_free(b);
		return fail(e, -r, "watch the backup: %s", strerror(-r));
	}
	b->call = sd_bus_message_ref(m);
	return 0;
}
