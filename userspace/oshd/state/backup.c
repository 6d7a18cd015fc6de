/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A copy of the database while it is in use: everything is brought from the WAL into the file, and until a
 * child has copied the file nothing more is. Changes go on, into the WAL; a reader that hangs holds up nothing
 * but that. The child has the file, the caller's descriptor, and an identity that owns nothing.
 */
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db.h"
#include "own.h"
#include "../spawn.h"

#define CHECKPOINT_PAGES 1000		/* SQLite's own default */

static int copy(int from, int to)
{
	static char part[1 << 16];
	ssize_t n, w;

	while ((n = read(from, part, sizeof(part))) > 0)
		for (ssize_t at = 0; at < n; at += w) {
			w = write(to, part + at, (size_t)(n - at));
			if (w < 0 && errno == EINTR)
				w = 0;
			if (w < 0)
				return errno;
		}
	if (n < 0)
		return errno;
	return fsync(to) < 0 && errno != EINVAL && errno != EROFS ? errno : 0;	/* a pipe has nothing to sync */
}

static int drop(void)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -1;
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(OSH_UID_PARSE, OSH_UID_PARSE, OSH_UID_PARSE) < 0 ||
			       setresuid(OSH_UID_PARSE, OSH_UID_PARSE, OSH_UID_PARSE) < 0 ||
			       prctl(PR_SET_PDEATHSIG, SIGKILL) < 0))	/* another identity takes it away */
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

_Noreturn static void child(int dir_fd, int to)
{
	int from = openat(dir_fd, "osh.db", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	sigset_t none;

	/* Above both places first: either number may be the other's. */
	from = from < 0 ? -1 : fcntl(from, F_DUPFD, 5);
	to = fcntl(to, F_DUPFD, 5);
	if (from < 0 || to < 0 || dup2(from, 3) < 0 || dup2(to, 4) < 0 || close_range(5, ~0u, 0) < 0 || drop() < 0)
		_exit(errno ? errno : EIO);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGTERM, SIG_DFL);
	_exit(copy(3, 4));
}

int state_backup_start(struct state *st, int to_fd, pid_t *ret_pid, int *ret_pidfd, struct err *e)
{
	int pidfd = -1, rc;
	pid_t pid;

	if (st->backup)
		return fail(e, EBUSY, "another backup is being written");
	rc = sqlite3_wal_checkpoint_v2(st->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	if (!rc)
		rc = sqlite3_wal_autocheckpoint(st->db, 0);
	if (rc)
		return db_fail(st, rc, e);
	pid = spawn_fork(&pidfd);
	if (pid == 0)
		child(st->dir_fd, to_fd);
	if (pid < 0) {
		sqlite3_wal_autocheckpoint(st->db, CHECKPOINT_PAGES);
		return fail(e, errno, "fork: %s", strerror(errno));
	}
	st->backup = pid;
	*ret_pid = pid;
	*ret_pidfd = pidfd;
	return 0;
}

int state_backup_end(struct state *st, struct err *e)
{
	int status = 0;
	pid_t pid = st->backup;

	st->backup = 0;
	sqlite3_wal_autocheckpoint(st->db, CHECKPOINT_PAGES);
	if (pid <= 0 || waitpid(pid, &status, 0) != pid)
		return fail(e, ECHILD, "no backup is being written");
	if (WIFSIGNALED(status))
		return fail(e, EINTR, "the backup was broken off (signal %d); what was written is not one",
			    WTERMSIG(status));
	status = WEXITSTATUS(status);
	return status ? fail(e, status, "write the backup: %s; what was written is not one", strerror(status)) : 0;
}

int state_backup(struct state *st, int to_fd, struct err *e)
{
	_close_ int pidfd = -1;
	pid_t pid;
	int r = state_backup_start(st, to_fd, &pid, &pidfd, e);

	return r ? r : state_backup_end(st, e);
}
