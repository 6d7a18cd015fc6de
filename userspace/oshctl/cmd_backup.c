/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `oshctl backup FILE`: oshd writes its database into a descriptor that we opened. FILE appears whole or not at
 * all; "-" is stdout, for a pipe.
 */
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "manager.h"
#include "manager_call.h"
#include "own.h"
#include "say.h"
#include "usage.h"
#include "verbs.h"

static int ask(const char *socket, int to, struct err *e)
{
	sd_bus_message *m = NULL;
	sd_bus *bus = NULL;
	int r = manager_open(&bus, socket, e);

	if (!r)
		r = manager_new(bus, MANAGER_BACKUP, &m, e);
	if (!r)
		r = manager_filled(sd_bus_message_append(m, "h", to), e);
	if (!r)
		r = manager_call(bus, m, NULL, e);
	sd_bus_message_unref(m);
	sd_bus_close_unref(bus);
	return r;
}

/* The name holds through a power cut, too. */
static int sync_dir_of(const char *file)
{
	_free_ char *copy = strdup(file);
	_close_ int dir = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	return dir < 0 || fsync(dir) < 0 ? -errno : 0;
}

static int to_file(const char *socket, const char *file, struct err *e)
{
	char part[PATH_MAX];
	_close_ int fd = -1;
	int r;

	if (snprintf(part, sizeof(part), "%s.XXXXXX", file) >= (int)sizeof(part))
		return fail(e, ENAMETOOLONG, "'%s': the name is too long", file);
	fd = mkostemp(part, O_CLOEXEC);		/* 0600: it holds what every user has */
	if (fd < 0)
		return fail(e, errno, "write '%s': %s", part, strerror(errno));
	r = ask(socket, fd, e);
	if (!r && rename(part, file) < 0)
		r = fail(e, errno, "rename '%s' to '%s': %s", part, file, strerror(errno));
	if (r < 0)
		(void)unlink(part);
	else if (sync_dir_of(file) < 0)
		r = fail(e, errno, "sync the directory of '%s': %s", file, strerror(errno));
	return r;
}

int cmd_backup(int argc, char **argv)
{
	static const struct option options[] = { { "socket", required_argument, NULL, 's' }, { 0 } };
	const char *socket = NULL;
	struct err e = { 0 };
	int c, r;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 's')
			return help_usage("backup");
		socket = optarg;
	}
	if (!usage_operands(argc, argv, "FILE"))
		return help_usage("backup");
	if (strcmp(argv[optind], "-"))
		r = to_file(socket, argv[optind], &e);
	else
		r = isatty(1) ? fail(&e, EINVAL, "a database is not for a terminal: name a file, or write to a pipe")
			      : ask(socket, 1, &e);
	if (r < 0)
		say_error("%s", e.text);
	return r < 0 ? EXIT_REFUSED : EXIT_DONE;
}
