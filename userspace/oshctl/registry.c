/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens what the clients of packages are configured by, and writes what they say between the marks
 * of a preset: "# <registries>" (endpoints), "# <environment>" (for the client inside, whose home is
 * another one) and "# <files>". Runs as the caller; files are bounded, and never waited for.
 */
#include "registry.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model.h"
#include "own.h"
#include "say.h"

struct where {
	struct arena *a;
	int dir;			/* the project's */
	const char *home;
};

static const char *from_environ(const struct client *c, const char *name)
{
	(void)c;
	return getenv(name);
}

static int open_file(const struct where *at, const char *path, bool project)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	char text[512];

	if (project)
		return openat(at->dir, path, flags | O_NOFOLLOW);
	if (*path != '~')
		return open(path, flags);
	if (!at->home || snprintf(text, sizeof(text), "%s%s", at->home, path + 1) >= (int)sizeof(text))
		return -1;
	return open(text, flags);
}

/* Root takes nothing from a project that is another user's. */
static bool may_read(const char *path, bool project, const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		say_error("%s: no regular file; it is not read", path);
	else if (st->st_size > CLIENT_FILE_MAX)
		say_error("%s: larger than %d bytes; it is not read", path, CLIENT_FILE_MAX);
	else if (project && !geteuid() && st->st_uid)
		say_error("%s: not root's own; root does not read it", path);
	else
		return true;
	return false;
}

static bool read_file(const struct client *c, const char *path, bool project, struct slice *ret)
{
	const struct where *at = c->arg;
	_close_ int fd = open_file(at, path, project);
	char *text;
	struct stat st;
	ssize_t n = 0;
	size_t all = 0;

	if (fd < 0 && errno != ENOENT && errno != ENOTDIR)	/* ELOOP: a project's file may be no link */
		say_error("%s: %s; it is not read", path, errno == ELOOP ? "is a link" : strerror(errno));
	if (fd < 0 || fstat(fd, &st) < 0 || !may_read(path, project, &st))
		return false;
	text = arena_zalloc(at->a, CLIENT_FILE_MAX);
	while (text && all < CLIENT_FILE_MAX && (n = read(fd, text + all, CLIENT_FILE_MAX - all)) > 0)
		all += (size_t)n;
	*ret = (struct slice){ text, all };
	return text && n >= 0;
}

static const struct {
	const char *preset;
	registry_fn *read;
	const char *post;		/* what is asked below a registry's path besides GET, or NULL */
} clients[] = {
	{ "npm", registry_npm, "/-/npm/v1/security/**" },
	{ "pip", registry_pip, NULL },
	{ "cargo", registry_cargo, NULL },
	{ "go", registry_go, NULL },
};

static void put_endpoints(struct buf *b, const struct registries *r, size_t client, bool look_inside)
{
	for EACH (struct registry, one, &r->v) {
		/* "1.e" and "true" would be read as something else than names. */
		bool plain = isalpha((unsigned char)*one->host) && strchr(one->host, '.');

		buf_printf(b, plain ? "      - {host: %s, port: %u" : "      - {host: \"%s\", port: %u", one->host,
			   one->port);
		if (look_inside)
			buf_printf(b, ", protocol: rest, rules: [{allow: {method: GET, path: \"%s/**\"}}", one->path);
		if (look_inside && clients[client].post)
			buf_printf(b, ", {allow: {method: POST, path: \"%s%s\"}}", one->path, clients[client].post);
		buf_str(b, look_inside ? "]}\n" : "}\n");
	}
}

static void put_texts(struct buf *b, const struct list *texts, const char *before)
{
	const char *const *v = texts->v;

	for (uint32_t i = 0; i < texts->n; i++)
		buf_printf(b, "%s%s\n", before, v[i]);
}

static struct slice line_of(struct slice *rest)
{
	const char *end = memchr(rest->p, '\n', rest->n);
	struct slice line = { rest->p, end ? (size_t)(end + 1 - rest->p) : rest->n };

	rest->p += line.n;
	rest->n -= line.n;
	return line;
}

static bool marks(struct slice line, const char *mark)
{
	while (line.n && *line.p == ' ')
		line.p++, line.n--;
	return line.n >= strlen(mark) && !memcmp(line.p, mark, strlen(mark));
}

/* Lines between "# <" and "# </" are made anew; all others are the preset's. */
static void fill(struct buf *b, struct slice text, const struct registries *r, size_t client, bool look_inside)
{
	bool between = false;

	while (text.n) {
		struct slice line = line_of(&text);

		if (marks(line, "# </"))
			between = false;
		if (!between)
			buf_put(b, line.p, line.n);
		if (marks(line, "# <registries>"))
			put_endpoints(b, r, client, look_inside);
		else if (marks(line, "# <environment>"))
			put_texts(b, &r->env, "      ");
		else if (marks(line, "# <files>"))
			put_texts(b, &r->files, "    - ");
		between = between || (marks(line, "# <") && !marks(line, "# </"));
	}
}

int registry_fill(const char *preset, struct slice text, int dir, const char *home, bool look_inside, struct buf *ret,
		  struct err *e)
{
	struct registries r = { 0 };
	struct where at = { &r.a, dir, home };
	const struct client c = { from_environ, read_file, &at };
	int status = 0;
	size_t i = 0;

	while (i < ARRAY_SIZE(clients) && strcmp(clients[i].preset, preset))
		i++;
	if (i < ARRAY_SIZE(clients)) {
		clients[i].read(&r, &c);
		if (!look_inside)
			say_error("preset %s: requests are not looked into yet, so its hosts are allowed whole", preset);
		if (!r.v.n)
			status = fail(e, EINVAL, "preset %s: its client is configured, and no registry can be used",
				      preset);
	}
	fill(ret, text, &r, i, look_inside);
	if (status == 0 && (r.a.bad || !buf_ok(ret)))
		status = fail(e, ENOMEM, "out of memory");
	registries_done(&r);
	return status;
}
