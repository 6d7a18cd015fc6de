/* SPDX-License-Identifier: Apache-2.0 */
/* Opens policies by path or by preset, and `oshctl policy preset`, which shows the presets. */
#include "policy_source.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "embed.h"
#include "home.h"
#include "layers.h"
#include "osh/limits.h"
#include "own.h"
#include "registry.h"
#include "remote.h"
#include "say.h"
#include "schema.h"
#include "usage.h"
#include "verbs.h"

#define PRESETS 64

const char *policy_source_preset(const char *file)
{
	return strncmp(file, POLICY_PRESET, strlen(POLICY_PRESET)) ? NULL : file + strlen(POLICY_PRESET);
}

/* Root's is the one of its account: HOME may be that of whoever became root. */
const char *policy_source_caller_home(void)
{
	const struct passwd *pw = geteuid() ? NULL : getpwuid(0);

	return pw ? pw->pw_dir : geteuid() ? getenv("HOME") : "/root";
}

/* Tells the compiler whose home `~` is, where the text has one: the caller's, who is root's where root calls. */
static void tell_home(int fd)
{
	char part[16384];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, part, sizeof(part), at)) > 0 && at <= OSH_POLICY_BYTES && !memchr(part, '~', (size_t)n))
		at += n;
	(void)policy_home(n > 0 ? policy_source_caller_home() : NULL);
}

static int no_preset(const char *name, struct err *e)
{
	const char *names[PRESETS], *near;
	size_t n = 0;

	while (n < PRESETS && (names[n] = embed_preset_name(n)))
		n++;
	near = nearest(name, names, n);
	return fail(e, ENOENT, "no preset is called '%.40s'; %s%s%s'oshctl policy preset' lists them", name, near ? "did you mean '" : "",
		    near ? near : "", near ? "'? " : "");
}

/* The preset's text, with the package registries that the caller's clients are configured to use. */
static int preset_text(const char *name, int dir, struct buf *ret, struct err *e)
{
	struct slice text = embed_preset(name);

	if (!text.n)
		return no_preset(name, e);
	if (!memmem(text.p, text.n, "# <registries>", 14)) {
		buf_put(ret, text.p, text.n);
		return buf_ok(ret) ? 0 : fail(e, ENOMEM, "out of memory");
	}
	return registry_fill(name, text, dir, policy_source_caller_home(), layers_requests(PROTO_REST), ret, e);
}

static int preset_fd(const char *name, int dir, int *ret_fd, struct err *e)
{
	_close_ int fd = memfd_create("osh-preset", MFD_CLOEXEC);
	struct buf b = { 0 };
	int r = preset_text(name, dir, &b, e);

	if (r == 0 && (fd < 0 || write(fd, b.p, b.n) != (ssize_t)b.n || lseek(fd, 0, SEEK_SET) < 0))
		r = fail(e, errno, "write preset: %s", strerror(errno));
	buf_done(&b);
	if (r == 0)
		*ret_fd = take_fd(&fd);
	return r;
}

/* A pipe (`<(...)`, /dev/stdin) is read once, into a copy: the compiler wants a size, and to show lines again. */
static int settle(const char *file, int *fd, struct err *e)
{
	struct stat st;

	if (fstat(*fd, &st) < 0)
		return fail(e, errno, "policy '%s': %s", file, strerror(errno));
	if (S_ISFIFO(st.st_mode))
		return policy_source_seal(fd, e);
	return S_ISREG(st.st_mode) ? 0 : fail(e, EINVAL, "policy '%s' is neither a regular file nor a pipe", file);
}

int policy_source_open_at(const char *file, int dir, int *ret_fd, struct err *e)
{
	const char *preset = policy_source_preset(file);
	_close_ int fd = -1;
	int r = preset ? preset_fd(preset, dir, &fd, e) : 0;

	if (r < 0)
		return r;
	if (!preset)
		fd = remote_policy(file);
	if (!preset && fd < 0)
		fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return fail(e, errno, "cannot open policy '%s': %s", file, strerror(errno));
	r = settle(file, &fd, e);
	if (r < 0)
		return r;
	tell_home(fd);
	*ret_fd = take_fd(&fd);
	return 0;
}

int policy_source_open(const char *file, int *ret_fd, struct err *e)
{
	return policy_source_open_at(file, AT_FDCWD, ret_fd, e);
}

int policy_source_seal(int *fd, struct err *e)
{
	const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
	_close_ int copy = memfd_create("osh-policy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char part[16384];
	size_t total = 0;
	ssize_t n = 1;

	if (copy < 0)
		return fail(e, errno, "policy: memfd: %s", strerror(errno));
	(void)lseek(*fd, 0, SEEK_SET);	/* a pipe has no start, and is read, too */
	/* More than a policy may have: then the compiler says so. */
	while (total <= OSH_POLICY_BYTES && (n = read(*fd, part, sizeof(part))) > 0) {
		if (write(copy, part, (size_t)n) != n)
			return fail(e, errno, "policy: memfd: %s", strerror(errno));
		total += (size_t)n;
	}
	if (n < 0 || lseek(copy, 0, SEEK_SET) < 0 || fcntl(copy, F_ADD_SEALS, seals) < 0)
		return fail(e, errno, "read the policy: %s", strerror(errno));
	close(*fd);
	*fd = take_fd(&copy);
	return 0;
}

/* Name, and the first sentence of the file. */
static void list_one(const char *name)
{
	struct slice text = embed_preset(name);
	const char *from = memmem(text.p, text.n, "\n#\n# ", 5);
	size_t n = 0;

	if (from)
		for (from += 5; from + n < text.p + text.n && from[n] != '\n' && strncmp(from + n, ". ", 2); n++)
			;
	n -= n && from[n - 1] == '.';
	printf("%-16s %.*s\n", name, (int)n, from ? from : "");
}

int cmd_policy_preset(int argc, char **argv)
{
	bool list = argc == 2 && !strcmp(argv[1], "list");
	struct err e = { 0 };
	struct buf b = { 0 };
	bool ok;

	optind = 1;
	if (argc > 2 && !usage_operands(argc, argv, "NAME"))
		return help_usage("policy preset");
	for (size_t i = 0; (argc < 2 || list) && embed_preset_name(i); i++) {
		if (list)
			list_one(embed_preset_name(i));
		else
			puts(embed_preset_name(i));
	}
	ok = argc < 2 || list || preset_text(argv[1], AT_FDCWD, &b, &e) == 0;
	if (e.code)
		say_error("%s", e.text);
	ok = ok && fwrite(b.p ? b.p : "", 1, b.n, stdout) == b.n && !fflush(stdout);
	buf_done(&b);
	return ok ? EXIT_DONE : EXIT_REFUSED;
}
