/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "own.h"

#define TRIAL_S 30			/* for what hangs; SIGALRM then */

void probe_row(struct osh_probe_row *row, unsigned id, int result, const struct err *e)
{
	*row = (struct osh_probe_row){ .id = (uint16_t)id, .state = result < 0 ? OSH_PROBE_LACKS : OSH_PROBE_WORKS };
	snprintf(row->note, sizeof(row->note), "%s", e->text);
}

int probe_say(int fd, unsigned id, int result, const struct err *e)
{
	struct osh_probe_row row;

	probe_row(&row, id, result, e);
	return write(fd, &row, sizeof(row)) == (ssize_t)sizeof(row) ? 0 : -EPIPE;
}

_Noreturn static void child(const struct probe_trial *t, int fd)
{
	struct err e = { 0 };

	signal(SIGALRM, SIG_DFL);
	alarm(TRIAL_S);
	(void)probe_say(fd, t->id, t->try(&e), &e);
	_exit(0);
}

void probe_try(const struct probe_trial *t, struct osh_probe_row *row)
{
	struct err e = { 0 };
	int both[2], status = 0;
	ssize_t n = -1;
	pid_t pid = -1;

	if (pipe(both) == 0) {
		pid = fork();
		if (pid == 0)
			child(t, both[1]);
		close(both[1]);
		n = pid < 0 ? -1 : read(both[0], row, sizeof(*row));
		close(both[0]);
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
	if (n == (ssize_t)sizeof(*row))
		return;
	probe_row(row, t->id, pid < 0 ? fail(&e, errno, "could not be tried: %s", strerror(errno)) :
		  fail(&e, EIO, "the trial ended by signal %d", WIFSIGNALED(status) ? WTERMSIG(status) : 0), &e);
}
