/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Root parses nothing: the texts are read by a forked child that may read, write and exit, as its own uid. It
 * answers with fixed-size records, or with one error.
 */
#include "upstream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "given.h"
#include "own.h"
#include "sandbox.h"

#define TEXT_MAX (256u << 10)
#define TRUST_MAX 4096
#define PARSE_MS 2000

struct trust {
	uint32_t addr_be[4];
	uint32_t port;			/* 0 = any that the policy names */
};

static char text[TEXT_MAX + 1];		/* the child may not allocate */

static size_t read_text(int fd)
{
	size_t n = 0;

	for (;;) {
		ssize_t r = read(fd, text + n, TEXT_MAX - n);

		if (r <= 0)
			break;
		n += (size_t)r;
	}
	text[n] = 0;
	return n;
}

static int to_mapped(const char *s, uint32_t addr_be[4])
{
	addr_be[0] = addr_be[1] = 0;
	addr_be[2] = htonl(0xffff);
	if (inet_pton(AF_INET, s, &addr_be[3]) == 1)
		return 0;
	return inet_pton(AF_INET6, s, addr_be) == 1 ? 0 : -1;
}

/* "ADDR", "ADDR:PORT" (v4) or "[ADDR]:PORT". */
static int to_trust(char *word, struct trust *t)
{
	char *port = NULL, *colon = strrchr(word, ':');

	if (word[0] == '[') {
		char *end = strchr(++word, ']');

		if (!end)
			return -1;
		*end = 0;
		port = end[1] == ':' ? end + 2 : NULL;
	} else if (colon && strchr(word, ':') == colon) {
		*colon = 0;
		port = colon + 1;
	}
	t->port = port ? (uint32_t)strtoul(port, NULL, 10) : 0;
	return t->port > 65535 ? -1 : to_mapped(word, t->addr_be);
}

static void say(int out, const struct trust *t)
{
	(void)!write(out, t, sizeof(*t));
}

static void each_line(int out, void (*line)(int, char *))
{
	for (char *p = text, *next; *p; p = next) {
		next = p + strcspn(p, "\n");
		if (*next)
			*next++ = 0;
		p[strcspn(p, "#;")] = 0;
		line(out, p);
	}
}

static void resolv_line(int out, char *line)
{
	char *save, *key = strtok_r(line, " \t\r", &save);
	char *addr = key && !strcmp(key, "nameserver") ? strtok_r(NULL, " \t\r%", &save) : NULL;
	struct trust t = { .port = 53 };

	if (addr && !to_mapped(addr, t.addr_be))
		say(out, &t);
}

static void hosts_line(int out, char *line)
{
	char *save, *addr = strtok_r(line, " \t\r", &save);
	struct trust t;

	if (addr && !to_trust(addr, &t))
		say(out, &t);
}

/*
 * What seccomp's strict mode allows but for sigreturn, as a filter: the kernel has no way from a filter, which the
 * service's oshd begins with, to that mode. By hand: oshd links no libseccomp for some instructions. `heap`: also what
 * malloc() and pread() ask for.
 */
static int narrow(bool heap)
{
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, skip, 0)
	static struct sock_filter strict[] = {
		LOAD(arch),
		IS(AUDIT_ARCH_X86_64, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
		IS(SYS_read, 3),
		IS(SYS_write, 2),
		IS(SYS_exit, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	}, with_heap[] = {
		LOAD(arch),
		IS(AUDIT_ARCH_X86_64, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
		IS(SYS_pread64, 7),
		IS(SYS_write, 6),
		IS(SYS_exit, 5),
		IS(SYS_brk, 4),
		IS(SYS_mmap, 3),
		IS(SYS_mremap, 2),
		IS(SYS_munmap, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog prog = { .len = heap ? ARRAY_SIZE(with_heap) : ARRAY_SIZE(strict),
					 .filter = heap ? with_heap : strict };

#ifdef __SANITIZE_ADDRESS__
	if (heap)			/* its malloc() asks for more */
		return 0;
#endif
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

/* No groups, own uid, then hardly a system call. Raw exit: _exit() is exit_group(). */
static void confine(bool heap)
{
	if (setgroups(0, NULL) < 0 || setresgid(OSH_UID_PARSE, OSH_UID_PARSE, OSH_UID_PARSE) < 0 ||
	    setresuid(OSH_UID_PARSE, OSH_UID_PARSE, OSH_UID_PARSE) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || narrow(heap) < 0)
		syscall(SYS_exit, 1);
}

_Noreturn static void parser(int out, int resolv_fd, int hosts_fd)
{
	confine(false);
	read_text(resolv_fd);
	each_line(out, resolv_line);
	read_text(hosts_fd);
	each_line(out, hosts_line);
	for (;;)
		syscall(SYS_exit, 0);
}

/* One struct err; code 0 = they are as they have to be. */
_Noreturn static void checker(int out, const struct daemon *d)
{
	struct err e = { 0 };

	confine(true);
	if (given_check_hosts(d->config.upstream_hosts, d->hosts_fd, &e) == 0)
		(void)given_check_ca(d->config.upstream_ca, d->ca_fd, &e);
	(void)!write(out, &e, sizeof(e));
	for (;;)
		syscall(SYS_exit, 0);
}

static int enter_all(struct sandbox *s, int in, struct err *e)
{
	struct pollfd p = { .fd = in, .events = POLLIN };
	struct trust t;
	int r = 0;

	for (unsigned i = 0; !r && i < TRUST_MAX; i++) {
		if (poll(&p, 1, PARSE_MS) <= 0)
			return fail(e, ETIMEDOUT, "reading upstream addresses took too long");
		if (read(in, &t, sizeof(t)) != sizeof(t))
			return 0;
		r = kbpf_egress_trust(s->d->kernel, &s->k, t.addr_be, 128, t.port, e);
	}
	return r ? r : fail(e, E2BIG, "more than %d upstream addresses", TRUST_MAX);
}

int upstream_trust(struct sandbox *s, int resolv_fd, int hosts_fd, struct err *e)
{
	_close_ int in = -1;
	int out[2], status, r;
	pid_t pid;

	/* Both files may be given to several readers: every one begins at the start. */
	(void)lseek(resolv_fd, 0, SEEK_SET);
	(void)lseek(hosts_fd, 0, SEEK_SET);
	if (pipe2(out, O_CLOEXEC) < 0)
		return fail(e, errno, "pipe: %s", strerror(errno));
	in = out[0];
	pid = fork();
	if (pid == 0)
		parser(out[1], resolv_fd, hosts_fd);
	close(out[1]);
	if (pid < 0)
		return fail(e, errno, "fork: %s", strerror(errno));
	r = enter_all(s, in, e);
	if (r < 0)
		kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) == pid && !r && (!WIFEXITED(status) || WEXITSTATUS(status)))
		r = fail(e, EPERM, "the reader of upstream addresses could not be confined");
	(void)lseek(resolv_fd, 0, SEEK_SET);
	(void)lseek(hosts_fd, 0, SEEK_SET);
	return r;
}

/* What the child said is a line for a person, whoever has taken it over. */
static int hear(int in, struct err *e)
{
	struct pollfd p = { .fd = in, .events = POLLIN };
	struct err said;

	if (poll(&p, 1, PARSE_MS) <= 0)
		return fail(e, ETIMEDOUT, "reading upstream-hosts and upstream-ca took too long");
	if (read(in, &said, sizeof(said)) != sizeof(said))
		return fail(e, EPERM, "the reader of upstream-hosts and upstream-ca could not be confined");
	if (!said.code)
		return 0;
	for (size_t i = 0; i < sizeof(said.text); i++)
		if (said.text[i] < 0x20 || said.text[i] > 0x7e)
			said.text[i] = said.text[i] ? '?' : 0;
	return fail(e, EINVAL, "%.*s", (int)sizeof(said.text) - 1, said.text);
}

int upstream_check(const struct daemon *d, struct err *e)
{
	_close_ int in = -1;
	int out[2], r;
	pid_t pid;

	if (d->hosts_fd < 0 && d->ca_fd < 0)
		return 0;
	if (pipe2(out, O_CLOEXEC) < 0)
		return fail(e, errno, "pipe: %s", strerror(errno));
	in = out[0];
	pid = fork();
	if (pid == 0)
		checker(out[1], d);
	close(out[1]);
	if (pid < 0)
		return fail(e, errno, "fork: %s", strerror(errno));
	r = hear(in, e);
	kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return r;
}
