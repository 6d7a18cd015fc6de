/* SPDX-License-Identifier: Apache-2.0 */
/* A list for all ids: it holds what waits between two messages, mostly nothing. */
#include "mounts.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>

#include "nodes.h"
#include "own.h"
#include "paths.h"
#include "resolve.h"

#define WAITING_MAX (64 * OSH_MOUNTS + 4 * OSH_GIVEN)	/* of all sandboxes that are being started */
#define HOME "/sandbox"

static const char *const engines[] = {
#define ENGINE(name) name,
#include "sockets.def"
#undef ENGINE
};

int mounts_add(struct mounts *all, const struct osh_msg_mount *m, int fd)
{
	struct mount_given *more = all->n < WAITING_MAX ? realloc(all->at, (all->n + 1) * sizeof(*more)) : NULL;

	if (!more) {
		close(fd);
		return -E2BIG;
	}
	all->at = more;
	more[all->n] = (struct mount_given){ m->id, m->flags, fd, "" };
	memcpy(more[all->n++].path, m->path, sizeof(m->path));
	return 0;
}

int mounts_take(struct mounts *all, uint32_t id, struct mounts *ret)
{
	struct mount_given *at = all->n ? calloc(all->n, sizeof(*at)) : NULL;
	int r = all->n && !at ? -ENOMEM : 0;
	size_t left = 0;

	*ret = (struct mounts){ .at = at };
	for (size_t i = 0; i < all->n; i++) {
		if (all->at[i].id != id)
			all->at[left++] = all->at[i];
		else if (at)
			at[ret->n++] = all->at[i];
		else
			close(all->at[i].fd);
	}
	all->n = left;
	return r;
}

void mounts_done(struct mounts *m)
{
	for (size_t i = 0; i < m->n; i++)
		close(m->at[i].fd);
	own_free(&m->at);
	m->n = 0;
}

/* Where only a control socket of an engine is looked for. Names that mean nothing by themselves may be used. */
static bool is_engine(const char *path)
{
	size_t n = strlen(path);

	for (size_t i = 0; i < ARRAY_SIZE(engines); i++) {
		size_t k = strlen(engines[i]);

		if (strstr(engines[i], "sock") && n > k && path[n - k - 1] == '/' && !strcmp(path + n - k, engines[i]))
			return true;
	}
	return false;
}

static int check_home(const struct mount_given *g, struct err *e)
{
	if (strcmp(g->path, HOME) || g->flags != OSH_MOUNT_HOME)
		return fail(e, EINVAL, "the home of a sandbox is '" HOME "', and writable");
	return 0;
}

static int check_path(const struct mount_given *g, struct err *e)
{
	char clean[sizeof(g->path)];
	const char *why;

	if (!memchr(g->path, 0, sizeof(g->path)))
		return fail(e, ENAMETOOLONG, "a volume's path is too long");
	if (g->flags == OSH_MOUNT_NODE)
		return nodes_check(g, e);
	if (g->flags == OSH_MOUNT_ENV)
		return strchr(g->path, '=') > g->path ? 0 : fail(e, EINVAL, "a device's variable is no NAME=value");
	if (g->flags & ~(OSH_MOUNT_RO | OSH_MOUNT_HOME) && g->flags != (OSH_MOUNT_FILE | OSH_MOUNT_RO))
		return fail(e, EINVAL, "malformed request");
	if (g->flags & OSH_MOUNT_HOME)
		return check_home(g, e);
	if (paths_clean(g->path, clean, sizeof(clean)) < 0 || strcmp(clean, g->path))
		return fail(e, EINVAL, "volume path '%.150s': not a plain absolute path", g->path);
	why = is_engine(g->path) ? "a privileged service has its control socket there" : paths_taken(g->path);
	return why ? fail(e, EPERM, "volume path '%.150s': %s; choose another", g->path, why) : 0;
}

static int check_pair(const struct mount_given *a, const struct mount_given *b, struct err *e)
{
	if ((a->flags | b->flags) & (OSH_MOUNT_NODE | OSH_MOUNT_ENV))
		return 0;		/* oshd sends each once; a variable is no path */
	if (!strcmp(a->path, b->path))
		return fail(e, EEXIST, "two volumes at '%.150s'", a->path);
	if ((a->flags & OSH_MOUNT_HOME) || !paths_within(b->path, a->path))
		return 0;
	return fail(e, EPERM, "volume path '%.90s' lies in the volume at '%.90s'; choose another", b->path, a->path);
}

int mounts_check(const struct mounts *m, struct err *e)
{
	size_t volumes = 0;
	int r;

	for (size_t i = 0; i < m->n; i++)
		volumes += !(m->at[i].flags & OSH_MOUNT_GIVEN);
	r = volumes > OSH_MOUNTS ? fail(e, E2BIG, "at most %d volumes, the home included", OSH_MOUNTS) :
	    m->n - volumes > OSH_GIVEN ? fail(e, E2BIG, "its devices need more than %d nodes, files and variables", OSH_GIVEN) : 0;
	for (size_t i = 0; !r && i < m->n; i++)
		r = check_path(&m->at[i], e);
	for (size_t i = 0; !r && i < m->n; i++)
		for (size_t j = 0; !r && j < m->n; j++)
			r = i == j ? 0 : check_pair(&m->at[i], &m->at[j], e);
	return r;
}

/* What a device needs is often visible already: in a listed tree, at its own name. */
static bool is_visible(const struct mount_given *g, const struct paths *p)
{
	const struct entry *in = paths_tree_of(p, g->path);
	char from[PATH_MAX];

	return (g->flags & OSH_MOUNT_FILE) && in && !in->write && !resolve_fd(g->fd, from, sizeof(from)) &&
	       !strcmp(from, g->path);
}

static bool is_tree(const struct mount_given *g)
{
	return !(g->flags & (OSH_MOUNT_NODE | OSH_MOUNT_ENV));
}

static int check_listed(const char *path, const struct paths *p, struct err *e)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct entry *en = &p->entries[i];

		if (paths_within(en->path, path))
			return fail(e, EPERM, "a volume at '%.90s' would hide '%.90s', which the sandbox is to see; "
				    "choose another path", path, en->listed);
		if (!en->from && paths_within(path, en->path))
			return fail(e, EPERM, "a volume at '%.90s' would hide a part of '%.90s'; choose a path that is in "
				    "no listed tree", path, en->listed);
	}
	for (size_t i = 0; i < p->n_links; i++)
		if (paths_within(path, p->links[i].at) || paths_within(p->links[i].at, path))
			return fail(e, EPERM, "a volume at '%.90s': '%.90s' is a symbolic link that the sandbox is to see; "
				    "choose another path", path, p->links[i].at);
	return 0;
}

/* The place of the directory in our own mount namespace is looked up again, when it is mounted (view.c). */
static int join(const struct mount_given *g, struct paths *p, struct err *e)
{
	bool home = g->flags & OSH_MOUNT_HOME;
	struct entry *en = home ? calloc(1, sizeof(*en)) : &p->entries[p->n];
	char from[PATH_MAX];
	int r;

	if (!en)
		return fail(e, ENOMEM, "out of memory");
	*en = (struct entry){ .fd = -1, .tree_fd = -1, .listed = g->path,
			      .write = home ? !p->home_ro : !(g->flags & OSH_MOUNT_RO) };
	if (home)
		p->home = en;
	else
		p->n++;			/* counted even when half made: paths_done() frees it */
	en->plain = g->flags & OSH_MOUNT_FILE;
	if (fstat(g->fd, &en->st) < 0 || !(S_ISDIR(en->st.st_mode) || (en->plain && S_ISREG(en->st.st_mode))))
		return fail(e, ENOTDIR, "what is to be mounted at '%.150s' is no directory", g->path);
	r = resolve_fd(g->fd, from, sizeof(from));
	if (r < 0)
		return fail(e, -r, "what is to be mounted at '%.150s' has been removed", g->path);
	en->path = strdup(g->path);
	en->from = strdup(from);
	en->fd = fcntl(g->fd, F_DUPFD_CLOEXEC, 3);
	return en->path && en->from && en->fd >= 0 ? 0 : fail(e, ENOMEM, "out of memory");
}

int mounts_join(const struct mounts *m, struct paths *p, struct err *e)
{
	struct entry *more = m->n ? realloc(p->entries, (p->n + m->n) * sizeof(*more)) : p->entries;
	size_t n;
	int r = 0;

	if (!more)
		return fail(e, ENOMEM, "out of memory");
	p->entries = more;
	n = p->n;
	for (size_t i = 0; !r && i < m->n; i++)
		if (!(m->at[i].flags & OSH_MOUNT_HOME) && is_tree(&m->at[i]) && !is_visible(&m->at[i], p))
			r = check_listed(m->at[i].path, p, e);
	for (size_t i = 0; !r && i < m->n; i++) {
		struct paths listed = *p;

		listed.n = n;		/* not those that have joined: one may be half made */
		if (is_tree(&m->at[i]) && !is_visible(&m->at[i], &listed))
			r = join(&m->at[i], p, e);
	}
	if (!r)
		paths_sort(p);		/* one that is half made has no name */
	return r;
}
