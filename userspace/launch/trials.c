/* SPDX-License-Identifier: Apache-2.0 */
#include "trials.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>

#include "idmap.h"
#include "mnt.h"
#include "netns.h"
#include "nft.h"
#include "own.h"
#include "probe.h"
#include "rtnl.h"
#include "seccomp.h"

static const uint32_t net6[4] = { 0xfd00 };	/* of a namespace that nobody will see */

static int space(int flags, struct err *e)
{
	return unshare(flags) < 0 ? fail(e, errno, "unshare: %s", strerror(errno)) : 0;
}

static int try_spaces(struct err *e)
{
	return space(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWNET, e);
}

/* The shortest program of a type: "return `answer`". */
static int program(enum bpf_prog_type type, enum bpf_attach_type attach, int answer, struct err *e)
{
	const struct bpf_insn insns[] = {
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, answer },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach);
	int fd = bpf_prog_load(type, "probe", "GPL", insns, ARRAY_SIZE(insns), &opts);

	return fd < 0 ? fail(e, errno, "load a program: %s", strerror(errno)) : fd;
}

static int try_netns(struct err *e)
{
	struct rtnl r = { 0 };
	int x = space(CLONE_NEWNET, e);

	if (!x)
		x = rtnl_open(&r, e);
	if (!x)
		x = rtnl_check_fresh(&r, e);
	if (!x) {
		route_add_base(&r, net6);
		x = rtnl_flush(&r, e);
	}
	return x;
}

static int try_nft(struct err *e)
{
	int x = space(CLONE_NEWNET, e);

	return x ? x : nft_install(e);
}

static int try_tc(struct err *e)
{
	struct rtnl r = { 0 };
	int x = space(CLONE_NEWNET, e), fd = x ? x : program(BPF_PROG_TYPE_SCHED_CLS, 0, 0, e);

	x = fd < 0 ? fd : rtnl_open(&r, e);
	if (!x) {
		route_add_base(&r, net6);
		tc_add_dns(&r, fd);
		x = rtnl_flush(&r, e);
	}
	return x;
}

static int try_steer(struct err *e)
{
	int x = space(CLONE_NEWNET, e), fd = x ? x : program(BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP, 1, e), ns;

	if (fd < 0)
		return fd;
	ns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (ns < 0 || bpf_link_create(fd, ns, BPF_SK_LOOKUP, NULL) < 0)
		return fail(e, errno, "attach to the namespace: %s", strerror(errno));
	return 0;
}

static int new_tmpfs(int *ret, struct err *e)
{
	static const char *const options[] = { "size", "4096", NULL };

	return mnt_new("tmpfs", options, MNT_BASE, ret, e);
}

static int try_mounts(struct err *e)
{
	_close_ int usr = -1, copy = -1, fresh = -1;
	int x = space(CLONE_NEWNS, e);

	if (!x && (usr = open("/usr", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)	/* of the new namespace */
		x = fail(e, errno, "open '/usr': %s", strerror(errno));
	if (!x)
		x = mnt_copy(usr, true, &copy, e);
	if (!x && mnt_attr(copy, MNT_BASE | MOUNT_ATTR_RDONLY, true, -1) < 0)
		x = fail(e, EPERM, "a copied mount cannot be made read-only");
	return x ? x : new_tmpfs(&fresh, e);
}

static int try_idmap(struct err *e)
{
	const struct idmap_key k = { 0, OSH_UID_SANDBOX, 0, OSH_UID_SANDBOX };
	_close_ int fs = -1;
	int x = space(CLONE_NEWNS, e), map;

	if (!x)
		x = new_tmpfs(&fs, e);
	if (x)
		return x;
	map = idmap_get(&k, e);
	if (map < 0)
		return map;
	x = mnt_attr(fs, 0, false, map);
	return x < 0 ? fail(e, -x, "id-map a tmpfs: %s", strerror(-x)) : 0;
}

static int try_seccomp(struct err *e)
{
	struct seccomp_set set;
	int x = seccomp_compile(&set, e), listener;

	if (!x && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		x = fail(e, errno, "no_new_privs: %s", strerror(errno));
	return x ? x : seccomp_enter(&set, SECCOMP_PLAIN, &listener, e);
}

static const struct probe_trial trials[] = {
	{ OSH_PROBE_SPACES, try_spaces }, { OSH_PROBE_NETNS, try_netns }, { OSH_PROBE_NFT, try_nft },
	{ OSH_PROBE_TC, try_tc },	  { OSH_PROBE_STEER, try_steer }, { OSH_PROBE_MOUNTS, try_mounts },
	{ OSH_PROBE_IDMAP, try_idmap },	  { OSH_PROBE_SECCOMP, try_seccomp },
};

int launch_probe(int fd)
{
	for (size_t i = 0; i < ARRAY_SIZE(trials); i++) {
		struct osh_probe_row row;

		probe_try(&trials[i], &row);
		if (write(fd, &row, sizeof(row)) != (ssize_t)sizeof(row))
			return 1;
	}
	return 0;
}
