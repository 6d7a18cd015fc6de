/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One sandbox that is nothing but a cgroup and its tables: root with every capability, no view, no filter, no
 * namespaces. What is refused to its tasks, LSM programs alone refuse. Included by one test each.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../userspace/oshd/kernel/kbpf.h"
#include "osh/abi.h"
#include "own.h"

#include <cmocka.h>			/* last: its fail() would hide ours */

#define ID 7u
#define SLOT 3u
#define CGROUP "/sys/fs/cgroup/osh-test-lsm"

static struct kbpf *k;
static struct kbpf_sandbox box = { .slot = SLOT, .id = ID, .generation = 1 };
static struct osh_b_meta meta;
static struct bundle bundle = { .strings = "", .n_strings = 1, .meta = &meta };
static struct osh_event_named seen;
static int n_seen;
static struct kbpf_off rig_off;		/* programs that this test goes without */

static int on_event(void *ctx, void *data, size_t size)
{
	(void)ctx;
	memset(&seen, 0, sizeof(seen));
	memcpy(&seen, data, size < sizeof(seen) ? size : sizeof(seen));
	n_seen++;
	return 0;
}

static void drain(void)
{
	struct ring_buffer *rb = ring_buffer__new(kbpf_map_fd(k, "ring_deny"), on_event, NULL, NULL);

	assert_non_null(rb);
	n_seen = 0;
	ring_buffer__consume(rb);
	ring_buffer__free(rb);
}

/* Counts of former rows would hide an event. */
static inline void forget_denials(void)
{
	int map = kbpf_map_fd(k, "denials");
	struct osh_denial_key key;

	while (!bpf_map_get_next_key(map, NULL, &key))
		(void)bpf_map_delete_elem(map, &key);
	drain();
}

static inline void flip(bool strict, bool nested)
{
	struct err e = { 0 };

	meta.exec_mode = strict ? OSH_EXEC_STRICT : 0;
	meta.userns = nested;
	if (kbpf_flip(k, &box, &bundle, &e) < 0)
		fail_msg("%s", e.text);
}

static void enter_box(void)
{
	int fd = open(CGROUP "/cgroup.procs", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(250);
	close(fd);
}

/* A process that waits to be killed, in the sandbox or outside. */
static inline pid_t sleeper(bool inside)
{
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		if (inside)
			enter_box();
		if (write(ready[1], "", 1) != 1)
			_exit(250);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static inline void put_down(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* The mount namespace of a sandbox is that of its first exec. */
static int first_exec(void)
{
	pid_t pid = fork();
	int status = 0;

	if (!pid) {
		enter_box();
		execl("/bin/true", "true", NULL);
		_exit(250);
	}
	return waitpid(pid, &status, 0) == pid && !status ? 0 : -1;
}

static int rig_setup(void **state)
{
	struct err e = { 0 };
	struct stat st;

	(void)state;
	if (mkdir(CGROUP, 0755) < 0 || stat(CGROUP, &st) < 0)
		return -1;
	box.cgroup = st.st_ino;
	if (kbpf_load_some(&k, 1, &rig_off, &e) < 0 || kbpf_attach_global(k, &e) < 0 || kbpf_flip(k, &box, &bundle, &e) < 0) {
		printf("# %s\n", e.text);
		return -1;
	}
	kbpf_guard(k, &box);
	return first_exec();
}

static int rig_teardown(void **state)
{
	(void)state;
	kbpf_clear(k, &box);
	kbpf_free(k);
	return rmdir(CGROUP);
}
