/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trees into and out of a sandbox, by descriptors that osh-init opened as the sandbox sees them. Whoever
 * lives there may change anything while it is read: no link is followed, nothing but regular files and
 * directories is opened, a file is read up to the size that it had when it was opened, and no name leads
 * out of the tree that it was found in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "buf.h"
#include "err.h"

enum copy_side { COPY_FROM, COPY_TO, COPY_SIDES };

struct copy {
	enum copy_side inside;		/* which of the two is the sandbox */
	bool links;			/* make symbolic links anew instead of leaving them out */
	bool as_other;			/* root: inside, files are `uid`'s and made by it */
	uid_t uid;
	gid_t gid;
	mode_t mask;			/* permissions that are not given */
	void (*skipped)(void *data, const char *path, const char *why);
	void (*tick)(void *data);	/* now and then: progress */
	bool (*stop)(void *data);	/* asked for between pieces; true = end here */
	void *data;

	uint64_t files, dirs, symlinks, bytes, left_out;
	struct buf path;		/* of the source, for messages */
	uint64_t entries;
	unsigned temp;			/* number of the last temporary name */
};

/* From now on file system calls are made with the rights that belong to this side. */
void copy_as(const struct copy *c, enum copy_side side);

/*
 * What the descriptor (O_PATH) shows, to `name` in the directory `to`. 0 also where something was left out,
 * which is told; -ECANCELED when asked to stop; -errno with the reason when going on makes no sense.
 */
int copy_node(struct copy *c, int from, int to, const char *name, struct err *e);
int copy_tree(struct copy *c, int from, int to, struct err *e);	/* what is in one directory, to another */

/* A name of a path that somebody typed: one component, "" for the tree itself. -EINVAL for "..". */
int copy_last(const char *path, char *ret, size_t n);

int copy_skip(struct copy *c, int code, const char *why);	/* tells it; 0, so that the rest goes on */

/* The bytes of one regular file (O_PATH or not). In copy_file.c. */
int copy_file(struct copy *c, int from, int to, const char *name, struct err *e);
