/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox's system call filters. Compiled once when osh-launch starts; every child loads the same
 * bytes. Filters in one program: `groups`, where it is needed, and `refine` refuse arguments of calls that are
 * allowed otherwise; whatever they let pass goes on to `list`, which allows what syscalls.def lists and answers
 * ENOSYS to the rest. What is refused by name waits for osh-audit, which writes it down and answers as osh/refused.h
 * says. Without anyone to answer it fails with ENOSYS: there is no way on.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>

#include "err.h"

/* NESTED and GROUPS are bits. GROUPS: files have another's group, and nothing may make its programs. */
enum seccomp_variant { SECCOMP_PLAIN, SECCOMP_NESTED, SECCOMP_GROUPS, SECCOMP_VARIANTS = 4 };

struct seccomp_set {
	struct sock_fprog program[SECCOMP_VARIANTS];
};

int seccomp_compile(struct seccomp_set *ret, struct err *e);
void seccomp_set_done(struct seccomp_set *s);

/*
 * Needs no_new_privs. NESTED where the policy allows user namespaces inside. Gives the descriptor at which
 * refused calls wait: whoever holds it answers them, so the sandbox must not.
 */
int seccomp_enter(const struct seccomp_set *s, enum seccomp_variant v, int *ret_listener,
		  struct err *e);
