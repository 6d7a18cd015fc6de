/* SPDX-License-Identifier: Apache-2.0 */
/* The child's side is vault_work.c. Here: what oshd hands to it, and how long it waits. */
#include "vault.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "own.h"
#include "spawn.h"
#include "vault_work.h"

#define WAIT_MS 10000			/* it takes one or two */

static const struct {
	int code;
	const char *text;
} words[] = {
	{ ENOKEY, "it was sealed with another key: give oshd back the one that it had (docs/providers.md)" },
	{ EBADMSG, "what is stored was changed or is damaged: store the credential again" },
	{ EPROTO, "the credentials that the sandbox was given are malformed" },
	{ E2BIG, "the sandbox has more credentials than fit in one set" },
	{ EILSEQ, "a secret is 8 to 4096 bytes of printable ASCII" },
	{ ENOENT, "the sandbox has no such provider" },
};

static int failed(int code, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (words[i].code == code)
			return fail(e, code, "%s", words[i].text);
	return fail(e, code ? code : EIO, "the vault: %s", code ? strerror(code) : "ended without a word");
}

static int wait_for(pid_t pid, int pidfd, struct err *e)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int status = 0;

	if (poll(&p, 1, WAIT_MS) <= 0)
		kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return failed(0, e);
	return WEXITSTATUS(status) ? failed(WEXITSTATUS(status), e) : 0;
}

/* Descriptors are moved up first: the places may be each other's. */
_Noreturn static void child(const struct vault_job *j)
{
	const int fds[VAULT_FDS] = { j->key_fd, j->in_fd, j->out_fd };
	int high[VAULT_FDS];

	for (int i = 0; i < VAULT_FDS; i++)
		high[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD_CLOEXEC, 100);
	for (int i = 0; i < VAULT_FDS; i++)
		if (high[i] >= 0 ? dup2(high[i], 3 + i) < 0 : (close(3 + i), 0))
			_exit(EMFILE);
	if (close_range(3 + VAULT_FDS, ~0u, 0) < 0)
		_exit(EMFILE);
	_exit(vault_work(j));
}

static int do_job(const struct vault_job *j, struct err *e)
{
	_close_ int pidfd = -1;
	pid_t pid = spawn_fork(&pidfd);

	if (pid == 0)
		child(j);
	return pid < 0 ? fail(e, errno, "fork: %s", strerror(errno)) : wait_for(pid, pidfd, e);
}

int vault_make_key(int fd, struct err *e)
{
	return do_job(&(struct vault_job){ .kind = VAULT_MAKE, .key_fd = fd, .in_fd = -1, .out_fd = -1 }, e);
}

int vault_seal(int key_fd, const struct vault_bind *b, int secret_fd, struct vault_box *ret, struct err *e)
{
	_close_ int out = memfd_create("osh-box", MFD_CLOEXEC);
	struct vault_job j = { .kind = VAULT_SEAL, .key_fd = key_fd, .in_fd = secret_fd, .out_fd = out, .bind = *b };
	ssize_t n;
	int r;

	if (out < 0)
		return fail(e, errno, "memfd: %s", strerror(errno));
	r = do_job(&j, e);
	if (r < 0)
		return r;
	n = pread(out, ret, sizeof(*ret), 0);
	return n > (ssize_t)VAULT_BOX_BYTES(0) && (size_t)n == VAULT_BOX_BYTES(ret->n) ? 0 : failed(0, e);
}

int vault_compose(int key_fd, int base_fd, const struct vault_item *items, size_t n, const char *drop, int *ret_fd,
		  struct err *e)
{
	_close_ int out = memfd_create("credentials", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct vault_job j = { .kind = VAULT_COMPOSE, .key_fd = key_fd, .in_fd = base_fd, .out_fd = out,
			       .items = items, .n_items = n, .drop = drop };
	int r;

	*ret_fd = -1;
	if (out < 0)
		return fail(e, errno, "memfd: %s", strerror(errno));
	r = do_job(&j, e);
	if (r < 0)
		return r;
	if (lseek(out, 0, SEEK_END) > 0)
		*ret_fd = take_fd(&out);
	return 0;
}
