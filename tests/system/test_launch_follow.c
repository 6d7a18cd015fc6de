/* SPDX-License-Identifier: Apache-2.0 */
/* A sandbox that runs follows its next policy: routes and programs, and nothing that the agent laid in the way. */
#include <sched.h>

#include "launchrig.h"

static void put(const char *name, const char *text)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/work/%s", dir, name);
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0755);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* Each program of the list lies in the working directory, but for the first. */
static int next_policy(const char *address, const char *const *programs)
{
	char text[2048];
	size_t n = (size_t)snprintf(text, sizeof(text), "%snetwork_policies:\n  x:\n    endpoints: [{host: %s, port: 80}]\n"
				    "    binaries: [{path: /usr/bin/env}", usual, address);

	for (; *programs; programs++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, ", {path: %s/work/%s}", dir, *programs);
	snprintf(text + n, sizeof(text) - n, "]\n");
	return bundle_fd(text);
}

static bool has_route(int netns, const char *address)
{
	char cmd[128];
	pid_t pid = fork();
	int st;

	snprintf(cmd, sizeof(cmd), "ip route show table local | grep -qF 'local %s '", address);
	if (pid == 0)
		_exit(setns(netns, CLONE_NEWNET) || system(cmd));
	waitpid(pid, &st, 0);
	return !st;
}

/* Programs that came before ROUTED; its code, and that each is the file of the name in its place. */
static int follow(struct rig *r, uint32_t id, const int fds[OSH_RFD_MAX], uint32_t flags, const char *const *want,
		  int *ret_n)
{
	struct osh_msg_routes m = { .id = id, .flags = flags };
	struct osh_msg_failed f;
	struct chan_in in;

	*ret_n = 0;
	assert_int_equal(chan_send(r->peer, OSH_MSG_ROUTES, &m, sizeof(m), fds, OSH_RFD_MAX), 0);
	for (next(r, &in); chan_is_programs(&in); next(r, &in)) {
		for (int i = 0; i < in.n_fds; i++, (*ret_n)++) {
			char path[160];
			struct stat a, b;

			assert_non_null(want[*ret_n]);
			snprintf(path, sizeof(path), "%s/work/%s", dir, want[*ret_n]);
			assert_int_equal(fstat(in.fds[i], &a) | stat(path, &b), 0);
			assert_true(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
		}
		chan_in_done(&in);
	}
	assert_non_null(chan_is(&in, OSH_MSG_ROUTED, sizeof(f), 0));
	memcpy(&f, in.bytes, sizeof(f));
	chan_in_done(&in);
	assert_int_equal(f.id, id);
	if (f.code)
		print_message("# %s\n", f.text);
	return f.code;
}

/*
 * A living sandbox follows a policy: routes of both before the flip, of one after it; programs that the
 * next lists are opened in its view, and nothing that the agent laid in their place leads elsewhere.
 */
static void test_follow(void **state)
{
	static const char sleeper[] = "/bin/sleep\0" "1000\0/sandbox";
	static const char *const tool[] = { "tool", NULL },
			  *const laid[] = { "tool", "fifo", "link", "dir/link/tool", "gone", "dir", "other", NULL },
			  *const other[] = { "other", NULL };
	struct osh_msg_stored st = { .generation = 1, .name = "test" };
	int fds[OSH_RFD_MAX], stored[OSH_SFD_MAX], n;
	struct osh_msg_prepared p;
	struct osh_msg_id f = { 0 };
	struct chan_in in;
	struct rig r;
	char path[160];

	(void)state;
	put("tool", "#!/bin/sh\n");
	put("other", "#!/bin/sh\n");
	snprintf(path, sizeof(path), "%s/work/fifo", dir);
	assert_int_equal(mkfifo(path, 0666), 0);
	snprintf(path, sizeof(path), "%s/work/link", dir);
	assert_int_equal(symlink("tool", path), 0);
	snprintf(path, sizeof(path), "%s/work/dir", dir);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/work/dir/link", dir);
	assert_int_equal(symlink("..", path), 0);
	rig_start(&r, false);
	f.id = launch(&r, usual, NULL);
	prepared(&r, f.id, &p, &in);
	fds[OSH_RFD_NETNS] = in.fds[OSH_PFD_NETNS];
	fds[OSH_RFD_PIDFD] = in.fds[OSH_PFD_PIDFD];
	fds[OSH_RFD_WAS] = bundle_fd(usual);
	fds[OSH_RFD_NEXT] = next_policy("192.0.2.7", tool);
	assert_int_equal(follow(&r, f.id, fds, 0, NULL, &n), ESRCH);	/* not stored, not living */
	for (int i = 0; i < OSH_SFD_MAX; i++)
		stored[i] = i == OSH_SFD_MANAGER ? r.manager : fds[OSH_RFD_PIDFD];
	st.id = f.id;
	assert_int_equal(chan_send(r.peer, OSH_MSG_STORE, &st, sizeof(st), stored, OSH_SFD_MAX), 0);
	go(&r, f.id);
	command(&r, sleeper, sizeof(sleeper), 2);
	assert_true(readable(r.control));

	assert_int_equal(follow(&r, f.id, fds, 0, NULL, &n), 0);
	assert_int_equal(n, 0);
	assert_true(has_route(fds[OSH_RFD_NETNS], "192.0.2.7"));
	assert_int_equal(follow(&r, f.id, fds, OSH_ROUTES_PROGRAMS, tool, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(follow(&r, f.id, fds, 64, NULL, &n), EINVAL);

	close(fds[OSH_RFD_WAS]);
	fds[OSH_RFD_WAS] = fds[OSH_RFD_NEXT];
	fds[OSH_RFD_NEXT] = next_policy("192.0.2.8", laid);
	assert_int_equal(follow(&r, f.id, fds, OSH_ROUTES_PROGRAMS, other, &n), 0);
	assert_int_equal(n, 1);
	assert_true(has_route(fds[OSH_RFD_NETNS], "192.0.2.7") && has_route(fds[OSH_RFD_NETNS], "192.0.2.8"));
	close(fds[OSH_RFD_WAS]);
	fds[OSH_RFD_WAS] = fds[OSH_RFD_NEXT];
	assert_int_equal(follow(&r, f.id, fds, OSH_ROUTES_PROGRAMS, NULL, &n), 0);
	assert_true(!has_route(fds[OSH_RFD_NETNS], "192.0.2.7") && has_route(fds[OSH_RFD_NETNS], "192.0.2.8"));

	assert_int_equal(syscall(SYS_pidfd_send_signal, fds[OSH_RFD_PIDFD], SIGKILL, NULL, 0), 0);
	assert_true(readable(fds[OSH_RFD_PIDFD]));
	assert_int_not_equal(follow(&r, f.id, fds, OSH_ROUTES_PROGRAMS, NULL, &n), 0);	/* said, not hung */
	assert_int_equal(chan_send(r.peer, OSH_MSG_FORGET, &f, sizeof(f), NULL, 0), 0);
	assert_int_equal(follow(&r, f.id, fds, 0, NULL, &n), ESRCH);
	chan_in_done(&in);
	close(fds[OSH_RFD_NEXT]);
	assert_int_equal(rig_end(&r), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_follow) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
