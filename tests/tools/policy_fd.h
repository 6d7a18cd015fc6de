/* SPDX-License-Identifier: Apache-2.0 */
/* A policy that allows the host h<N>.example, as text and as bundle: two sealed memfds. Aborts on failure. */
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "emit.h"
#include "policy.h"

static inline int sealed_fd(const void *p, size_t n)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || write(fd, p, n) != (ssize_t)n ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		abort();
	return fd;
}

static inline void policy_fds(unsigned n, int *ret_bundle, int *ret_source)
{
	struct tables t = { 0 };
	struct diags d = { 0 };
	struct buf b = { 0 };
	struct policy p;
	char text[256];

	snprintf(text, sizeof(text), "version: 1\nprocess: {run_as_user: sandbox}\nnetwork: [{host: h%u.example}]\n", n);
	if (policy_read(&p, slice_of(text), &d) < 0 || merge_policy(&p, &t, &d) < 0 ||
	    emit_bundle(&p, &t, slice_of(text), &d, &b) < 0)
		abort();
	*ret_bundle = sealed_fd(b.p, b.n);
	*ret_source = sealed_fd(text, strlen(text));
	policy_done(&p);
	diags_done(&d);
	buf_done(&b);
}
