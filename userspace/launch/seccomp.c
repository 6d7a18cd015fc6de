/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables to BPF through libseccomp. Arguments that the kernel reads as 32 bits are compared under a
 * 32-bit mask: else a caller sets a high bit, which the kernel ignores, and walks past a denial.
 */
#include "seccomp.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "own.h"
#include "sysnr.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#define LOW 0xffffffffull		/* the bits that the kernel looks at in an int */
#define TYPE (LOW & ~(uint64_t)(SOCK_CLOEXEC | SOCK_NONBLOCK))
#define PRETEND (-1)			/* says 0, and nothing is done */
#ifndef F_SETDELEG
#define F_SETDELEG 1040			/* Linux 6.19 */
#endif
#ifndef TCP_AO_ADD_KEY
#define TCP_AO_ADD_KEY 38		/* Linux 6.7 */
#endif
#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE 62
#endif

enum group { ALLOW, NEST, DENY, QUIET, ARGS };

static const struct {
	enum group group;
	int nr;
} calls[] = {
#define SYSCALL(group, name) { group, __NR_##name },
#include "syscalls.def"
#undef SYSCALL
};

/* Allowed arguments of ARGS calls; several rows of a call are alternatives. */
static const struct arg_rule {
	int nr, n;
	struct scmp_arg_cmp a[3];
	/* Refusals only. */
	bool nested_too;		/* holds with nested namespaces as well */
	int quiet;			/* errno (or PRETEND) of one that is not on record: nothing hot may wait for it */
} allowed[] = {
#define EQ(arg, mask, value) { arg, SCMP_CMP_MASKED_EQ, mask, value }
#define INET(family, type, proto) \
	{ __NR_socket, 3, { EQ(0, LOW, family), EQ(1, TYPE, type), EQ(2, LOW, proto) } }
	/* clang-format off */
	{ __NR_ioctl, 0, { { 0 } } }, { __NR_prctl, 0, { { 0 } } }, { __NR_clone, 0, { { 0 } } },
	{ __NR_personality, 1, { EQ(0, LOW, 0) } }, { __NR_personality, 1, { EQ(0, LOW, LOW) } },
	{ __NR_socket, 1, { EQ(0, LOW, AF_UNIX) } }, { __NR_socketpair, 1, { EQ(0, LOW, AF_UNIX) } },
	INET(AF_INET, SOCK_STREAM, 0),  INET(AF_INET, SOCK_STREAM, IPPROTO_TCP),
	INET(AF_INET, SOCK_DGRAM, 0),   INET(AF_INET, SOCK_DGRAM, IPPROTO_UDP),
	INET(AF_INET6, SOCK_STREAM, 0), INET(AF_INET6, SOCK_STREAM, IPPROTO_TCP),
	INET(AF_INET6, SOCK_DGRAM, 0),  INET(AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
	INET(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), INET(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE),
	/* clang-format on */
};

/*
 * Refused arguments: of calls that are allowed otherwise, and the well-known ones that `allowed` leaves
 * out. Each use is on record, and what it answers stands in osh/refused.h, except where the last column
 * gives an errno: libraries ask that in every program and take no for an answer.
 */
static const struct arg_rule refused[] = {
#define SOCK_IS(family, what, mask, value) \
	{ __NR_socket, 2, { EQ(0, LOW, family), EQ(what, mask, value) }, true, 0 }
#define MPTCP(family) \
	{ __NR_socket, 2, { EQ(0, LOW, family), EQ(2, LOW, IPPROTO_MPTCP) }, true, EACCES }
/* Protocol 0, routes, is the only one without any of these bits; there are 32. */
#define NETLINK(bit) SOCK_IS(AF_NETLINK, 2, bit, bit)
#define INET_SOCK(what, mask, value) \
	SOCK_IS(AF_INET, what, mask, value), SOCK_IS(AF_INET6, what, mask, value)
#define NEW(flag) { __NR_clone, 1, { EQ(0, flag, flag) }, false, 0 }
/*
 * A set-uid file in a writable tree is harmless inside (nosuid, no_new_privs) but works outside, with the
 * identity of the tree's owner: root's, where root called. openat2(2) is not in the list for this reason.
 */
#define SUID(call, mode) { call, 1, { EQ(mode, S_ISUID, S_ISUID) }, true, 0 }
#define SUID_OPEN(call, flags, bit) \
	{ call, 2, { EQ(flags, bit, bit), EQ((flags) + 1, S_ISUID, S_ISUID) }, true, 0 }
#define TMPFILE ((uint64_t)(O_TMPFILE & ~O_DIRECTORY))
#define BTRFS_ARGS 4096		/* bytes of each one's argument: part of the number, linux/btrfs.h */
#define SUBVOLUME(n) { __NR_ioctl, 1, { EQ(1, LOW, _IOC(_IOC_WRITE, 0x94, n, BTRFS_ARGS)) }, true, 0 }
#define OPTION(level, name, errno_) { __NR_setsockopt, 2, { EQ(1, LOW, level), EQ(2, LOW, name) }, true, errno_ }
/* No limit of memory counts pages of a huge page pool, which the machine set aside for somebody. */
#define HUGE(call, arg, flag) { call, 1, { EQ(arg, flag, flag) }, true, EPERM }
/*
 * A crash must not have the kernel run the host's program for core dumps, as root and over the agent's memory. A limit
 * of 1 says so for a pipe (cred.c); 0 would not, so nobody sets another. Who asks wants no dump, and there is none.
 */
#define CORE_LIMIT(...) { __NR_prlimit64, 3, { EQ(1, LOW, RLIMIT_CORE), { 2, SCMP_CMP_NE, 0, 0 }, __VA_ARGS__ }
	/* clang-format off */
	{ __NR_ioctl, 1, { EQ(1, LOW, TIOCSTI) }, true, 0 },
	{ __NR_ioctl, 1, { EQ(1, LOW, TIOCLINUX) }, true, 0 },
	{ __NR_ioctl, 1, { EQ(1, LOW, TIOCSETD) }, true, 0 },	/* would load kernel modules */
	/* Make, copy and remove trees past the hooks that judge mkdir, rename and rmdir. */
	SUBVOLUME(1), SUBVOLUME(14), SUBVOLUME(15), SUBVOLUME(23), SUBVOLUME(24), SUBVOLUME(63),
	{ __NR_prctl, 1, { EQ(0, LOW, PR_SET_MM) }, true, 0 },
	{ __NR_prctl, 1, { EQ(0, LOW, PR_SCHED_CORE) }, true, 0 },	/* would keep others off its processors' siblings */
	/* Whoever opens a leased file or makes one in such a directory, outside too, waits 45 s. */
	{ __NR_fcntl, 1, { EQ(1, LOW, F_SETLEASE) }, true, 0 }, { __NR_fcntl, 1, { EQ(1, LOW, F_SETDELEG) }, true, 0 },
	/* The machine has little memory for compiled filters, and no more for one sandbox than for all. */
	OPTION(SOL_SOCKET, SO_ATTACH_FILTER, 0), OPTION(SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, 0),
	/* Protocols in the kernel that nobody inside has anybody to speak with: TLS and its like, TCP-AO, IPsec. */
	OPTION(IPPROTO_TCP, TCP_ULP, EPERM),	/* libraries ask by themselves, as for the pages below */
	OPTION(IPPROTO_TCP, TCP_AO_ADD_KEY, 0), OPTION(IPPROTO_UDP, UDP_ENCAP, 0),
	HUGE(__NR_mmap, 3, MAP_HUGETLB), HUGE(__NR_memfd_create, 1, MFD_HUGETLB), HUGE(__NR_shmget, 2, SHM_HUGETLB),
	{ __NR_setrlimit, 1, { EQ(0, LOW, RLIMIT_CORE) }, true, PRETEND },
	CORE_LIMIT(EQ(3, ~0ull, 0)), true, PRETEND }, CORE_LIMIT({ 3, SCMP_CMP_NE, 0, 0 }), true, EPERM },
	{ __NR_personality, 1, { EQ(0, 0x0040000, 0x0040000) }, true, 0 },	/* ADDR_NO_RANDOMIZE */
	{ __NR_personality, 1, { EQ(0, LOW, 8) }, true, 0 },		/* PER_LINUX32 */
	SUID(__NR_chmod, 1), SUID(__NR_fchmod, 1), SUID(__NR_fchmodat, 2), SUID(__NR_fchmodat2, 2),
	SUID(__NR_mknod, 1), SUID(__NR_mknodat, 2), SUID(__NR_creat, 1),
	SUID_OPEN(__NR_open, 1, O_CREAT), SUID_OPEN(__NR_open, 1, TMPFILE),
	SUID_OPEN(__NR_openat, 2, O_CREAT), SUID_OPEN(__NR_openat, 2, TMPFILE),
	NEW(CLONE_NEWUSER), NEW(CLONE_NEWNS), NEW(CLONE_NEWPID), NEW(CLONE_NEWNET),
	NEW(CLONE_NEWIPC), NEW(CLONE_NEWUTS), NEW(CLONE_NEWCGROUP),
	INET_SOCK(1, TYPE, SOCK_RAW), INET_SOCK(1, TYPE, SOCK_RDM), INET_SOCK(1, TYPE, SOCK_SEQPACKET),
	INET_SOCK(1, TYPE, SOCK_DCCP), INET_SOCK(1, TYPE, SOCK_PACKET),
	INET_SOCK(2, LOW, IPPROTO_ICMP), INET_SOCK(2, LOW, IPPROTO_ICMPV6),
	INET_SOCK(2, LOW, IPPROTO_SCTP), INET_SOCK(2, LOW, IPPROTO_UDPLITE),
	INET_SOCK(2, LOW, IPPROTO_DCCP), INET_SOCK(2, LOW, IPPROTO_RAW),
	MPTCP(AF_INET), MPTCP(AF_INET6),	/* Go asks for it in every program that listens */
	NETLINK(1), NETLINK(2), NETLINK(4), NETLINK(8), NETLINK(16),
	/* clang-format on */
};

/*
 * Where root called, files are made with the group of their tree, which is not the sandbox's; and some sandboxes
 * have the groups of devices. A set-group-id program would have such a group outside. A directory's bit is
 * refused with it, since a mode does not say whose it is; one that is made in such a directory has it by itself.
 */
static const struct arg_rule of_groups[] = {
#define SGID(call, mode) { call, 1, { EQ(mode, S_ISGID, S_ISGID) }, true, 0 }
#define SGID_OPEN(call, flags, bit) \
	{ call, 2, { EQ(flags, bit, bit), EQ((flags) + 1, S_ISGID, S_ISGID) }, true, 0 }
	/* clang-format off */
	SGID(__NR_chmod, 1), SGID(__NR_fchmod, 1), SGID(__NR_fchmodat, 2), SGID(__NR_fchmodat2, 2),
	SGID(__NR_mknod, 1), SGID(__NR_mknodat, 2), SGID(__NR_creat, 1),
	SGID_OPEN(__NR_open, 1, O_CREAT), SGID_OPEN(__NR_open, 1, TMPFILE),
	SGID_OPEN(__NR_openat, 2, O_CREAT), SGID_OPEN(__NR_openat, 2, TMPFILE),
	/* clang-format on */
};

#define FAMILIES 46			/* highest address family of Linux, plus one */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

static bool family_allowed(int f)
{
	return f == AF_UNIX || f == AF_INET || f == AF_INET6 || f == AF_NETLINK;
}

static int rule(scmp_filter_ctx c, uint32_t action, const struct arg_rule *r)
{
	return seccomp_rule_add_array(c, action, r->nr, (unsigned)r->n, r->a);
}

static int fill_list(scmp_filter_ctx c, enum seccomp_variant v)
{
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(calls); i++) {
		enum group g = calls[i].group;

		if (g == NEST)
			g = v == SECCOMP_NESTED ? ALLOW : DENY;
		if (g != ARGS)
			r = seccomp_rule_add_array(c, g == ALLOW ? SCMP_ACT_ALLOW
						      : g == QUIET ? SCMP_ACT_ERRNO(EPERM)
								   : SCMP_ACT_NOTIFY,
						   calls[i].nr, 0, NULL);
	}
	for (size_t i = 0; !r && i < ARRAY_SIZE(allowed); i++)
		r = rule(c, SCMP_ACT_ALLOW, &allowed[i]);
	return r;
}

static uint32_t answer_of(const struct arg_rule *r)
{
	return !r->quiet ? SCMP_ACT_NOTIFY : SCMP_ACT_ERRNO(r->quiet == PRETEND ? 0u : (uint32_t)r->quiet);
}

static int fill_refine(scmp_filter_ctx c, enum seccomp_variant v)
{
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(refused); i++)
		if (v == SECCOMP_PLAIN || refused[i].nested_too)
			r = rule(c, answer_of(&refused[i]), &refused[i]);
	for (int f = 0; !r && f < FAMILIES; f++) {
		struct arg_rule s = { __NR_socket, 1, { EQ(0, LOW, (uint64_t)f) } };

		if (!family_allowed(f))
			r = rule(c, SCMP_ACT_NOTIFY, &s);
		s.nr = __NR_socketpair;
		if (!r && f != AF_UNIX)
			r = rule(c, SCMP_ACT_NOTIFY, &s);
	}
	return r;
}

static int fill_groups(scmp_filter_ctx c, enum seccomp_variant v)
{
	int r = 0;

	(void)v;
	for (size_t i = 0; !r && i < ARRAY_SIZE(of_groups); i++)
		r = rule(c, answer_of(&of_groups[i]), &of_groups[i]);
	return r;
}

static int export(scmp_filter_ctx c, struct sock_fprog *ret)
{
	_close_ int fd = memfd_create("seccomp", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	_free_ void *p = NULL;
	struct stat st;
	int r;

	if (fd < 0)
		return -errno;
	r = seccomp_export_bpf(c, fd);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size <= 0 || st.st_size / (off_t)sizeof(struct sock_filter) > BPF_MAXINSNS)
		return -E2BIG;
	p = malloc((size_t)st.st_size);
	if (!p)
		return -ENOMEM;
	if (pread(fd, p, (size_t)st.st_size, 0) != st.st_size)
		return -EIO;
	ret->len = (unsigned short)((size_t)st.st_size / sizeof(struct sock_filter));
	ret->filter = take_ptr(&p);
	return 0;
}

static int compile(struct sock_fprog *ret, uint32_t otherwise, enum seccomp_variant v,
		   int (*fill)(scmp_filter_ctx, enum seccomp_variant))
{
	scmp_filter_ctx c = seccomp_init(otherwise);
	int r;

	if (!c)
		return -ENOMEM;
	/* i386 and x32 calls never run: their numbers mean other things. */
	r = seccomp_attr_set(c, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (!r)
		r = seccomp_attr_set(c, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!r)
		r = fill(c, v);
	if (!r)
		r = export(c, ret);
	seccomp_release(c);
	return r;
}

/*
 * One program of two, since loading costs by the piece: where the first would allow, it jumps to the
 * beginning of the second. Classic BPF jumps forward only, and the second lies behind.
 */
static int chain(const struct sock_fprog *first, const struct sock_fprog *second,
		 struct sock_fprog *ret)
{
	size_t n = (size_t)first->len + second->len;
	struct sock_filter *p = n > BPF_MAXINSNS ? NULL : malloc(n * sizeof(*p));

	if (!p)
		return n > BPF_MAXINSNS ? -E2BIG : -ENOMEM;
	memcpy(p, first->filter, first->len * sizeof(*p));
	memcpy(p + first->len, second->filter, second->len * sizeof(*p));
	for (unsigned i = 0; i < first->len; i++)
		if (p[i].code == (BPF_RET | BPF_K) && p[i].k == SECCOMP_RET_ALLOW)
			p[i] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, first->len - i - 1);
	*ret = (struct sock_fprog){ (unsigned short)n, p };
	return 0;
}

/* Both of v: with the rows about groups, and without. */
static int compile_two(struct seccomp_set *s, const struct sock_fprog *groups, enum seccomp_variant v)
{
	struct sock_fprog list = { 0 }, refine = { 0 };
	int r = compile(&list, SCMP_ACT_ERRNO(ENOSYS), v, fill_list);

	if (!r)
		r = compile(&refine, SCMP_ACT_ALLOW, v, fill_refine);
	if (!r)
		r = chain(&refine, &list, &s->program[v]);
	if (!r)
		r = chain(groups, &s->program[v], &s->program[v | SECCOMP_GROUPS]);
	free(list.filter);
	free(refine.filter);
	return r;
}

int seccomp_compile(struct seccomp_set *ret, struct err *e)
{
	struct seccomp_set s = { 0 };
	struct sock_fprog groups = { 0 };
	int r = compile(&groups, SCMP_ACT_ALLOW, SECCOMP_PLAIN, fill_groups);

	if (!r)
		r = compile_two(&s, &groups, SECCOMP_PLAIN);
	if (!r)
		r = compile_two(&s, &groups, SECCOMP_NESTED);
	free(groups.filter);
	if (r < 0) {
		seccomp_set_done(&s);
		return fail(e, -r, "compile the system call filter: %s", strerror(-r));
	}
	*ret = s;
	return 0;
}

void seccomp_set_done(struct seccomp_set *s)
{
	for (int v = 0; v < SECCOMP_VARIANTS; v++)
		free(s->program[v].filter);
	*s = (struct seccomp_set){ 0 };
}

/*
 * A signal ends the wait for an answer only before the listener has taken the call, and the call is then
 * made anew: so one attempt is one record.
 */
int seccomp_enter(const struct seccomp_set *s, enum seccomp_variant v, int *ret_listener, struct err *e)
{
	long fd;

	if (!s->program[v].filter)
		return fail(e, EINVAL, "seccomp: the filter was never compiled");
	fd = syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER,
		     SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
		     &s->program[v]);
	if (fd < 0)
		return fail(e, errno, "seccomp: load the filter: %s", strerror(errno));
	*ret_listener = (int)fd;
	return 0;
}
