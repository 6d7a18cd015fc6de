/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What oshd gives an egress that asks for another sandbox, and what osh-init's child makes of two sockets. The egress is the
 * other end of the socket: it may lie about all that it says.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../userspace/init/serve.h"
#include "../../userspace/oshd/across.h"
#include "../../userspace/oshd/auditor.h"
#include "../../userspace/oshd/counts.h"
#include "../../userspace/oshd/egress.h"
#include "../../userspace/oshd/init.h"
#include "../../userspace/oshd/life.h"
#include "../../userspace/oshd/sandbox.h"
#include "own.h"

#include "err.h"

static int again(struct err *e, const char *text)
{
	return fail(e, EAGAIN, "%s", text);
}

#include <cmocka.h>	/* last: it defines a macro called fail */

#define PORT 8000

static const char strings[] = "\0agent*\0gpu.sandbox.local\0away.sandbox.local";
static const struct osh_b_serve serves[] = { { PORT, 1 } };
static const struct osh_b_host hosts[] = { { 26, OSH_HOST_EXACT }, { 8, OSH_HOST_EXACT } };
static const struct osh_b_route routes[] = {
	{ .host = 2, .port = PORT, .flags = OSH_ROUTE_SANDBOX | OSH_ROUTE_LOCAL | OSH_ROUTE_PLAIN },
	{ .host = 1, .port = PORT, .flags = OSH_ROUTE_SANDBOX | OSH_ROUTE_LOCAL | OSH_ROUTE_PLAIN },
};
static struct daemon d;
static struct sandbox agent, gpu;
static int theirs, killed, stream, on_record, told;
static enum osh_reason recorded;
static uint32_t kept;
static bool frozen;

void egress_kill(struct sandbox *s)
{
	assert_ptr_equal(s, &agent);
	killed++;
}

int auditor_served(const struct sandbox *s, const char *caller, uint32_t port, enum osh_reason why, struct err *e)
{
	assert_ptr_equal(s, &gpu);
	assert_string_equal(caller, "agent-1");
	assert_int_equal(port, PORT);
	recorded = why;
	e->code = on_record ? 0 : EAGAIN;
	return -e->code;
}

int init_serve(struct sandbox *s, uint32_t caller, uint32_t port, int fd, struct err *e)
{
	(void)e;
	assert_ptr_equal(s, &gpu);
	assert_int_equal(caller, agent.k.id);
	assert_int_equal(port, PORT);
	stream = dup(fd);
	return 0;
}

int init_unserve(struct sandbox *s, struct osh_msg_unserve *m, struct err *e)
{
	assert_ptr_equal(s, &gpu);
	assert_true(m->caller == agent.k.id || m->caller == gpu.k.id);
	if (frozen)
		return again(e, "it does not answer");
	kept = m->n;
	told++;
	return 0;
}

void counts_pace(struct sandbox *s)
{
	assert_ptr_equal(s, &agent);
}

struct life *life_find(const struct daemon *x, const char *name)
{
	(void)x, (void)name;
	return NULL;
}

const char *life_state_name(const struct life *l)
{
	(void)l;
	return "";
}

static int setup(void **state)
{
	int pair[2];

	(void)state;
	agent = (struct sandbox){ .d = &d, .name = "agent-1", .state = SB_RUNNING, .uid = 1000, .k = { .id = 4, .slot = 1 },
				  .bundle = { .strings = strings, .hosts = hosts, .n_hosts = 2, .routes = routes, .n_routes = 2 } };
	gpu = (struct sandbox){ .d = &d, .name = "gpu", .state = SB_RUNNING, .uid = 1000, .k = { .id = 5, .slot = 3 },
				.bundle = { .strings = strings, .serves = serves, .n_serves = 1 } };
	d.slots[1] = &agent;
	d.slots[3] = &gpu;
	if (!d.event)
		assert_true(sd_event_new(&d.event) >= 0);
	assert_int_equal(chan_pair(pair), 0);
	agent.egress.control_fd = pair[0];
	theirs = pair[1];
	killed = told = 0;
	on_record = 1;
	recorded = OSH_WHY_NONE;
	stream = -1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(agent.egress.control_fd);
	close(theirs);
	if (stream >= 0)
		close(stream);
	return 0;
}

/* The reason, or ALLOWED and the stream in *fd. */
static enum osh_reason ask(const char *name, uint32_t port, int *fd)
{
	struct osh_msg_across m = { .h = { OSH_MSG_ACROSS_ASK, sizeof(m) }, .id = 99, .port = port, .call = 7 };
	const struct osh_msg_crossed *a;
	struct chan_in in = { .n = sizeof(m) }, back;
	enum osh_reason why;

	snprintf(m.name, sizeof(m.name), "%s", name);
	memcpy(in.bytes, &m, sizeof(m));
	assert_true(across_message(&agent, &in));
	assert_int_equal(chan_recv_now(theirs, &back), 1);
	a = (const void *)back.bytes;
	assert_int_equal(a->call, 7);
	assert_int_equal(back.h.type, a->why == OSH_WHY_ALLOWED ? OSH_MSG_ACROSS_GOT : OSH_MSG_ACROSS_NOT);
	assert_int_equal(back.n_fds, a->why == OSH_WHY_ALLOWED);
	why = (enum osh_reason)a->why;
	if (back.n_fds)
		*fd = chan_take(&back, 0);
	chan_in_done(&back);
	return why;
}

static void test_both(void **state)
{
	int fd = -1, type = 0, domain = 0;
	socklen_t n = sizeof(int);
	char c = 1;

	(void)state;
	assert_int_equal(ask("gpu", PORT, &fd), OSH_WHY_ALLOWED);
	assert_int_equal(recorded, OSH_WHY_ALLOWED);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n), 0);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n), 0);
	assert_true(type == SOCK_STREAM && domain == AF_UNIX);
	assert_int_equal(recv(stream, &c, 1, MSG_DONTWAIT | MSG_PEEK), 1);	/* what stays unread */
	assert_int_equal(c, 0);
	close(fd);
}

static void test_neither(void **state)
{
	int fd = -1;

	(void)state;
	assert_int_equal(ask("gpu", PORT + 1, &fd), OSH_WHY_REVOKED);
	assert_int_equal(ask("other", PORT, &fd), OSH_WHY_REVOKED);
	assert_int_equal(ask("", PORT, &fd), OSH_WHY_REVOKED);
	assert_int_equal(ask("gpu", 0, &fd), OSH_WHY_REVOKED);
	assert_int_equal(ask("gpu", PORT + 65536, &fd), OSH_WHY_REVOKED);
	assert_int_equal(ask("away", PORT, &fd), OSH_WHY_PEER_AWAY);
	assert_int_equal(recorded, OSH_WHY_NONE);
	gpu.bundle.n_serves = 0;
	assert_int_equal(ask("gpu", PORT, &fd), OSH_WHY_PEER_CLOSED);
	assert_int_equal(recorded, OSH_WHY_PEER_CLOSED);
	gpu.bundle.n_serves = 1;
	agent.bundle.n_routes = 0;
	assert_int_equal(ask("gpu", PORT, &fd), OSH_WHY_REVOKED);
	agent.bundle.n_routes = 2;
	gpu.uid = 1001;
	assert_int_equal(ask("gpu", PORT, &fd), OSH_WHY_PEER_AWAY);
	gpu.uid = 1000;
	gpu.state = SB_PREPARING;
	assert_int_equal(ask("gpu", PORT, &fd), OSH_WHY_PEER_AWAY);
	d.slots[3] = NULL;
	assert_int_equal(ask("gpu", PORT, &fd), OSH_WHY_PEER_AWAY);
	assert_true(fd < 0 && stream < 0);
}

/* What could not be on record is not done. */
static void test_no_record(void **state)
{
	int fd = -1;

	(void)state;
	on_record = 0;
	assert_int_equal(ask("gpu", PORT, &fd), OSH_WHY_UPSTREAM);
	assert_true(fd < 0 && stream < 0);
}

static void test_flood(void **state)
{
	enum osh_reason why = OSH_WHY_ALLOWED;
	int fd = -1, n = 0;

	(void)state;
	for (; n < 1000 && why == OSH_WHY_ALLOWED; n++) {
		why = ask("gpu", PORT, &fd);
		if (why == OSH_WHY_ALLOWED) {
			close(fd);
			close(stream);
			stream = -1;
		}
	}
	assert_int_equal(why, OSH_WHY_LIMIT);
	assert_true(n < 260);
}

static void test_not_read(void **state)
{
	struct osh_msg_across m = { .h = { OSH_MSG_ACROSS_ASK, sizeof(m) }, .port = PORT, .name = "nobody" };
	struct chan_in in = { .n = sizeof(m) };

	(void)state;
	memcpy(in.bytes, &m, sizeof(m));
	for (int i = 0; i < 100000 && !killed; i++)
		assert_true(across_message(&agent, &in));
	assert_true(killed);
	m.h.size = (uint32_t)(in.n = sizeof(m) - 8);
	memcpy(in.bytes, &m, sizeof(m));
	assert_false(across_message(&agent, &in));
	m.h.size = (uint32_t)(in.n = sizeof(m));
	memset(m.name, 'a', sizeof(m.name));
	memcpy(in.bytes, &m, sizeof(m));
	assert_false(across_message(&agent, &in));
}

/* Only who let one in, or may have, hears of another policy of his. */
static void test_again(void **state)
{
	int fd = -1;

	(void)state;
	across_again(&agent);
	assert_int_equal(told, 0);
	assert_int_equal(ask("gpu", PORT, &fd), OSH_WHY_ALLOWED);
	close(fd);
	across_again(&agent);
	assert_true(told == 1 && kept == 1);
	agent.bundle.routes++;		/* that to another one is left */
	agent.bundle.n_routes = 1;
	across_again(&agent);
	assert_true(told == 2 && kept == 0);
	gpu.uid = 1001;
	across_again(&agent);
	assert_int_equal(told, 2);
}

/* A next oshd does not know who came in before it: a policy without `serve` says that nobody stays. */
static void test_adopted(void **state)
{
	(void)state;
	gpu.bundle.n_serves = 0;
	across_all(&d);
	assert_int_equal(told, 0);
	across_adopted(&gpu);
	across_all(&d);
	assert_true(told == 2 && kept == 0);		/* the agent, and itself */
}

/* An osh-init that hears nothing: whose end cannot be told is cut, and nobody else. */
static void test_frozen(void **state)
{
	(void)state;
	frozen = true;
	across_again(&agent);
	assert_false(killed);
	across_adopted(&gpu);
	gpu.across.came[0] = 1 << 1;
	across_again(&agent);
	assert_true(killed);
	frozen = false;
}

/* ---- serve.c */

static void test_places(void **state)
{
	struct served all[OSH_SERVED] = { 0 }, *s;
	int n[3] = { 0 };

	(void)state;
	for (int i = 0; i < 3 * OSH_SERVED; i++) {
		s = serve_place(all, i < OSH_SERVED ? 1 : i < 2 * OSH_SERVED ? 2 : 3);
		if (s) {
			*s = (struct served){ .pid = 1, .caller = i < OSH_SERVED ? 1 : i < 2 * OSH_SERVED ? 2 : 3 };
			n[s->caller - 1]++;
		}
	}
	assert_true(n[0] == OSH_SERVED / 2 && n[1] == OSH_SERVED / 4 && n[2] > 1);
	assert_non_null(serve_place(all, 4));
}

/* ---- serve_join.c */

struct joined {
	int mine, server;		/* what the egress has, and the server's end */
	pid_t pid;
};

static struct joined join(void)
{
	int unix_pair[2], server[2];
	struct joined j;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, unix_pair), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, server), 0);
	assert_int_equal(send(unix_pair[0], "", 1, 0), 1);
	j = (struct joined){ unix_pair[0], server[0], fork() };
	if (!j.pid) {
		close(unix_pair[0]);
		close(server[0]);
		serve_join(unix_pair[1], server[1]);
	}
	close(unix_pair[1]);
	close(server[1]);
	return j;
}

static void over(struct joined *j)
{
	close(j->mine);
	close(j->server);
	assert_int_equal(waitpid(j->pid, NULL, 0), j->pid);
}

static void test_end(void **state)
{
	struct joined j = join();
	char got[16];

	(void)state;
	assert_int_equal(send(j.mine, "question", 8, 0), 8);
	assert_int_equal(recv(j.server, got, sizeof(got), 0), 8);
	assert_memory_equal(got, "question", 8);
	assert_int_equal(send(j.server, "answer", 6, 0), 6);
	close(j.server);
	j.server = -1;
	assert_int_equal(recv(j.mine, got, 6, MSG_WAITALL), 6);
	assert_memory_equal(got, "answer", 6);
	assert_int_equal(recv(j.mine, got, sizeof(got), 0), 0);
	over(&j);
}

static void test_cut(void **state)
{
	struct joined j = join();
	char got[16];

	(void)state;
	assert_int_equal(send(j.mine, "question", 8, 0), 8);
	assert_int_equal(recv(j.server, got, sizeof(got), 0), 8);
	assert_int_equal(send(j.server, "half", 4, 0), 4);
	assert_int_equal(recv(j.mine, got, 4, MSG_WAITALL), 4);
	assert_int_equal(kill(j.pid, SIGKILL), 0);
	assert_int_equal(recv(j.mine, got, sizeof(got), 0), -1);
	assert_int_equal(errno, ECONNRESET);
	over(&j);
}

/* A port that takes nothing keeps no place for one who has gone. */
static void test_left(void **state)
{
	static char room[1 << 16];
	struct joined j = join();

	(void)state;
	while (send(j.mine, room, sizeof(room), MSG_DONTWAIT) > 0 || poll(&(struct pollfd){ .fd = j.mine, .events = POLLOUT }, 1, 300) > 0)
		;
	close(j.mine);
	assert_int_equal(waitpid(j.pid, NULL, 0), j.pid);
	close(j.server);
}

/* More than fits, both ways at once, and the other end reads late. */
static void test_much(void **state)
{
	static char room[1 << 20], back[1 << 20];
	struct joined j = join();
	pid_t echo;
	ssize_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(room); i++)
		room[i] = (char)(i * 31 >> 3);
	echo = fork();
	if (!echo) {
		static char part[3000];

		close(j.mine);
		while ((n = recv(j.server, part, sizeof(part), 0)) > 0)
			if (send(j.server, part, (size_t)n, MSG_NOSIGNAL) != n)
				break;
		_exit(0);
	}
	close(j.server);
	j.server = -1;
	if (!(n = fork())) {
		for (size_t at = 0; at < sizeof(room);)
			at += (size_t)send(j.mine, room + at, sizeof(room) - at, 0);
		_exit(0);
	}
	usleep(100000);
	assert_int_equal(recv(j.mine, back, sizeof(back), MSG_WAITALL), sizeof(back));
	assert_memory_equal(back, room, sizeof(room));
	assert_int_equal(waitpid((pid_t)n, NULL, 0), n);
	over(&j);
	assert_int_equal(waitpid(echo, NULL, 0), echo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_both, setup, teardown),
		cmocka_unit_test_setup_teardown(test_neither, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_record, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flood, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_adopted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_frozen, setup, teardown),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_left),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
