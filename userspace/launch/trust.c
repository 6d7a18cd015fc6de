/* SPDX-License-Identifier: Apache-2.0 */
#include "trust.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "furnish.h"
#include "mnt.h"
#include "osh/root.h"
#include "own.h"
#include "resolve.h"
#include "trust_java.h"

#define WAIT_MS 15000			/* its maker takes a few milliseconds, on an idle machine */
#define NO_LINKS (RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

/* Where programs look that no variable reaches: curl, wget, git and whatever else has a path built in. */
static const struct {
	const char *path, *by;
} places[] = {
	{ "/etc/ssl/certs/ca-certificates.crt", OSH_TRUST_ALL },
	{ "/etc/pki/tls/certs/ca-bundle.crt", OSH_TRUST_ALL },
	{ "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", OSH_TRUST_ALL },
	{ "/etc/ssl/ca-bundle.pem", OSH_TRUST_ALL },
	{ "/etc/ssl/cert.pem", OSH_TRUST_ALL },
	{ "/etc/pki/tls/cert.pem", OSH_TRUST_ALL },
	{ "/etc/ssl/certs/java/cacerts", OSH_TRUST_JAVA },
	{ "/etc/pki/ca-trust/extracted/java/cacerts", OSH_TRUST_JAVA },
	{ "/etc/pki/java/cacerts", OSH_TRUST_JAVA },
};

/* The maker ends the pipe; what came until then is one certificate or nothing that is used. */
static int read_root(int fd, char *pem, size_t room, size_t *ret, struct err *e)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----\n", end[] = "-----END CERTIFICATE-----\n";
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t n = 0;

	for (;;) {
		ssize_t r = -1;

		if (poll(&p, 1, WAIT_MS) > 0)
			r = read(fd, pem + n, room - n);
		if (r < 0 || n == room)
			return fail(e, EIO, "the sandbox's own certificate authority did not come");
		if (!r)
			break;
		n += (size_t)r;
	}
	if (n < sizeof(begin) + sizeof(end) || memcmp(pem, begin, sizeof(begin) - 1) ||
	    memcmp(pem + n - sizeof(end) + 1, end, sizeof(end) - 1))
		return fail(e, EIO, "the sandbox's own certificate authority could not be made");
	*ret = n;
	return 0;
}

static int make_file(int dir, const char *name, int *ret, struct err *e)
{
	*ret = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444);
	return *ret < 0 ? fail(e, errno, "make '%s' inside: %s", name, strerror(errno)) : 0;
}

static int copy(int from, int to, struct err *e)
{
	off_t at = 0;
	ssize_t n;

	while ((n = sendfile(to, from, &at, OSH_ANCHORS_BYTES)) > 0 && at <= OSH_ANCHORS_BYTES)
		;
	return n ? fail(e, n < 0 ? errno : E2BIG, "copy the trusted roots: %s",
			strerror(n < 0 ? errno : E2BIG)) : 0;
}

static int append(int fd, const char *pem, size_t n, struct err *e)
{
	return write(fd, pem, n) == (ssize_t)n ? 0 : fail(e, errno, "write trusted roots: %s", strerror(errno));
}

int trust_write(int dev, const struct view_args *a, struct err *e)
{
	_close_ int dir = -1, all = -1, own = -1;
	char pem[OSH_ROOT_PEM];
	size_t n = 0;
	int r, made;

	if (a->root_fd < 0)
		return 0;
	r = read_root(a->root_fd, pem, sizeof(pem), &n, e);
	if (!r)
		r = furnish_dir(dev, "osh", 0755, &dir, e);
	if (!r)
		r = make_file(dir, "root.pem", &own, e);
	if (!r)
		r = append(own, pem, n, e);
	if (!r)
		r = make_file(dir, "ca.pem", &all, e);
	if (!r)
		r = copy(a->anchors_fd, all, e);
	if (!r)
		r = append(all, pem, n, e);
	return r || !a->java ? r : trust_java(dir, pem, n, &made, e);
}

/* In a directory that is ours, a link does; inside a listed tree nothing is made. */
static int link_there(struct view *v, const struct paths *p, const char *path)
{
	char parent[PATH_MAX];
	_close_ int dir = -1;
	struct err ignored;
	char *name;

	if (paths_tree_of(p, path))
		return 0;
	snprintf(parent, sizeof(parent), "%s", path);
	name = strrchr(parent, '/');
	*name++ = 0;
	/* A link of the host's on the way: then another of the places is the real one. */
	if (furnish_dir(v->root_fd, parent, 0755, &dir, &ignored) < 0)
		return 0;
	return symlinkat(OSH_TRUST_ALL, dir, name) < 0 && errno != EEXIST ? -errno : 0;
}

static int cover(struct view *v, int place, const char *by, struct err *e)
{
	_close_ int from = open_at(v->root_fd, by, O_PATH | O_NOFOLLOW, NO_LINKS), tree = -1;
	int r = from < 0 ? fail(e, -from, "open own %s: %s", by, strerror(-from)) : 0;

	if (from == -ENOENT)
		return 0;		/* the host has no such store that could be added to */
	if (!r)
		r = mnt_copy(from, false, &tree, e);
	if (!r && (r = mnt_attr(tree, MNT_BASE | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC, false, -1)) < 0)
		r = fail(e, -r, "mount attributes: %s", strerror(-r));
	if (!r && (r = mnt_move(tree, place)) < 0)
		r = fail(e, -r, "mount: %s", strerror(-r));
	if (!r && v->n_rules == VIEW_RULES)
		r = fail(e, E2BIG, "too many paths");
	if (!r)
		v->rules[v->n_rules++] = (struct landlock_rule){ take_fd(&tree), LANDLOCK_READ };
	return r;
}

int trust_over(struct view *v, const struct paths *p, const struct view_args *a, struct err *e)
{
	for (size_t i = 0; a->root_fd >= 0 && i < ARRAY_SIZE(places); i++) {
		/* Links are followed inside the new root: the file that a program would read is covered. */
		_close_ int fd = open_at(v->root_fd, places[i].path, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
		struct err why = { 0 };
		struct stat st;
		int r = 0;

		if (fd == -ENOENT && !strcmp(places[i].by, OSH_TRUST_ALL))
			r = link_there(v, p, places[i].path);
		else if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
			r = cover(v, fd, places[i].by, &why);
		if (r < 0)
			return fail(e, -r, "%s inside: %s", places[i].path, why.text[0] ? why.text : strerror(-r));
	}
	return 0;
}
