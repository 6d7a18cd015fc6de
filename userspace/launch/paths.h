/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sandbox may see of the host: the policy's paths and the working directory, each opened once
 * with the caller's own rights (cred_as_caller) and held as a descriptor from then on. Names are not
 * looked up again: what is mounted is what was opened.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "bundle.h"
#include "err.h"
#include "osh/msg.h"

#define PATHS_LINKS 256

struct entry {
	char *path;			/* without symbolic links; where it appears inside */
	const char *listed;		/* as the policy names it, for messages */
	int fd;				/* O_PATH */
	int tree_fd;			/* the view's detached copy, -1 before */
	bool write, socket;
	bool plain;			/* a file or directory of the system, seen as it is: no map of owners */
	bool given;			/* fd came from the caller, of another mount namespace */
	char *from;			/* of oshd's mounts: where it lies on the host; else NULL */
	struct stat st;
};

struct link {				/* met on the way to a listed path; made again inside */
	char *at, *target;
};

struct deny {
	char *path;			/* directory whose tree is not to be written */
	const char *listed;
};

struct windows;

struct paths {
	const struct windows *windows;	/* of the host, borrowed */
	struct entry *entries;		/* sorted: a tree comes before what lies in it */
	size_t n;
	struct entry *home;		/* that lasts, in place of a tmpfs; or NULL */
	struct link links[PATHS_LINKS];
	size_t n_links;
	struct deny *deny;
	size_t n_deny;
	bool tmp_ro, home_ro;		/* the sandbox's own, listed only for reading */
	uint32_t warnings;
	char warning[sizeof(((struct osh_msg_prepared *)0)->warning)];
};

/*
 * Runs with the caller's rights. workdir_fd -1: it is opened by its name. -errno with the refused path and
 * the reason.
 */
int paths_open(struct paths *p, const struct osh_msg_launch *m, const struct bundle *b,
	       int workdir_fd, const struct windows *w, struct err *e);
void paths_done(struct paths *p);
void paths_sort(struct paths *p);

/* Pure text: "/a//b/./c/" -> "/a/b/c"; -EINVAL for relative paths and "..". */
int paths_clean(const char *path, char *ret, size_t n);
bool paths_within(const char *path, const char *tree);	/* equal or below */

/* Pure text: why no directory of the host may be mounted at `path` itself; NULL = it may. */
const char *paths_taken(const char *path);

/* Can the sandbox change what lies at `path`? */
bool paths_writable(const struct paths *p, const char *path);

void paths_warn(struct paths *p, const char *path, const char *why);	/* left out, and said so */

/* The working directory as the view has it, without symbolic links. */
const char *paths_workdir(const struct paths *p, const struct osh_msg_launch *m);

/* The entry whose tree holds `path` (equal or below) most closely, or NULL. */
struct entry *paths_tree_of(const struct paths *p, const char *path);
