/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One forbidden thing at a time: `attempt VERB [ARG]...` tries it and prints `ok` or `errno=EACCES`
 * (name resolution: `eai=NONAME`). Exit status 0: it worked, 1: it was refused, 2: used wrongly.
 * The demo and the red team run it inside a sandbox and, as a control, outside.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/vm_sockets.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "err.h"
#include "own.h"

typedef int attempt_fn(char **a);	/* 0 or more: worked; else -errno */

static int sys(long r)
{
	return r < 0 ? -errno : 0;
}

static int address(char **a, struct sockaddr_storage *ss, socklen_t *len)
{
	struct sockaddr_in *in = (void *)ss;
	struct sockaddr_in6 *in6 = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	in->sin_port = htons((uint16_t)atoi(a[1]));
	if (inet_pton(AF_INET, a[0], &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		*len = sizeof(*in);
		return 0;
	}
	in6->sin6_family = AF_INET6;
	*len = sizeof(*in6);
	return inet_pton(AF_INET6, a[0], &in6->sin6_addr) == 1 ? 0 : -EINVAL;
}

/* A connect that ends: five seconds, then ETIMEDOUT. */
static int dial(int type, int proto, const struct sockaddr *sa, socklen_t len, const char *text)
{
	_close_ int fd = socket(sa->sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, proto);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int soerr = 0;
	socklen_t n = sizeof(soerr);

	if (fd < 0)
		return -errno;
	if (connect(fd, sa, len) < 0) {
		if (errno != EINPROGRESS)
			return -errno;
		if (poll(&p, 1, 5000) != 1)
			return -ETIMEDOUT;
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &soerr, &n);
		if (soerr)
			return -soerr;
	}
	if (text && send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

static int try_connect(char **a)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int r = address(a, &ss, &len);

	return r ? r : dial(SOCK_STREAM, 0, (void *)&ss, len, NULL);
}

static int try_mptcp(char **a)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int r = address(a, &ss, &len);

	return r ? r : dial(SOCK_STREAM, 262, (void *)&ss, len, NULL);
}

static int try_udp_connect(char **a)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int r = address(a, &ss, &len);

	return r ? r : dial(SOCK_DGRAM, 0, (void *)&ss, len, "attempt");
}

static int try_udp(char **a)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int r = address(a, &ss, &len);
	_close_ int fd = r ? -1 : socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (r || fd < 0)
		return r ? r : -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &(int){ 1 }, sizeof(int));
	return sys(sendto(fd, "attempt", 7, 0, (void *)&ss, len));
}

/* connect() where the first bytes ride on the SYN: no connect call is made. */
static int try_fastopen(char **a)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int r = address(a, &ss, &len);
	_close_ int fd = r ? -1 : socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (r || fd < 0)
		return r ? r : -errno;
	return sys(sendto(fd, "attempt", 7, MSG_FASTOPEN | MSG_NOSIGNAL, (void *)&ss, len));
}

static int try_bind(char **a)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int r = address(a, &ss, &len);
	_close_ int fd = r ? -1 : socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (r || fd < 0)
		return r ? r : -errno;
	return sys(bind(fd, (void *)&ss, len));
}

static int try_socket(char **a)
{
	_close_ int fd = socket(atoi(a[0]), atoi(a[1]) | SOCK_CLOEXEC, atoi(a[2]));

	return sys(fd);
}

static int try_raw(char **a)
{
	_close_ int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);

	(void)a;
	return sys(fd);
}

static int try_ping(char **a)
{
	_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);

	(void)a;
	return sys(fd);
}

static int try_packet(char **a)
{
	_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(3));

	(void)a;
	return sys(fd);
}

static int try_vsock(char **a)
{
	struct sockaddr_vm vm = {
		.svm_family = AF_VSOCK, .svm_cid = (unsigned)atoi(a[0]), .svm_port = (unsigned)atoi(a[1]),
	};
	_close_ int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	return sys(connect(fd, (void *)&vm, sizeof(vm)));
}

static int unix_dial(const char *name, int type)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	_close_ int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	size_t n = strlen(name);

	if (fd < 0)
		return -errno;
	if (n >= sizeof(un.sun_path))
		return -EINVAL;
	memcpy(un.sun_path, name, n);
	if (name[0] == '@')
		un.sun_path[0] = 0;
	if (type == SOCK_DGRAM)
		return sys(sendto(fd, "attempt", 7, 0, (void *)&un,
				  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)));
	return sys(connect(fd, (void *)&un, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)));
}

static int try_unix(char **a)
{
	return unix_dial(a[0], SOCK_STREAM);
}

static int try_unix_dgram(char **a)
{
	return unix_dial(a[0], SOCK_DGRAM);
}

static int try_open(char **a)
{
	_close_ int fd = open(a[0], O_RDONLY | O_CLOEXEC);
	char c;

	if (fd < 0)
		return -errno;
	return read(fd, &c, 1) < 0 && errno != EISDIR ? -errno : 0;
}

static int try_write(char **a)
{
	_close_ int fd = open(a[0], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	return sys(write(fd, "attempt\n", 8));
}

static int try_open_write(char **a)
{
	_close_ int fd = open(a[0], O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : 0;
}

static int try_list(char **a)
{
	return sys(open(a[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int try_kill(char **a)
{
	return sys(kill(atoi(a[0]), 0));
}

static int try_tgkill(char **a)
{
	return sys(syscall(SYS_tgkill, atoi(a[0]), atoi(a[0]), 0));
}

static int try_pidfd(char **a)
{
	_close_ int fd = (int)syscall(SYS_pidfd_open, atoi(a[0]), 0);

	return fd < 0 ? -errno : sys(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
}

static int try_ptrace(char **a)
{
	int pid = atoi(a[0]);

	if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0)
		return -errno;
	ptrace(PTRACE_INTERRUPT, pid, 0, 0);
	waitpid(pid, NULL, __WALL);
	return sys(ptrace(PTRACE_DETACH, pid, 0, 0));
}

static int try_vmread(char **a)
{
	char c;
	struct iovec me = { &c, 1 }, you = { (void *)(uintptr_t)strtoull(a[1], NULL, 0), 1 };

	return sys(process_vm_readv(atoi(a[0]), &me, 1, &you, 1, 0));
}

static int try_unshare(char **a)
{
	static const struct { const char *name; int flag; } kinds[] = {
		{ "user", CLONE_NEWUSER }, { "mnt", CLONE_NEWNS }, { "net", CLONE_NEWNET },
		{ "pid", CLONE_NEWPID }, { "cgroup", CLONE_NEWCGROUP },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(a[0], kinds[i].name))
			return sys(unshare(kinds[i].flag));
	return -EINVAL;
}

static int try_mount(char **a)
{
	return sys(mount("tmpfs", a[0], "tmpfs", 0, NULL));
}

static int try_fsopen(char **a)
{
	(void)a;
	return sys(syscall(SYS_fsopen, "tmpfs", 0));
}

static int try_bpf(char **a)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1 };

	(void)a;
	return sys(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)));
}

static int try_perf(char **a)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .exclude_kernel = 1 };

	(void)a;
	return sys(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0));
}

static int try_uring(char **a)
{
	struct io_uring_params p = { 0 };

	(void)a;
	return sys(syscall(SYS_io_uring_setup, 4, &p));
}

static int try_keyctl(char **a)
{
	(void)a;
	return sys(syscall(SYS_add_key, "user", "osh-attempt", "x", 1, -2));
}

static int try_userfaultfd(char **a)
{
	(void)a;
	return sys(syscall(SYS_userfaultfd, 0));
}

static int try_handle(char **a)
{
	struct { struct file_handle h; char room[128]; } f = { .h.handle_bytes = 128 };
	int id;
	_close_ int dir = open(a[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (name_to_handle_at(AT_FDCWD, a[0], &f.h, &id, 0) < 0)
		return -errno;
	return sys(open_by_handle_at(dir, &f.h, O_RDONLY));
}

static int try_setns(char **a)
{
	_close_ int fd = open(a[0], O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : sys(setns(fd, 0));
}

static int try_chroot(char **a)
{
	return sys(chroot(a[0]));
}

static int try_mknod(char **a)
{
	return sys(mknod(a[0], S_IFCHR | 0600, 0x103));
}

static int try_setuid(char **a)
{
	return sys(setresuid((uid_t)atoi(a[0]), (uid_t)atoi(a[0]), (uid_t)atoi(a[0])));
}

static int try_tiocsti(char **a)
{
	char c = 'x';
	_close_ int fd = open(a[0], O_RDWR | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? -errno : sys(ioctl(fd, TIOCSTI, &c));
}

static int try_memfd_exec(char **a)
{
	_close_ int in = open(a[0], O_RDONLY | O_CLOEXEC);
	int fd = memfd_create("attempt", 0), status;
	char buf[65536];
	ssize_t n;
	pid_t pid;

	if (in < 0 || fd < 0)
		return -errno;
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(fd, buf, (size_t)n) != n)
			return -errno;
	pid = fork();
	if (!pid) {
		char *const argv[] = { a[0], NULL }, *const envp[] = { NULL };

		execveat(fd, "", argv, envp, AT_EMPTY_PATH);
		_exit(errno);
	}
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

/* A call through the 32-bit gate: numbers mean other calls there, so a filter must look at the arch. */
static int try_int80(char **a)
{
	int pid = fork(), status;

	(void)a;
	if (!pid) {
		long r = -1;
#ifdef __x86_64__
		__asm__ volatile("int $0x80" : "=a"(r) : "a"(20 /* getpid */) : "memory", "r8", "r9", "r10", "r11");
#endif
		_exit(r > 0 ? 0 : r > -256 ? (int)-r : EIO);
	}
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EPERM;
}

static int try_syscall(char **a)
{
	return sys(syscall(atol(a[0]), 0, 0, 0, 0, 0, 0));
}

/* Resolves through the C library; *no_name gets the resolver's own error. */
static int resolve(char **a, int family, struct addrinfo **ret)
{
	static const struct { int code; const char *name; } names[] = {
		{ EAI_NONAME, "NONAME" }, { EAI_AGAIN, "AGAIN" }, { EAI_FAIL, "FAIL" },
		{ EAI_NODATA, "NODATA" }, { EAI_ADDRFAMILY, "ADDRFAMILY" },
	};
	const struct addrinfo want = { .ai_family = family, .ai_socktype = SOCK_STREAM };
	int r = getaddrinfo(a[0], a[1], &want, ret);

	if (!r)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].code == r) {
			printf("eai=%s\n", names[i].name);
			exit(1);
		}
	printf("eai=%d\n", r);
	exit(1);
}

static int try_resolve(char **a)
{
	struct addrinfo *ai;
	char *with_port[] = { a[0], (char *)"80" };

	resolve(with_port, AF_UNSPEC, &ai);
	freeaddrinfo(ai);
	return 0;
}

static int host(char **a, int family)
{
	struct addrinfo *ai;
	int r;

	resolve(a, family, &ai);
	r = dial(SOCK_STREAM, 0, ai->ai_addr, ai->ai_addrlen, NULL);
	freeaddrinfo(ai);
	return r;
}

static int try_host(char **a)
{
	return host(a, AF_UNSPEC);
}

static int try_host4(char **a)
{
	return host(a, AF_INET);
}

static int try_host6(char **a)
{
	return host(a, AF_INET6);
}

/* Every way to a file with this bit; the first that works counts. */
static int make_with(const char *dir, mode_t bit)
{
	struct {
		unsigned long long flags, mode, resolve;
	} how = { O_CREAT | O_WRONLY, bit | 0755, 0 };
	char path[4096];
	struct stat st;

	snprintf(path, sizeof(path), "%s/with-%d", dir, getpid());
	for (int way = 0; way < 9; way++) {
		int fd = way < 4 ? open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0755) : -1;

		switch (way) {
		case 0: (void)!chmod(path, bit | 0755); break;
		case 1: (void)!fchmod(fd, bit | 0755); break;
		case 2: syscall(SYS_fchmodat, AT_FDCWD, path, bit | 0755); break;
		case 3: syscall(452 /* fchmodat2 */, AT_FDCWD, path, bit | 0755, 0); break;
		case 4: fd = (int)syscall(SYS_creat, path, bit | 0755); break;
		case 5: fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, bit | 0755); break;
		case 6: fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, bit | 0755); break;
		case 7: fd = (int)syscall(437 /* openat2 */, AT_FDCWD, path, &how, sizeof(how)); break;
		default: (void)!mknod(path, S_IFREG | bit | 0755, 0);
		}
		if ((fd >= 0 ? fstat(fd, &st) : stat(path, &st)) < 0)
			st.st_mode = 0;
		if (fd >= 0)
			close(fd);
		unlink(path);
		if (st.st_mode & bit)
			return way;
	}
	return -EPERM;
}

static int try_suid(char **a)
{
	return make_with(a[0], S_ISUID);
}

static int try_sgid(char **a)
{
	return make_with(a[0], S_ISGID);
}

static const struct verb {
	const char *name;
	int n_args;
	attempt_fn *run;
	const char *args;
} verbs[] = {
	{ "connect",	2, try_connect,		"ADDR PORT" },
	{ "mptcp",	2, try_mptcp,		"ADDR PORT" },
	{ "fastopen",	2, try_fastopen,	"ADDR PORT" },
	{ "udp",	2, try_udp,		"ADDR PORT" },
	{ "udpconnect",	2, try_udp_connect,	"ADDR PORT" },
	{ "bind",	2, try_bind,		"ADDR PORT" },
	{ "host",	2, try_host,		"NAME PORT" },
	{ "host4",	2, try_host4,		"NAME PORT" },
	{ "host6",	2, try_host6,		"NAME PORT" },
	{ "resolve",	1, try_resolve,		"NAME" },
	{ "socket",	3, try_socket,		"FAMILY TYPE PROTOCOL" },
	{ "raw",	0, try_raw,		"" },
	{ "ping",	0, try_ping,		"" },
	{ "packet",	0, try_packet,		"" },
	{ "vsock",	2, try_vsock,		"CID PORT" },
	{ "unix",	1, try_unix,		"PATH|@NAME" },
	{ "unixdgram",	1, try_unix_dgram,	"PATH|@NAME" },
	{ "open",	1, try_open,		"PATH" },
	{ "write",	1, try_write,		"PATH" },
	{ "openw",	1, try_open_write,	"PATH" },
	{ "list",	1, try_list,		"DIR" },
	{ "kill",	1, try_kill,		"PID" },
	{ "tgkill",	1, try_tgkill,		"PID" },
	{ "pidfd",	1, try_pidfd,		"PID" },
	{ "ptrace",	1, try_ptrace,		"PID" },
	{ "vmread",	2, try_vmread,		"PID ADDRESS" },
	{ "unshare",	1, try_unshare,		"user|mnt|net|pid|cgroup" },
	{ "mount",	1, try_mount,		"DIR" },
	{ "fsopen",	0, try_fsopen,		"" },
	{ "bpf",	0, try_bpf,		"" },
	{ "perf",	0, try_perf,		"" },
	{ "uring",	0, try_uring,		"" },
	{ "keyctl",	0, try_keyctl,		"" },
	{ "userfaultfd", 0, try_userfaultfd,	"" },
	{ "handle",	1, try_handle,		"DIR" },
	{ "setns",	1, try_setns,		"FILE" },
	{ "chroot",	1, try_chroot,		"DIR" },
	{ "mknod",	1, try_mknod,		"PATH" },
	{ "setuid",	1, try_setuid,		"UID" },
	{ "suid",	1, try_suid,		"DIR" },
	{ "sgid",	1, try_sgid,		"DIR" },
	{ "tiocsti",	1, try_tiocsti,		"TTY" },
	{ "memfdexec",	1, try_memfd_exec,	"PROGRAM" },
	{ "int80",	0, try_int80,		"" },
	{ "syscall",	1, try_syscall,		"NUMBER" },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(verbs); i++) {
		int r;

		if (strcmp(argv[1], verbs[i].name) || argc != 2 + verbs[i].n_args)
			continue;
		r = verbs[i].run(argv + 2);
		if (r >= 0)
			puts("ok");
		else
			printf("errno=%s\n", strerrorname_np(-r) ? strerrorname_np(-r) : "?");
		return r < 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(stderr, "usage: attempt %s %s\n", verbs[i].name, verbs[i].args);
	return 2;
}
