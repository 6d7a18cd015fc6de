/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy compiler: text -> policy (model.h) -> bundle (osh/bundle.h). Pure but for
 * policy_compile_fd(), which does the work in a confined child.
 */
#pragma once

#include <sys/types.h>

#include "buf.h"
#include "diag.h"
#include "err.h"
#include "model.h"
#include "slice.h"

/*
 * Reads and checks the whole language. 0, -EINVAL with errors in *d, or -ENOMEM. Free with
 * policy_done() either way. What the runtime cannot keep is in p->unkept, without a diagnostic.
 */
int policy_read(struct policy *p, struct slice text, struct diags *d);
void policy_done(struct policy *p);

/*
 * Did every error leave the model complete, so that it still says what the rules would decide? Such
 * are contradictions between endpoints and patterns in the wrong place. For eval alone.
 */
bool policy_complete(const struct diags *d);

/* policy_read(), with a warning for whatever the runtime would refuse, and the lints (lint.h). */
int policy_check(struct slice text, struct diags *d);

/* policy_read() and everything after it; the bundle is appended to *ret. Unkept keys are errors. */
int policy_compile(struct slice text, struct diags *d, struct buf *ret);

/*
 * Compiles what `policy_fd` holds (from its start, a regular file or memfd) in a child without
 * privileges, descriptors or system calls to speak of. 0: *ret_bundle_fd is a sealed memfd that
 * bundle_open_fd() has accepted. -EINVAL: the policy is wrong, *d says why (e may be empty). Any
 * other error is in *e. *d also holds warnings; free it with diags_done().
 */
int policy_compile_fd(int policy_fd, struct diags *d, int *ret_bundle_fd, struct err *e);

/* The same in two steps, with other work between them. The second one always follows a first that gave 0. */
struct policy_job {
	pid_t pid;
	int said, bundle;		/* what the child says; where it writes */
};
int policy_compile_start(int policy_fd, struct policy_job *ret, struct err *e);
int policy_compile_end(struct policy_job *j, struct diags *d, int *ret_bundle_fd, struct err *e);

/* policy_check() in the same kind of child. 0, -EINVAL with errors in *d, or what *e says. */
int policy_check_fd(int policy_fd, struct diags *d, struct err *e);

/* Drops everything that reading text does not need; for a process about to read a policy. */
int policy_confine(struct err *e);
int policy_confine_within(unsigned seconds, unsigned long memory, struct err *e);

/* A preset that is part of this program ("default"), as a memfd for policy_compile_fd(). */
int policy_preset_fd(const char *name, int *ret_fd, struct err *e);

/* Shows *d on `out` with the lines that it is about, taken from the file behind `policy_fd`. */
void policy_print_diags(const struct diags *d, FILE *out, const char *file_name, int policy_fd);
