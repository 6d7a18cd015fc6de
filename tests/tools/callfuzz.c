/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random system calls, for the inside of a sandbox: `callfuzz SEED ROUNDS CALLS TOKEN PATH...`. Each round is a process
 * that makes CALLS calls of the grammar below, one after the other, with what earlier ones gave (descriptors,
 * processes) as arguments of later ones. PATHs join the names that it tries. TOKEN is the text that
 * lies in files outside, each byte xored with 0x55, so that reading its own arguments finds nothing: whatever a call
 * brings in is searched for it, and `LEAK name seed` is printed where it is found. The same SEED does the
 * same, as far as the kernel does. Bounded: CALLS a round, and a tenth of a second.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "err.h"
#include "own.h"

#define PATHS	128
#define FDS	32
#define BUFFER	65536

enum kind { NONE, FD, DIR, PATH, OUT, IN, LEN, FLAGS, MODE, PID, SIG, FAMILY, TYPE, PROTO, ADDR, ADDRLEN, SMALL, ANY, ZERO, COMMAND, REQUEST, FRESH };

#define CALL(nr, ...)	{ #nr, SYS_##nr, { __VA_ARGS__ } }
#define NUMBER(name, nr, ...)	{ name, nr, { __VA_ARGS__ } }	/* newer than libc's header may be */
#define ANY_NEW	-1			/* a number beyond all that libc knows */
#define NEWEST	440

/* What is not here would end the round (exit), wait for good (pause), or needs nothing that is random. */
static const struct {
	const char *name;
	long nr;
	enum kind args[6];
} grammar[] = {
	CALL(openat, DIR, PATH, FLAGS, MODE), CALL(openat, DIR, PATH, FLAGS, MODE), CALL(openat, DIR, PATH, ZERO),
	CALL(read, FD, OUT, LEN), CALL(read, FD, OUT, LEN), CALL(pread64, FD, OUT, LEN, SMALL), CALL(getdents64, FD, OUT, LEN),
	CALL(write, FD, IN, LEN), CALL(pwrite64, FD, IN, LEN, SMALL), CALL(readlinkat, DIR, PATH, OUT, LEN),
	CALL(ftruncate, FD, SMALL), CALL(fallocate, FD, SMALL, SMALL, SMALL), CALL(fchmod, FD, MODE),
	CALL(fchown, FD, SMALL, SMALL), CALL(fchdir, FD), CALL(chdir, PATH), CALL(dup, FD), CALL(fcntl, FD, SMALL, ANY),
	CALL(ioctl, FD, ANY, OUT), CALL(fsetxattr, FD, IN, IN, SMALL, ZERO), CALL(fgetxattr, FD, IN, OUT, LEN),
	CALL(mkdirat, DIR, PATH, MODE), CALL(unlinkat, DIR, PATH, ZERO), CALL(symlinkat, PATH, DIR, PATH),
	CALL(linkat, DIR, PATH, DIR, PATH, FLAGS), CALL(renameat2, DIR, PATH, DIR, PATH, SMALL),
	CALL(fchmodat, DIR, PATH, MODE), CALL(fchownat, DIR, PATH, SMALL, SMALL, FLAGS), CALL(truncate, PATH, SMALL),
	CALL(mknodat, DIR, PATH, MODE, ANY), CALL(utimensat, DIR, PATH, ZERO, ZERO), CALL(statx, DIR, PATH, ZERO, ANY, OUT),
	CALL(setxattr, PATH, IN, IN, SMALL, ZERO), CALL(getxattr, PATH, IN, OUT, LEN), CALL(chroot, PATH),
	CALL(name_to_handle_at, DIR, PATH, OUT, OUT, ZERO), CALL(open_by_handle_at, FD, IN, FLAGS),
	CALL(openat2, DIR, PATH, IN, SMALL), CALL(copy_file_range, FD, ZERO, FD, ZERO, LEN, ZERO),
	CALL(sendfile, FD, FD, ZERO, LEN), CALL(splice, FD, ZERO, FD, ZERO, LEN, SMALL), CALL(tee, FD, FD, LEN, SMALL),
	CALL(memfd_create, IN, SMALL), CALL(inotify_init1, ZERO), CALL(inotify_add_watch, FD, PATH, ANY),
	CALL(fanotify_init, SMALL, SMALL), CALL(io_uring_setup, SMALL, OUT), CALL(io_uring_enter, FD, SMALL, SMALL, SMALL, ZERO, ZERO),
	CALL(mount, PATH, PATH, IN, ANY, IN), CALL(umount2, PATH, SMALL), CALL(pivot_root, PATH, PATH),
	CALL(fsopen, IN, SMALL), CALL(open_tree, DIR, PATH, ANY), CALL(move_mount, FD, PATH, DIR, PATH, SMALL),
	CALL(unshare, ANY), CALL(setns, FD, ZERO), CALL(quotactl, ANY, PATH, SMALL, OUT),
	CALL(socket, FAMILY, TYPE, PROTO), CALL(socket, FAMILY, TYPE, PROTO), CALL(socketpair, FAMILY, TYPE, PROTO, OUT),
	CALL(connect, FD, ADDR, ADDRLEN), CALL(connect, FD, ADDR, ADDRLEN), CALL(bind, FD, ADDR, ADDRLEN), CALL(listen, FD, SMALL),
	CALL(sendto, FD, IN, LEN, SMALL, ADDR, ADDRLEN), CALL(sendto, FD, IN, LEN, ANY, ADDR, ADDRLEN),
	CALL(recvfrom, FD, OUT, LEN, SMALL, ZERO, ZERO), CALL(sendmsg, FD, IN, SMALL), CALL(setsockopt, FD, SMALL, SMALL, IN, SMALL),
	CALL(getsockopt, FD, SMALL, SMALL, OUT, IN), CALL(shutdown, FD, SMALL), CALL(getpeername, FD, OUT, IN),
	CALL(kill, PID, SIG), CALL(tgkill, PID, PID, SIG), CALL(tkill, PID, SIG), CALL(rt_sigqueueinfo, PID, SIG, IN),
	CALL(pidfd_open, PID, ZERO), CALL(pidfd_send_signal, FD, SIG, ZERO, ZERO), CALL(pidfd_getfd, FD, SMALL, ZERO),
	CALL(ptrace, SMALL, PID, ANY, OUT), CALL(process_vm_readv, PID, OUT, SMALL, IN, SMALL, ZERO),
	CALL(process_vm_writev, PID, IN, SMALL, IN, SMALL, ZERO), CALL(kcmp, PID, PID, SMALL, SMALL, SMALL),
	CALL(setpriority, SMALL, PID, SMALL), CALL(sched_setaffinity, PID, SMALL, IN), CALL(prlimit64, PID, SMALL, IN, OUT),
	CALL(bpf, SMALL, OUT, LEN), CALL(perf_event_open, IN, PID, SMALL, FD, ZERO), CALL(userfaultfd, SMALL),
	CALL(add_key, IN, IN, IN, LEN, SMALL), CALL(keyctl, SMALL, ANY, OUT, LEN), CALL(syslog, SMALL, OUT, LEN),
	CALL(prctl, SMALL, ANY, ANY, ANY, ANY), CALL(setresuid, SMALL, SMALL, SMALL), CALL(setresgid, SMALL, SMALL, SMALL),
	CALL(setgroups, SMALL, IN), CALL(capset, IN, IN), CALL(personality, ANY), CALL(shmget, ANY, LEN, MODE),
	CALL(shmat, SMALL, ZERO, SMALL), CALL(msgget, ANY, MODE), CALL(mq_open, IN, FLAGS, MODE, ZERO), CALL(acct, PATH),
	CALL(swapon, PATH, SMALL), CALL(sethostname, IN, SMALL), CALL(finit_module, FD, IN, ZERO), CALL(close, FD),
	/* by what they are asked for, of which most is small numbers of a kind */
	CALL(fcntl, FD, COMMAND, ANY), CALL(fcntl, FD, COMMAND, SMALL), CALL(ioctl, FD, REQUEST, OUT), CALL(ioctl, FD, REQUEST, IN),
	CALL(pipe2, OUT, ZERO), CALL(eventfd2, SMALL, ZERO), CALL(epoll_create1, ZERO), CALL(epoll_ctl, FD, SMALL, FD, IN),
	CALL(timerfd_create, SMALL, ZERO), CALL(signalfd4, FD, IN, SMALL, ZERO), CALL(vmsplice, FD, IN, SMALL, SMALL),
	CALL(mmap, ZERO, LEN, SMALL, ANY, FD, ZERO), CALL(mremap, OUT, LEN, LEN, SMALL), CALL(madvise, OUT, LEN, SMALL),
	CALL(ioprio_set, SMALL, PID, SMALL), CALL(ioprio_get, SMALL, PID), CALL(sched_setscheduler, PID, SMALL, IN),
	CALL(rt_tgsigqueueinfo, PID, PID, SIG, IN), CALL(get_robust_list, PID, OUT, OUT), CALL(setxattr, PATH, IN, IN, SMALL, SMALL),
	CALL(listxattr, PATH, OUT, LEN), CALL(setrlimit, SMALL, IN), CALL(timer_create, SMALL, IN, OUT), CALL(membarrier, ANY, SMALL),
	CALL(shmctl, SMALL, SMALL, OUT), CALL(msgctl, SMALL, SMALL, OUT), CALL(semctl, SMALL, SMALL, SMALL, OUT),
	CALL(landlock_create_ruleset, IN, SMALL, SMALL), CALL(landlock_add_rule, FD, SMALL, IN, ZERO), CALL(io_setup, SMALL, OUT),
	CALL(process_madvise, FD, IN, SMALL, SMALL, ZERO), CALL(process_mrelease, FD, ZERO), CALL(quotactl_fd, FD, ANY, SMALL, OUT),
	CALL(fsconfig, FD, SMALL, IN, IN, SMALL), CALL(fsmount, FD, SMALL, SMALL), CALL(mount_setattr, DIR, PATH, FLAGS, IN, SMALL),
	CALL(memfd_secret, SMALL), NUMBER("cachestat", 451, FD, IN, OUT, ZERO), NUMBER("fchmodat2", 452, DIR, PATH, MODE, FLAGS),
	NUMBER("statmount", 457, IN, OUT, LEN, ZERO), NUMBER("listmount", 458, IN, OUT, SMALL, ZERO),
	NUMBER("mseal", 462, OUT, LEN, ZERO), NUMBER("setxattrat", 463, DIR, PATH, FLAGS, IN, IN, SMALL),
	NUMBER("getxattrat", 464, DIR, PATH, FLAGS, IN, OUT, SMALL), NUMBER("open_tree_attr", 467, DIR, PATH, ANY, IN, SMALL),
	NUMBER("file_setattr", 469, DIR, PATH, IN, SMALL, FLAGS), NUMBER("listns", 470, IN, OUT, SMALL, ZERO),
	NUMBER("new", ANY_NEW, FRESH, FRESH, FRESH, FRESH, FRESH, FRESH), NUMBER("new", ANY_NEW, FRESH, FRESH, FRESH, FRESH, FRESH, FRESH),
};

static const char *paths[PATHS] = {
	".", "..", "a", "b", "d", "d/e", "/", "/etc/shadow", "/etc/passwd", "/etc/hosts", "/proc/self/root", "/proc/1/root", "/proc/1/mem",
	"/proc/1/fd", "/proc/1/environ", "/proc/self/fd/3", "/proc/self/exe", "/proc/self/mem", "/proc/sys/kernel/core_pattern",
	"/proc/sysrq-trigger", "/proc/self/ns/net", "/proc/self/oom_score_adj", "/sys/kernel", "/sys/fs/cgroup", "/sys/fs/bpf",
	"/dev/mem", "/dev/kmsg", "/dev/shm/x", "/dev/null", "/dev/tty", "/tmp", "/tmp/x", "/usr/bin/true", "/usr/bin/x", "/root", "/home",
	"/run", "/run/dbus/system_bus_socket", "/var/lib/osh", "../../../../../../etc/shadow",
};
static size_t n_paths = 40;
static unsigned char token[256], in[BUFFER], out[BUFFER];
static size_t token_len;
static uint64_t state;
static int fds[FDS], n_fds;
static pid_t pids[8];

static uint64_t rnd(void)		/* xorshift64 */
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static uint64_t below(uint64_t n)
{
	return rnd() % n;
}

/* Mostly one that is open. */
static long a_descriptor(void)
{
	return n_fds && below(8) ? fds[below((uint64_t)n_fds)] : (long)below(40) - 1;
}

static long address(void)
{
	static struct sockaddr_storage ss;
	static const char *const four[] = { "127.0.0.1", "169.254.169.254", "10.0.0.1", "192.0.2.1", "198.18.0.1", "198.18.0.2", "224.0.0.1",
					    "0.0.0.0" };
	static const char *const six[] = { "::1", "fd00:ec2::254", "2001:db8::1", "::ffff:10.0.0.1", "fe80::1" };
	static const int ports[] = { 0, 22, 53, 80, 443, 853, 8080 };
	struct sockaddr_in *a = (void *)&ss;
	struct sockaddr_in6 *b = (void *)&ss;
	struct sockaddr_un *c = (void *)&ss;

	memset(&ss, 0, sizeof(ss));
	switch (below(4)) {
	case 0:
		b->sin6_family = AF_INET6;
		inet_pton(AF_INET6, six[below(ARRAY_SIZE(six))], &b->sin6_addr);
		b->sin6_port = htons((uint16_t)ports[below(ARRAY_SIZE(ports))]);
		break;
	case 1:
		c->sun_family = AF_UNIX;
		snprintf(c->sun_path, sizeof(c->sun_path), "%s", paths[below(n_paths)]);
		if (!below(4))
			c->sun_path[0] = 0;
		break;
	default:
		a->sin_family = below(16) ? AF_INET : (sa_family_t)below(46);
		inet_pton(AF_INET, four[below(ARRAY_SIZE(four))], &a->sin_addr);
		a->sin_port = htons((uint16_t)ports[below(ARRAY_SIZE(ports))]);
	}
	return (long)(uintptr_t)&ss;
}

/* _IO*() of the letters that files, terminals, sockets, namespaces, pidfds and disks have. */
static long request(void)
{
	static const unsigned char letters[] = { 'T', 'f', 'X', 0x94, 0x89, 0xb7, 0xff, 'v', 'E', 'r', 0x12, 'i', 0, 'w' };

	return (long)(below(4) << 30 | (below(2) ? 1u << below(13) : below(160)) << 16 | (unsigned)letters[below(sizeof(letters))] << 8 |
		      below(256));
}

static long argument(enum kind k)
{
	static const int open_flags[] = { O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_CREAT, O_WRONLY | O_CREAT | O_TRUNC, O_PATH,
					  O_DIRECTORY, O_TMPFILE | O_RDWR, O_NOFOLLOW | O_PATH, O_RDWR | O_APPEND };

	switch (k) {
	case FD: return a_descriptor();
	case DIR: return below(4) ? AT_FDCWD : a_descriptor();
	case PATH: return (long)(uintptr_t)paths[below(n_paths)];
	case OUT: return (long)(uintptr_t)out;
	case IN:
		for (int i = 0; i < 64; i++)
			in[i] = below(3) ? (unsigned char)rnd() : 0;
		return (long)(uintptr_t)in;
	case LEN: return (long)below(below(8) ? 4096 : BUFFER);
	case FLAGS: return below(8) ? open_flags[below(ARRAY_SIZE(open_flags))] | O_NONBLOCK : (long)(uint32_t)rnd() | O_NONBLOCK;
	case MODE: return (long)(below(2) ? 0644 : below(0200000));
	case PID: return below(2) ? pids[below(ARRAY_SIZE(pids))] : (long)below(70000);
	case SIG: return below(2) ? 0 : (long)below(65);
	case FAMILY: return below(2) ? (below(2) ? AF_INET : AF_INET6) : (long)below(46);
	case TYPE: return (long)(1 + below(6)) | SOCK_NONBLOCK;
	case PROTO: return below(2) ? 0 : (long)below(264);
	case ADDR: return address();
	case ADDRLEN: return below(8) ? (long)sizeof(struct sockaddr_in6) : (long)below(140);
	case SMALL: return (long)below(40);
	case ANY: return (long)(below(2) ? 1ULL << below(33) : rnd());
	case COMMAND: return (long)(below(2) ? 1024 + below(20) : below(40));
	case REQUEST: return request();
	case FRESH: return argument((enum kind[]){ FD, DIR, PATH, OUT, IN, LEN, SMALL, ANY, ZERO, PID }[below(10)]);
	case NONE:
	case ZERO:
	default: return 0;
	}
}

static void look(const char *name, uint64_t seed)
{
	if (token_len && memmem(out, sizeof(out), token, token_len))
		printf("LEAK %s %llu\n", name, (unsigned long long)seed);
}

/* One process: what it opened and started ends with it. */
static void play(uint64_t seed, int calls)
{
	const struct itimerval limit = { .it_value.tv_usec = 60000 };

	state = seed * 0x9e3779b97f4a7c15ULL | 1;
	setitimer(ITIMER_REAL, &limit, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		pids[i] = i ? getpid() : 1;		/* not its parent, which counts the rounds */
	for (int i = 0; i < calls; i++) {
		size_t c = below(ARRAY_SIZE(grammar));
		long a[6], r;

		for (int n = 0; n < 6; n++)
			a[n] = argument(grammar[c].args[n]);
		if (grammar[c].nr == SYS_close && a[0] <= 2)
			continue;
		r = syscall(grammar[c].nr == ANY_NEW ? NEWEST + (long)below(80) : grammar[c].nr, a[0], a[1], a[2], a[3], a[4], a[5]);
		look(grammar[c].name, seed);
		if (r > 2 && r < 1024)		/* like as not a descriptor */
			fds[n_fds < FDS ? n_fds++ : (int)below(FDS)] = (int)r;
		memset(out, 0, 64);
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	uint64_t seed;
	int rounds, calls;

	if (argc < 5)
		return 2;
	seed = strtoull(argv[1], NULL, 0);
	rounds = atoi(argv[2]);
	calls = atoi(argv[3]);
	for (; token_len < sizeof(token) && argv[4][token_len]; token_len++)
		token[token_len] = (unsigned char)argv[4][token_len] ^ 0x55;
	for (int i = 5; i < argc && n_paths < PATHS; i++)
		paths[n_paths++] = argv[i];
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 0; i < rounds; i++) {
		pid_t pid = fork();

		if (!pid)
			play(seed + (uint64_t)i, calls);
		for (int ms = 0; pid > 0 && waitpid(pid, NULL, WNOHANG) == 0; ms++) {
			if (ms == 100)		/* it has stopped itself, or its clock */
				kill(pid, SIGKILL);
			usleep(1000);
		}
	}
	printf("done %d\n", rounds);
	return 0;
}
