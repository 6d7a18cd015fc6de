/* SPDX-License-Identifier: Apache-2.0 */
#include "provider_secret.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "osh/creds.h"
#include "own.h"
#include "secret.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

bool secret_one(const struct secret_source *s)
{
	return !!s->file + !!s->variable + s->in == 1;
}

static int from_file(const char *path, int to, struct err *e)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return fail(e, errno, "'%s': %s", path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return fail(e, EINVAL, "'%s': not a regular file", path);
	if (st.st_size < 1 || st.st_size > OSH_CRED_SECRET_BYTES)
		return fail(e, E2BIG, "'%s': a secret has 1 to %d bytes", path, OSH_CRED_SECRET_BYTES);
	if (sendfile(to, fd, NULL, (size_t)st.st_size) != st.st_size)
		return fail(e, EIO, "'%s': changed while it was read", path);
	return 0;
}

static int put(int to, const char *p, size_t n, struct err *e)
{
	return write(to, p, n) == (ssize_t)n ? 0 : fail(e, errno, "memfd: %s", strerror(errno));
}

/* What ps(1) and /proc show of this process is the same memory. */
static void forget(const char *variable)
{
	char *v = getenv(variable);

	if (v)
		explicit_bzero(v, strlen(v));
	unsetenv(variable);
}

/* Members of an object, each with a variable of its own: no text that would need an escape. */
static int from_members(const struct profile *p, int to, struct err *e)
{
	const char *key, *sep = "{";
	json_t *name;
	int r = 0;

	json_object_foreach(p->secret, key, name) {
		const char *variable = json_string_value(name), *v = getenv(variable);

		if ((!v || !*v) && !strcmp(key, "session_token"))
			continue;
		if (!v || !*v || strpbrk(v, "\"\\\n\r\t"))
			return fail(e, ENOENT, "%s is not set, or holds what no key has", variable);
		r = dprintf(to, "%s\"%s\":\"", sep, key) < 0 ? -EIO : put(to, v, strlen(v), e);
		if (r == 0)
			r = put(to, "\"", 1, e);
		if (r < 0)
			return r;
		sep = ",";
	}
	json_object_foreach(p->secret, key, name) {
		forget(json_string_value(name));
	}
	return put(to, "}", 1, e);
}

static int from_variable(const char *variable, int to, struct err *e)
{
	const char *v = getenv(variable);
	int r;

	if (!v || !*v)
		return fail(e, ENOENT, "%s is not set", variable);
	if (strlen(v) > OSH_CRED_SECRET_BYTES)
		return fail(e, E2BIG, "%s: a secret has at most %d bytes", variable, OSH_CRED_SECRET_BYTES);
	r = put(to, v, strlen(v), e);
	forget(variable);
	return r;
}

static int from_env(const char *variable, const struct profile *p, int to, struct err *e)
{
	if (*variable)
		return from_variable(variable, to, e);
	if (p && p->secret)
		return from_members(p, to, e);
	for (size_t i = 0; p && p->variables[i]; i++)
		if (getenv(p->variables[i]) && *getenv(p->variables[i]))
			return from_variable(p->variables[i], to, e);
	return fail(e, ENOENT, "none of the type's variables is set: name one with --from-env=NAME");
}

static int read_input(char *room, size_t most, size_t *ret_n, struct err *e)
{
	size_t n = 0;
	ssize_t r = 0;

	while (n < most && (r = read(0, room + n, most - n)) > 0) {
		n += (size_t)r;
		if (isatty(0) && room[n - 1] == '\n')
			break;
	}
	if (r < 0)
		return fail(e, errno, "standard input: %s", strerror(errno));
	*ret_n = n;
	return n < most ? 0 : fail(e, E2BIG, "standard input: a secret has at most %d bytes", OSH_CRED_SECRET_BYTES);
}

static int from_input(int to, struct err *e)
{
	const size_t most = OSH_CRED_SECRET_BYTES + 1;
	char *room = secret_alloc(most);
	struct termios was, quiet;
	bool terminal = tcgetattr(0, &was) == 0;
	size_t n = 0;
	int r;

	if (!room)
		return fail(e, errno, "locked memory: %s", strerror(errno));
	if (terminal) {
		quiet = was;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		fprintf(stderr, "secret: ");
		(void)tcsetattr(0, TCSAFLUSH, &quiet);
	}
	r = read_input(room, most, &n, e);
	if (terminal) {
		(void)tcsetattr(0, TCSAFLUSH, &was);
		fputc('\n', stderr);
	}
	if (r == 0 && !n)
		r = fail(e, ENOENT, "standard input: there is no secret");
	if (r == 0)
		r = put(to, room, n, e);
	secret_free(room, most);
	return r;
}

int secret_open(const struct secret_source *s, const struct profile *p, int *ret_fd, struct err *e)
{
	_close_ int fd = memfd_create("secret", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return fail(e, errno, "memfd: %s", strerror(errno));
	r = s->file ? from_file(s->file, fd, e) : s->variable ? from_env(s->variable, p, fd, e) : from_input(fd, e);
	if (r == 0 && fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		r = fail(e, errno, "seal: %s", strerror(errno));
	if (r == 0)
		*ret_fd = take_fd(&fd);
	return r;
}
