/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for oshd, osh-launch and osh-audit around one osh-egress. Run as root in a network
 * namespace of its own: egress_rig EGRESS CGROUP_DIR HOSTS RESOLV PORT LISTENER_FD. Its policy:
 *   1 a.test  2 b.test  3 many.test  4 pin.test (192.0.2.1 alone allowed)  5 priv.test (10.9.0.0/16)
 *   6 *.wild.test  7 10.8.0.0/16 (10.8.0.1 allowed), all on PORT. Address index i is host i; 21 = a
 *   name that the policy does not have, 22 = too deep for the wildcard, 30..59 = w<i>.wild.test.
 * Each record leaves as a line on stdout. Commands on stdin, one byte: p stop reading records,
 * c go on, x close the records' socket, q end the "sandbox".
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../userspace/launch/egress.h"
#include "chan.h"
#include "hash.h"
#include "osh/bundle.h"
#include "own.h"
#include "text.h"

#define ID 7
#define GENERATION 3

static uint32_t port;

static void need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "egress_rig: %s: %s\n", what, strerror(errno));
	exit(1);
}

static char image[16384];
static uint32_t used = sizeof(struct osh_bundle_header) + 9 * sizeof(struct osh_bundle_section);
static uint32_t sections;

static void section(uint32_t type, uint32_t entry, uint32_t count, const void *p)
{
	struct osh_bundle_section *s = (void *)(image + sizeof(struct osh_bundle_header));

	used = (used + 7) & ~7u;
	s[sections++] = (struct osh_bundle_section){ type, entry, used, count };
	memcpy(image + used, p, (size_t)entry * count);
	used += entry * count;
}

static int make_bundle(void)
{
	static char strings[256] = "";
	static const char *const names[] = { "a.test", "b.test", "many.test", "pin.test", "priv.test",
					     "*.wild.test", "10.8.0.0/16", ".wild.test", "rule" };
	struct osh_bundle_header *h = (void *)image;
	uint32_t off[ARRAY_SIZE(names)], n = 1;
	struct osh_b_host hosts[7];
	struct osh_b_endpoint eps[8];
	struct osh_b_meta meta = { .n_groups = 1 };
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		off[i] = n;
		strcpy(strings + n, names[i]);
		n += (uint32_t)strlen(names[i]) + 1;
	}
	for (uint32_t i = 0; i < 7; i++) {
		hosts[i] = (struct osh_b_host){ off[i], i < 5 ? OSH_HOST_EXACT
						: i == 5 ? OSH_HOST_WILD : OSH_HOST_CIDR };
		eps[i] = (struct osh_b_endpoint){ i + 1, port, 0, 1 };
	}
	section(OSH_SEC_STRINGS, 1, n, strings);
	section(OSH_SEC_META, sizeof(meta), 1, &meta);
	section(OSH_SEC_HOSTS, sizeof(hosts[0]), 7, hosts);
	section(OSH_SEC_SUFFIXES, sizeof(struct osh_b_suffix), 1,
		&(struct osh_b_suffix){ off[7], 6, 0, 2 });
	section(OSH_SEC_CIDRS, sizeof(struct osh_b_cidr), 1,
		&(struct osh_b_cidr){ { [10] = 0xff, 0xff, 10, 8 }, 112, 7 });
	section(OSH_SEC_ENDPOINTS, sizeof(eps[0]), 7, eps);
	section(OSH_SEC_ALTS, sizeof(struct osh_b_alt), 1, &(struct osh_b_alt){ 0 });
	section(OSH_SEC_RULES, sizeof(struct osh_b_rule), 1, &(struct osh_b_rule){ off[8], 1 });
	section(OSH_SEC_UPSTREAM, sizeof(struct osh_b_upstream), 3,
		(struct osh_b_upstream[]){
			{ { [10] = 0xff, 0xff, 192, 0, 2, 1 }, 128, 4, port, 0 },
			{ { [10] = 0xff, 0xff, 10, 9 }, 112, 5, port, 0 },
			{ { [10] = 0xff, 0xff, 10, 8, 0, 1 }, 128, 7, port, 0 } });
	used = (used + 7) & ~7u;
	h->magic = OSH_BUNDLE_MAGIC;
	h->version = OSH_BUNDLE_VERSION;
	h->size = used;
	h->n_sections = sections;
	need(hash_bytes(h + 1, used - sizeof(*h), h->content_hash) == 0, "hash");
	fd = memfd_create("bundle", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	need(write(fd, image, used) == (ssize_t)used, "bundle");
	need(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) == 0, "seal");
	return fd;
}

static long bpf(int cmd, union bpf_attr *attr)
{
	return syscall(__NR_bpf, cmd, attr, sizeof(*attr));
}

static int make_map(uint32_t key, uint32_t value)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_HASH, .key_size = key,
				.value_size = value, .max_entries = 64,
				.map_flags = BPF_F_NO_PREALLOC };
	int fd = (int)bpf(BPF_MAP_CREATE, &attr);

	need(fd >= 0, "map");
	return fd;
}

static void put_addr(int fd, uint32_t i, const char *name)
{
	struct osh_addr_key key = { ID, i };
	struct osh_addr value = { .by = { { 999, GENERATION }, { 999, GENERATION } } };
	union bpf_attr attr = { .map_fd = (uint32_t)fd, .key = (uintptr_t)&key,
				.value = (uintptr_t)&value };

	strcpy(value.name, name);
	need(bpf(BPF_MAP_UPDATE_ELEM, &attr) == 0, "map update");
}

static int make_addrs(void)
{
	static const char *const names[] = { "a.test", "b.test", "many.test", "pin.test", "priv.test" };
	int fd = make_map(sizeof(struct osh_addr_key), sizeof(struct osh_addr));

	for (uint32_t i = 0; i < ARRAY_SIZE(names); i++)
		put_addr(fd, i + 1, names[i]);
	put_addr(fd, 21, "other.test");
	put_addr(fd, 22, "x.y.wild.test");
	for (uint32_t i = 30; i < 60; i++) {
		char name[16];

		snprintf(name, sizeof(name), "w%u.wild.test", i);
		put_addr(fd, i, name);
	}
	return fd;
}

static void print(const struct osh_msg_record *m)
{
	char addr[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, m->e.ev.addr_be, addr, sizeof(addr));
	printf("%s %s %s %s %u rule=%u ident=%u aux=%u id=%u\n", m->e.ev.verdict ? "allow" : "deny",
	       reason_id(m->e.ev.why), *m->e.name ? m->e.name : "-", addr, m->e.ev.port,
	       m->e.ev.rule, m->e.ev.ident, m->e.ev.aux, m->e.ev.id);
	fflush(stdout);
}

static void serve(int audit, int pidfd, pid_t init)
{
	int paused = 0;

	for (;;) {
		struct pollfd p[3] = { { paused ? -1 : audit, POLLIN, 0 }, { 0, POLLIN, 0 },
				       { pidfd, POLLIN, 0 } };
		struct osh_msg_record m;
		char c = 'q';

		need(poll(p, 3, -1) > 0, "poll");
		if (p[0].revents && recv(audit, &m, sizeof(m), 0) == sizeof(m)) {
			print(&m);
			continue;
		}
		if (p[2].revents) {
			printf("gone\n");
			return;
		}
		if (!p[1].revents)
			continue;
		if (read(0, &c, 1) < 1)
			c = 'q';
		if (c == 'p' || c == 'c')
			paused = c == 'p';
		if (c == 'x')
			shutdown(audit, SHUT_RDWR);
		if (c == 'q')
			kill(init, SIGKILL);
	}
}

int main(int argc, char **argv)
{
	struct osh_msg_egress m = { .id = ID, .generation = GENERATION, .uid = OSH_UID_EGRESS + 4000,
				    .gid = OSH_UID_EGRESS + 4000 };
	struct err e = { 0 };
	int fds[OSH_EFD_MAX], pair[2], pidfd;
	pid_t pid, init;

	if (argc != 7)
		return 2;
	port = (uint32_t)atoi(argv[5]);
	m.net6[0] = htonl(0xfd005a00);
	m.net6[1] = htonl(0x00010000);
	init = fork();
	if (!init)
		for (;;)
			pause();
	need(chan_pair(pair) == 0, "pair");
	launch_egress_program(open(argv[1], O_PATH | O_CLOEXEC));
	fds[OSH_EFD_BUNDLE] = make_bundle();
	fds[OSH_EFD_LISTENER] = atoi(argv[6]);
	fds[OSH_EFD_AUDIT] = pair[0];
	fds[OSH_EFD_PIDFD] = pidfd_open(init, 0);
	fds[OSH_EFD_ADDRS] = make_addrs();
	fds[OSH_EFD_IDENTS] = make_map(sizeof(struct osh_ident_key), sizeof(struct osh_ident));
	fds[OSH_EFD_CGROUP] = open(argv[2], O_DIRECTORY | O_CLOEXEC);
	fds[OSH_EFD_HOSTS] = open(argv[3], O_RDONLY | O_CLOEXEC);
	fds[OSH_EFD_RESOLV] = open(argv[4], O_RDONLY | O_CLOEXEC);
	for (int i = OSH_EFD_CREDS; i < OSH_EFD_CGROUP; i++)
		fds[i] = memfd_create("empty", MFD_CLOEXEC);
	if (launch_egress(&m, fds, NULL, &pid, &pidfd, &e) < 0) {
		fprintf(stderr, "egress_rig: %s\n", e.text);
		kill(init, SIGKILL);
		return 1;
	}
	close(pair[0]);
	printf("pid %d\n", pid);
	fflush(stdout);
	serve(pair[1], pidfd, init);
	kill(init, SIGKILL);
	waitpid(init, NULL, 0);
	return waitpid(pid, &pidfd, 0) == pid && WIFEXITED(pidfd) ? WEXITSTATUS(pidfd) : 99;
}
