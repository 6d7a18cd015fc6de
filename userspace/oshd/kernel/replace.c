// SPDX-License-Identifier: Apache-2.0
/*
 * Programs of another build give way to ours, on the maps that both use. At every moment each hook has the
 * one or the other, or (host-wide links) both: they write the same to the same place, so twice is as good as
 * once. What is attached is asked of the kernel and never inferred from pins: a former daemon may have been
 * killed anywhere in here. Run by oshd as root before it serves anybody.
 */
#include "kbpf.h"
#include "own.h"
#include "pin.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>

#define ATTACHED 64			/* programs at one hook of a cgroup, as the kernel bounds them */
#define LO_INDEX 1
#define MIXED "mixed"			/* no build's name: whoever comes next replaces everything */

bool kbpf_replaces(const struct kbpf *k)
{
	return k->replaces;
}

static int replace_global(struct kbpf *k, const char *dir, struct err *e)
{
	int r = kbpf_attach_global(k, e);

	for (int h = 0; !r && h < OSH_HOOK_MAX; h++)
		if (k->links[h])
			r = pin_over(bpf_link__fd(k->links[h]), dir, "link", kbpf_hook_name(h), e);
	return r;
}

/* The kernel keeps fifteen characters of a name. */
static bool is_ours(int prog_fd, enum osh_hook hook)
{
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);

	return !bpf_obj_get_info_by_fd(prog_fd, &info, &size) &&
	       !strncmp(info.name, kbpf_hook_name(hook), sizeof(info.name) - 1);
}

/* Sockets are marked only where a connect hook with a known number is in place: both are, for a while. */
static void tell_connect(struct kbpf *k, enum osh_hook hook, uint32_t was, uint32_t is)
{
	uint32_t *ids = hook == OSH_HOOK_CONNECT4 ? k->host->connect4 : k->host->connect6;

	if (hook != OSH_HOOK_CONNECT4 && hook != OSH_HOOK_CONNECT6)
		return;
	__atomic_store_n(&ids[0], was, __ATOMIC_RELEASE);
	__atomic_store_n(&ids[1], is, __ATOMIC_RELEASE);
}

/* One of ours is replaced; any other of ours at this hook is what a killed daemon left, and goes. */
static int replace_hook(struct kbpf *k, enum osh_hook h, int cgroup_fd, struct err *e)
{
	enum bpf_attach_type type = bpf_program__expected_attach_type(kbpf_program(k, h));
	LIBBPF_OPTS(bpf_prog_attach_opts, opts, .flags = BPF_F_ALLOW_MULTI);
	__u32 ids[ATTACHED], n = ATTACHED, mine = 0;
	bool done = false;
	int r = kbpf_prog_id(k, h, &mine, e);

	if (r < 0)
		return r;
	if (bpf_prog_query(cgroup_fd, type, 0, NULL, ids, &n) < 0)
		return fail(e, errno, "what is at '%s': %s", kbpf_hook_name(h), strerror(errno));
	for (__u32 i = 0; i < n; i++) {
		_close_ int fd = bpf_prog_get_fd_by_id(ids[i]);

		if (fd < 0 || !is_ours(fd, h))
			continue;
		if (done) {
			(void)bpf_prog_detach2(fd, cgroup_fd, type);
			continue;
		}
		opts.flags |= BPF_F_REPLACE;
		opts.replace_prog_fd = fd;
		tell_connect(k, h, ids[i], mine);
		if (bpf_prog_attach_opts(k->prog[h], cgroup_fd, type, &opts) < 0)
			return fail(e, errno, "replace '%s': %s", kbpf_hook_name(h), strerror(errno));
		done = true;
	}
	tell_connect(k, h, mine, mine);
	if (!done && bpf_prog_attach_opts(k->prog[h], cgroup_fd, type, &opts) < 0)
		return fail(e, errno, "attach '%s': %s", kbpf_hook_name(h), strerror(errno));
	return 0;
}

static int replace_cgroup(struct kbpf *k, enum kwhere where, int cgroup_fd, struct err *e)
{
	int r = 0;

	for (int h = 0; !r && h < OSH_HOOK_MAX; h++)
		if (kbpf_hook_where(h) == where && !kbpf_hook_off(k, h))
			r = replace_hook(k, h, cgroup_fd, e);
	return r;
}

int kbpf_replace(struct kbpf *k, const char *dir, int box_fd, int egress_fd, struct err *e)
{
	int r = pin_mark(dir, MIXED, e);

	if (!r)
		r = replace_global(k, dir, e);
	if (!r)
		r = replace_cgroup(k, AT_CGROUP, box_fd, e);
	if (!r)
		r = replace_cgroup(k, AT_EGRESS, egress_fd, e);
	for (int h = 0; !r && h < OSH_HOOK_MAX; h++)
		if (k->prog[h] >= 0 && h != OSH_HOOK_STEER)
			r = pin_over(k->prog[h], dir, "prog", kbpf_hook_name(h), e);
	return r;
}

int kbpf_replace_done(struct kbpf *k, const char *dir, struct err *e)
{
	int r = pin_mark(dir, k->build, e);

	k->replaces = r < 0;
	return r;
}

/* The sockmap of the program that a link holds: the listener is in it. */
static int steer_map(int link_fd, struct err *e)
{
	struct bpf_link_info link = { 0 };
	struct bpf_prog_info prog = { 0 };
	__u32 map = 0, size = sizeof(link);
	_close_ int fd = -1;

	if (bpf_obj_get_info_by_fd(link_fd, &link, &size) < 0)
		return fail(e, errno, "steering link: %s", strerror(errno));
	fd = bpf_prog_get_fd_by_id(link.prog_id);
	prog.nr_map_ids = 1;
	prog.map_ids = (uintptr_t)&map;
	size = sizeof(prog);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &prog, &size) < 0 || prog.nr_map_ids != 1)
		return fail(e, errno ? errno : EPROTO, "steering program %u", link.prog_id);
	fd = bpf_map_get_fd_by_id(map);
	return fd < 0 ? fail(e, errno, "steering sockmap: %s", strerror(errno)) : take_fd(&fd);
}

static int replace_steer(struct kbpf *k, int link_fd, struct err *e)
{
	_close_ int map = steer_map(link_fd, e), prog = -1;
	int r = map < 0 ? map : kbpf_steer_load(k, map, &prog, e);

	if (!r && bpf_link_update(link_fd, prog, NULL) < 0)
		r = fail(e, errno, "replace 'osh_steer': %s", strerror(errno));
	return r;
}

/* The filter that osh-launch made (launch/tc.c): the kernel puts another program in its place. */
_Noreturn static void dns_child(int prog_fd, int netns_fd)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = LO_INDEX, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog_fd, .flags = BPF_TC_F_REPLACE, .handle = 1, .priority = 1);
	int r = setns(netns_fd, CLONE_NEWNET) < 0 ? -errno : bpf_tc_attach(&hook, &opts);

	_exit(r < 0 ? -r : 0);
}

/* In a child: this process never leaves its own network namespace. */
static int replace_dns(struct kbpf *k, int netns_fd, struct err *e)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		dns_child(k->prog[OSH_HOOK_DNS], netns_fd);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return fail(e, errno, "fork: %s", strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return fail(e, EIO, "replace 'osh_dns': %s",
			    WIFEXITED(status) ? strerror(WEXITSTATUS(status)) : "killed");
	return 0;
}

int kbpf_replace_netns(struct kbpf *k, int netns_fd, int steer_link_fd, struct err *e)
{
	int r = kbpf_hook_off(k, OSH_HOOK_DNS) ? 0 : replace_dns(k, netns_fd, e);

	return r || kbpf_hook_off(k, OSH_HOOK_STEER) ? r : replace_steer(k, steer_link_fd, e);
}
