/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens what the caller named. oshctl is the caller, so the kernel checks the caller's rights; from
 * here on only descriptors travel. Directories and files are refused by kind, not by name.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chan.h"
#include "discover.h"
#include "given.h"
#include "manager.h"
#include "manager_call.h"
#include "own.h"
#include "policy_source.h"
#include "provider_call.h"
#include "run.h"

static int open_regular(const char *what, const char *path, int flags, int *ret_fd, struct err *e)
{
	_close_ int fd = -1;
	struct stat st;

	if (!path)
		return 0;
	fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
	if (fd < 0)
		return fail(e, errno, "%s '%s': %s", what, path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return fail(e, EINVAL, "%s '%s': not a regular file", what, path);
	*ret_fd = take_fd(&fd);
	return 0;
}

/* The name that the kernel has for the directory: what the sandbox will call it. */
static int open_workdir(const char *path, struct run_files *f, struct err *e)
{
	_close_ int fd = open(path ? path : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char link[32];
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return fail(e, errno, "working directory '%s': %s", path ? path : ".", strerror(errno));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, f->cwd, sizeof(f->cwd));
	if (n <= 0 || n >= (ssize_t)sizeof(f->cwd))
		return fail(e, ENAMETOOLONG, "working directory: its path is longer than %zu bytes",
			    sizeof(f->cwd) - 1);
	f->cwd[n] = '\0';
	if (f->cwd[0] != '/' || fstat(fd, &st) < 0 || !st.st_nlink)
		return fail(e, ENOENT, "working directory: removed or out of reach");
	f->workdir = take_fd(&fd);
	return 0;
}

static int open_pairs(struct run_files *f, struct err *e)
{
	int pair[2], r = chan_pair(pair);

	if (r < 0)
		return fail(e, -r, "socketpair: %s", strerror(-r));
	f->control = pair[0];
	f->init_control = pair[1];
	/* Not a pipe: osh-audit ends it for every holder at once, and several keep the other end. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(e, errno, "socketpair: %s", strerror(errno));
	f->summary = pair[0];
	f->summary_in = pair[1];
	return 0;
}

void run_files_init(struct run_files *f)
{
	*f = (struct run_files){ .policy = -1, .log = -1, .hosts = -1, .ca = -1, .workdir = -1, .creds.fd = -1,
				  .control = -1, .init_control = -1, .summary = -1, .summary_in = -1 };
}

/* What is stored is asked for before the policy is compiled: its hosts take the credential. */
static int open_stored(const struct run_opts *o, struct run_files *f, struct err *e)
{
	sd_bus *bus = NULL;
	int r = 0;

	for (const char **given = o->providers; r == 0 && given && *given; given++) {
		struct provider_row w = { 0 };

		if (!provider_set_is_stored(*given))
			continue;
		if (!bus)
			r = manager_open(&bus, o->socket, e);
		if (r == 0)
			r = provider_get(bus, *given, MANAGER_SELF, &w, e);
		if (r == 0)
			r = provider_set_stored(&f->creds, *given, w.type, w.record, o->placeholders, e);
		free(w.record);
	}
	sd_bus_close_unref(bus);
	return r;
}

static int open_providers(const struct run_opts *o, struct run_files *f, struct err *e)
{
	int r = provider_set_files(&f->creds, o->providers, o->placeholders, e);

	if (r == 0)
		r = open_stored(o, f, e);
	if (r == 0 && o->argv && *o->argv && !o->no_providers)
		r = discover(&f->creds, *o->argv, o->placeholders, !o->policy, e);
	return r < 0 ? r : provider_set_seal(&f->creds, e);
}

int run_open_given(const struct run_opts *o, struct run_files *f, struct err *e)
{
	int r = open_regular("upstream hosts", o->hosts, O_RDONLY, &f->hosts, e);

	if (r == 0)
		r = given_check_hosts(o->hosts, f->hosts, e);
	if (r == 0)
		r = open_regular("upstream CA", o->ca, O_RDONLY, &f->ca, e);
	if (r == 0)
		r = given_check_ca(o->ca, f->ca, e);
	if (r == 0)
		r = open_providers(o, f, e);
	if (r == 0)
		r = open_regular("log", o->log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, &f->log, e);
	return r;
}

int run_open(const struct run_opts *o, struct run_files *f, struct err *e)
{
	int r;

	run_files_init(f);
	r = open_workdir(o->workdir, f, e);
	if (r == 0 && o->policy)
		r = policy_source_open_at(o->policy, f->workdir, &f->policy, e);
	if (r == 0)
		r = run_open_given(o, f, e);
	return r < 0 ? r : open_pairs(f, e);
}

void run_close(struct run_files *f)
{
	int *fds[] = { &f->policy, &f->log, &f->hosts, &f->ca, &f->workdir,
		       &f->control, &f->init_control, &f->summary, &f->summary_in };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		own_close(fds[i]);
	provider_set_done(&f->creds);
}
