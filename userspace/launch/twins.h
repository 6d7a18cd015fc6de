/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that `filesystem_policy.deny` names and that have other names already: hard links. The kernel's side
 * judges names, so what a second name may lead to has to be known by its inode.
 */
#pragma once

#include <stdbool.h>

#include "deny.h"
#include "osh/msg.h"

struct twins {
	struct deny_segs segs;
	int channel;
	unsigned names, found;
	bool lost;			/* not everything was looked at, and said so */
};

/*
 * Looks below a tree that was reported (t->path, t->workdir) and sends OSH_MSG_TREE of kind FILE for each such
 * file; or once of kind TWINS, where that is too much or a directory cannot be read. As root, in the view.
 */
int twins_below(struct twins *x, struct osh_msg_tree *t, const char *path, struct err *e);
