/* SPDX-License-Identifier: Apache-2.0 */
#include "sync.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#define WAITING 64			/* no more at once; a pipe takes far more */

static void *run(void *data)
{
	struct syncer *s = data;
	bool said = false;
	int fd;

	while (read(s->from, &fd, sizeof(fd)) == sizeof(fd)) {
		if (fdatasync(fd) < 0 && !said) {
			said = true;
			fprintf(stderr, "osh-audit: a log cannot be brought to disk: %s\n", strerror(errno));
		}
		close(fd);
		atomic_fetch_sub(&s->waiting, 1);
	}
	return NULL;
}

int syncer_start(struct syncer *s, struct err *e)
{
	sigset_t all, was;
	pthread_t thread;
	int pair[2], r;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return fail(e, errno, "pipe: %s", strerror(errno));
	s->from = pair[0];
	s->to = pair[1];
	sigfillset(&all);		/* SIGALRM is the other's */
	pthread_sigmask(SIG_SETMASK, &all, &was);
	r = pthread_create(&thread, NULL, run, s);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	return r ? fail(e, r, "thread: %s", strerror(r)) : 0;
}

bool syncer_take(struct syncer *s, int fd)
{
	int own;

	if (atomic_load(&s->waiting) >= WAITING)
		return false;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (own < 0)
		return false;
	atomic_fetch_add(&s->waiting, 1);
	if (write(s->to, &own, sizeof(own)) == sizeof(own))
		return true;
	atomic_fetch_sub(&s->waiting, 1);
	close(own);
	return false;
}
