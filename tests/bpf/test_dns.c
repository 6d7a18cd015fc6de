/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The in-kernel DNS against an oracle written here: every answer byte by byte, what must be dropped,
 * mutated packets, wildcard budgets under a race, reloads, and the events of it all.
 */
#include "dnsrig.h"
#include "own.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cmocka.h>

#define DENIED 3			/* NXDOMAIN */
#define BLOCKED 15			/* RFC 8914 */
#define TYPE_A 1
#define TYPE_AAAA 28
#define PACKET 1500

static struct rig rig;
static char longest[254], too_deep[254];

struct packet {
	uint8_t b[PACKET];
	size_t n;
};

static void put(struct packet *p, const void *data, size_t n)
{
	assert_true(p->n + n <= PACKET);
	memcpy(p->b + p->n, data, n);
	p->n += n;
}

static void put16(struct packet *p, unsigned v)
{
	uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	put(p, b, 2);
}

static void put_name(struct packet *p, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, ".");
		uint8_t len = (uint8_t)n;

		put(p, &len, 1);
		put(p, text, n);
		text += n + (text[n] == '.');
	}
	put(p, "", 1);
}

struct question {
	const char *name;
	unsigned type, class;
	bool edns, dnssec_ok;
};

static struct packet query(const struct question *q, unsigned id)
{
	struct packet p = { .n = 0 };

	put16(&p, id);
	put16(&p, 0x0110);		/* RD, CD */
	put16(&p, 1);
	put16(&p, 0);
	put16(&p, 0);
	put16(&p, q->edns);
	put_name(&p, q->name);
	put16(&p, q->type);
	put16(&p, q->class ? q->class : 1);
	if (q->edns)
		put(&p, (uint8_t[]){ 0, 0, 41, 0x10, 0, 0, 0, q->dnssec_ok ? 0x80 : 0, 0, 0, 4, 0, 3, 0, 0 }, 15);
	return p;
}

/* The whole answer that `q` must get. addr 0: none. */
static struct packet answer(const struct question *q, unsigned id, unsigned rcode, uint32_t addr,
			    const char *why)
{
	struct packet p = { .n = 0 };
	uint32_t a4 = htonl(OSH_NET4 + addr), last = htonl(addr);

	put16(&p, id);
	put16(&p, 0x8590 | rcode);	/* QR, AA, RD, RA, CD */
	put16(&p, 1);
	put16(&p, addr != 0);
	put16(&p, 0);
	put16(&p, q->edns);
	put_name(&p, q->name);
	put16(&p, q->type);
	put16(&p, q->class ? q->class : 1);
	if (addr) {
		put(&p, (uint8_t[]){ 0xc0, 12, 0, (uint8_t)q->type, 0, 1, 0, 0, 0, 60, 0 }, 11);
		put(&p, q->type == TYPE_A ? "\x04" : "\x10", 1);
		if (q->type == TYPE_AAAA)
			put(&p, rig.net6, 12);
		put(&p, q->type == TYPE_A ? &a4 : &last, 4);
	}
	if (q->edns) {
		put(&p, (uint8_t[]){ 0, 0, 41, 0x04, 0xd0, 0, 0, q->dnssec_ok ? 0x80 : 0, 0 }, 9);
		put16(&p, why ? 6 + (unsigned)strlen(why) : 0);
		if (why) {
			put16(&p, 15);
			put16(&p, 2 + (unsigned)strlen(why));
			put16(&p, BLOCKED);
			put(&p, why, strlen(why));
		}
	}
	return p;
}

static int client(int family)
{
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(53),
				    .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(53),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (family == AF_INET ? connect(fd, (void *)&to, sizeof(to)) : connect(fd, (void *)&to6, sizeof(to6)))
		return -1;
	return fd;
}

/* Sends and gives the answer; n = 0: none came in time. */
static struct packet exchange(int fd, const struct packet *p, int wait_ms)
{
	struct pollfd w = { .fd = fd, .events = POLLIN };
	struct packet in = { .n = 0 };
	ssize_t n;

	if (send(fd, p->b, p->n, 0) != (ssize_t)p->n)
		return in;
	if (poll(&w, 1, wait_ms) == 1) {
		n = recv(fd, in.b, sizeof(in.b), 0);
		in.n = n > 0 ? (size_t)n : 0;
	}
	return in;
}

static void check_same(const struct packet *got, const struct packet *want, const char *name)
{
	if (got->n != want->n)
		print_message("# %s: %zu bytes, want %zu\n", name, got->n, want->n);
	assert_int_equal(got->n, want->n);
	assert_memory_equal(got->b, want->b, want->n);
}

#define WHY_UNKNOWN "name is not in the policy"
#define WHY_BUDGET "wildcard name budget is used up"
#define WHY_BAD "malformed DNS question"
#define WHY_TYPE "record type is not served; only A and AAAA"

static void check(const struct question *q, unsigned rcode, uint32_t addr, const char *why)
{
	static unsigned id = 0x1234;
	const int families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		_close_ int fd = client(families[i]);
		struct packet out = query(q, ++id & 0xffff), in = exchange(fd, &out, 2000);
		struct packet want = answer(q, id & 0xffff, rcode, addr, why);

		check_same(&in, &want, q->name);
	}
}

static void set_up_names(void)
{
	memset(longest, 'a', 253);
	longest[63] = longest[127] = longest[191] = '.';
	memset(too_deep, 'b', 253);
	for (int i = 1; i < 253; i += 2)
		too_deep[i] = '.';
	rig_name(&rig, "api.example.com", 1, 1);
	rig_name(&rig, "_srv._tcp.x-1.example.org", 2, 1);
	rig_name(&rig, longest, 3, 1);
	rig_name(&rig, too_deep, 4, 1);
	rig_name(&rig, "old.example.com", 5, 7);
	rig_suffix(&rig, ".one.test", 6, 0, 1);
	rig_suffix(&rig, ".deep.test", 7, 7, 1);
	rig_suffix(&rig, ".only.deep.test", 0, 8, 1);
	rig_suffix(&rig, ".past.test", 9, 9, 2);
}

static int setup(void **state)
{
	struct err e = { 0 };

	(void)state;
	if (rig_load(&rig) || rig_netns(&rig, &e)) {
		print_message("# %s\n", e.text);
		return -1;
	}
	return rig_publish(&rig, 1, 8);
}

static int fresh(void **state)
{
	const char *maps[] = { "names", "addrs", "suffixes", "denials" };
	char key[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		while (!bpf_map_get_next_key(rig_map(&rig, maps[i]), NULL, key))
			bpf_map_delete_elem(rig_map(&rig, maps[i]), key);
	rig.next = 1;
	if (rig_publish(&rig, 1, 8))
		return -1;
	set_up_names();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_done(&rig);
	return 0;
}

static void exact_names(void **state)
{
	const struct { struct question q; uint32_t addr; } rows[] = {
		{ { "api.example.com", TYPE_A, 0, 0, 0 }, 1 },
		{ { "api.example.com", TYPE_AAAA, 0, 0, 0 }, 1 },
		{ { "api.example.com", TYPE_A, 0, true, false }, 1 },
		{ { "API.eXample.COM", TYPE_AAAA, 0, true, true }, 1 },
		{ { "_srv._tcp.x-1.example.org", TYPE_A, 0, 0, 0 }, 2 },
		{ { longest, TYPE_A, 0, true, 0 }, 3 },
		{ { too_deep, TYPE_AAAA, 0, true, 0 }, 4 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check(&rows[i].q, 0, rows[i].addr, NULL);
}

static void other_types_are_nodata(void **state)
{
	const unsigned types[] = { 2, 5, 6, 12, 15, 16, 33, 64, 65, 255, 10, 65535, 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		check(&(struct question){ "api.example.com", types[i], 0, 0, 0 }, 0, 0, NULL);
		check(&(struct question){ "api.example.com", types[i], 0, true, 0 }, 0, 0, WHY_TYPE);
	}
	check(&(struct question){ "api.example.com", TYPE_A, 3, 0, 0 }, 0, 0, NULL);
}

static void everything_else_is_denied(void **state)
{
	const struct { const char *name, *why; } rows[] = {
		{ "example.com", WHY_UNKNOWN },
		{ "x.api.example.com", WHY_UNKNOWN },
		{ "pi.example.com", WHY_UNKNOWN },
		{ "api.example.com.evil.test", WHY_UNKNOWN },
		{ "old.example.com", WHY_UNKNOWN },	/* another generation's */
		{ "one.test", WHY_UNKNOWN },
		{ "a.b.one.test", WHY_UNKNOWN },
		{ "xone.test", WHY_UNKNOWN },
		{ "a.only.deep.test", WHY_UNKNOWN },	/* the longest suffix decides */
		{ "a.past.test", WHY_UNKNOWN },
		{ "1.0.0.127.in-addr.arpa", WHY_UNKNOWN },
		{ "", WHY_UNKNOWN },
		{ "api?.example.com", WHY_BAD },
		{ "*.one.test", WHY_BAD },
		{ "a\xc3\xa4.one.test", WHY_BAD },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		check(&(struct question){ rows[i].name, TYPE_A, 0, 0, 0 }, DENIED, 0, NULL);
		check(&(struct question){ rows[i].name, TYPE_AAAA, 0, true, true }, DENIED, 0, rows[i].why);
		check(&(struct question){ rows[i].name, 16, 0, true, 0 }, DENIED, 0, rows[i].why);
	}
}

static void label_with_a_dot_inside(void **state)
{
	/* the label "api.example" + "com" reads as a listed name when written as text */
	struct packet p = { .n = 0 };
	_close_ int fd = client(AF_INET);

	(void)state;
	put(&p, "\0\1\1\0\0\1\0\0\0\0\0\0\x0b" "api.example\3com\0\0\1\0\1", 33);
	p = exchange(fd, &p, 2000);
	assert_int_equal(p.n, 33);
	assert_int_equal(p.b[3] & 15, DENIED);
}

static void malformed_is_dropped(void **state)
{
	static const struct { const char *what; size_t at; uint8_t value; int grow; } rows[] = {
		{ "answer bit", 2, 0x81, 0 },	  { "opcode", 2, 0x29, 0 },
		{ "no question", 5, 0, 0 },	  { "two questions", 5, 2, 0 },
		{ "answers", 7, 1, 0 },		  { "authority", 9, 1, 0 },
		{ "additional missing", 11, 1, 0 }, { "label past the end", 12, 63, 0 },
		{ "compression", 12, 0xc0, 0 },	  { "label type", 12, 0x40, 0 },
		{ "trailing byte", 0, 0, 1 },	  { "trailing bytes", 0, 0, 40 },
		{ "trailing much", 0, 0, 1200 },  { "cut class", 0, 0, -1 },
		{ "cut type", 0, 0, -3 },	  { "cut name", 0, 0, -6 },
		{ "header alone", 0, 0, -21 },	  { "half a header", 0, 0, -27 },
	};
	struct question q = { "api.example.com", TYPE_A, 0, 0, 0 };
	_close_ int fd = client(AF_INET);
	_close_ int fd6 = client(AF_INET6);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct packet p = query(&q, 7);

		if (rows[i].at)
			p.b[rows[i].at] = rows[i].value;
		p.n = (size_t)((int)p.n + rows[i].grow);
		if (exchange(fd, &p, 30).n || exchange(fd6, &p, 30).n)
			fail_msg("answered: %s", rows[i].what);
	}
}

static void bad_edns_is_dropped(void **state)
{
	static const struct { size_t back; uint8_t value; } rows[] = {
		{ 15, 1 }, { 13, 40 }, { 5, 5 }, { 5, 3 }, { 6, 1 },
	};
	struct question q = { "api.example.com", TYPE_A, 0, true, 0 };
	_close_ int fd = client(AF_INET);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct packet p = query(&q, 7);

		p.b[p.n - rows[i].back] = rows[i].value;
		if (exchange(fd, &p, 30).n)
			fail_msg("answered row %zu", i);
	}
}

static void name_too_long_is_dropped(void **state)
{
	struct packet p = { .n = 0 };
	_close_ int fd = client(AF_INET);
	char label[64] = { 63 };

	(void)state;
	memset(label + 1, 'a', 63);
	put(&p, "\0\1\1\0\0\1\0\0\0\0\0\0", 12);
	for (int i = 0; i < 4; i++)
		put(&p, label, 64);		/* 257 bytes on the wire, one over 255 */
	put(&p, "\0\0\1\0\1", 5);
	assert_int_equal(exchange(fd, &p, 30).n, 0);
}

static void ip_options_are_dropped(void **state)
{
	struct packet p = query(&(struct question){ "api.example.com", TYPE_A, 0, 0, 0 }, 9);
	_close_ int fd = client(AF_INET);

	(void)state;
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, "\1\1\1\0", 4), 0);
	assert_int_equal(exchange(fd, &p, 30).n, 0);
}

static void extension_headers_are_dropped(void **state)
{
	struct packet p = query(&(struct question){ "api.example.com", TYPE_A, 0, 0, 0 }, 9);
	const uint8_t padding[8] = { 0, 0, 1, 4 };
	const int options[] = { IPV6_HOPOPTS, IPV6_DSTOPTS };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		_close_ int fd = client(AF_INET6);

		assert_int_equal(setsockopt(fd, IPPROTO_IPV6, options[i], padding, 8), 0);
		assert_int_equal(exchange(fd, &p, 30).n, 0);
	}
}

static void segments_are_dropped(void **state)
{
	struct packet p = query(&(struct question){ "api.example.com", TYPE_A, 0, 0, 0 }, 9);
	int size = (int)p.n;
	_close_ int fd = client(AF_INET);

	(void)state;
	put(&p, p.b, p.n);
	assert_int_equal(setsockopt(fd, IPPROTO_UDP, 103 /* UDP_SEGMENT */, &size, sizeof(size)), 0);
	assert_int_equal(exchange(fd, &p, 30).n, 0);
}

/* A whole query in a first fragment: the rest could follow it past the program. */
static void fragments_are_dropped(void **state)
{
	struct packet q = query(&(struct question){ "api.example.com", TYPE_A, 0, 0, 0 }, 9);
	struct sockaddr_in me = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in to = me;
	socklen_t n = sizeof(me);
	_close_ int raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const uint16_t flags[] = { 0, 0x2000, 0x0001 };

	(void)state;
	assert_int_equal(bind(fd, (void *)&me, n) | getsockname(fd, (void *)&me, &n), 0);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct packet p = { .n = 0 };
		struct pollfd w = { .fd = fd, .events = POLLIN };

		put(&p, (uint8_t[]){ 0x45, 0, 0, 0, 0, 1 }, 6);
		put16(&p, flags[i]);
		put(&p, (uint8_t[]){ 64, IPPROTO_UDP, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1 }, 12);
		put(&p, &me.sin_port, 2);
		put16(&p, 53);
		put16(&p, 8 + (unsigned)q.n);
		put16(&p, 0);
		put(&p, q.b, q.n);
		assert_int_equal(sendto(raw, p.b, p.n, 0, (void *)&to, sizeof(to)), p.n);
		assert_int_equal(poll(&w, 1, flags[i] ? 30 : 2000), !flags[i]);
		(void)recv(fd, p.b, sizeof(p.b), MSG_DONTWAIT);
	}
}

static void a_query_in_pages_is_answered(void **state)
{
	struct question q = { longest, TYPE_AAAA, 0, true, 0 };
	struct packet out = query(&q, 77), in = { .n = 0 }, want = answer(&q, 77, 0, 3, NULL);
	struct pollfd w;
	int pipes[2];

	(void)state;
	_close_ int fd = client(AF_INET6);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(write(pipes[1], out.b, out.n), out.n);
	assert_int_equal(splice(pipes[0], NULL, fd, NULL, out.n, 0), out.n);
	w = (struct pollfd){ .fd = fd, .events = POLLIN };
	assert_int_equal(poll(&w, 1, 60000), 1);
	in.n = (size_t)recv(fd, in.b, sizeof(in.b), 0);
	check_same(&in, &want, "spliced");
	close(pipes[0]);
	close(pipes[1]);
}

/* A reply must repeat id and question, and hold exactly what its counts say. */
static bool consistent(const struct packet *out, const struct packet *in)
{
	size_t end = 12;

	if (in->n < 17 || memcmp(in->b, out->b, 2) || !(in->b[2] & 0x80) || in->b[5] != 1)
		return false;
	while (end < in->n && in->b[end])
		end += 1u + in->b[end];
	end += 5;
	if (end > in->n || end > out->n || memcmp(in->b + 12, out->b + 12, end - 12))
		return false;
	if (in->b[7]) {
		if (in->b[3] & 15 || end + 12 > in->n)
			return false;
		end += 12u + in->b[end + 11];
	}
	if (in->b[11])
		end += 11u + (end + 11 <= in->n ? in->b[end + 10] : 0);
	return end == in->n && ((in->b[3] & 15) == 0 || ((in->b[3] & 15) == DENIED && !in->b[7]));
}

static void mutated_packets(void **state)
{
	struct packet *sent = calloc(65536, sizeof(*sent)), in;
	const char *names[] = { "api.example.com", "a.deep.test", "nowhere.test", longest };
	unsigned replies = 0, bad = 0;
	_close_ int fd = client(AF_INET);
	_close_ int fd6 = client(AF_INET6);

	(void)state;
	srandom(20);
	for (unsigned id = 0; id < 10000; id++) {
		struct question q = { names[random() % 4], random() % 3 ? TYPE_A : TYPE_AAAA, 0,
				      random() & 1, random() & 1 };
		struct packet *p = &sent[id];
		int use = id & 1 ? fd6 : fd;
		ssize_t n;

		*p = query(&q, id);
		for (long k = random() % 4; k > 0; k--)
			p->b[2 + random() % (long)(p->n - 2)] ^= (uint8_t)(1u << random() % 8);
		if (random() % 8 == 0)
			p->n = (size_t)random() % (p->n + 1);
		if (random() % 8 == 0)
			p->n += (size_t)random() % 64;
		if (send(use, p->b, p->n, 0) < 0)
			continue;
		while ((n = recv(use, in.b, sizeof(in.b), MSG_DONTWAIT)) > 0) {
			in.n = (size_t)n;
			replies++;
			bad += !consistent(&sent[in.b[0] << 8 | in.b[1]], &in);
		}
	}
	free(sent);
	print_message("# 10000 mutated packets, %u replies\n", replies);
	assert_int_equal(bad, 0);
	assert_true(replies > 1000 && replies < 9900);
	check(&(struct question){ "api.example.com", TYPE_A, 0, 0, 0 }, 0, 1, NULL);
}

static void wildcards_within_the_budget(void **state)
{
	char name[64];

	(void)state;
	check(&(struct question){ "a.one.test", TYPE_A, 0, 0, 0 }, 0, OSH_ADDR_EXACT, NULL);
	check(&(struct question){ "A.one.TEST", TYPE_AAAA, 0, true, 0 }, 0, OSH_ADDR_EXACT, NULL);
	check(&(struct question){ "a.b.c.deep.test", TYPE_A, 0, 0, 0 }, 0, OSH_ADDR_EXACT + 1, NULL);
	check(&(struct question){ "b.a.only.deep.test", 16, 0, 0, 0 }, 0, 0, NULL);
	for (int i = 3; i < 8; i++) {
		snprintf(name, sizeof(name), "n%d.deep.test", i);
		check(&(struct question){ name, TYPE_A, 0, 0, 0 }, 0, OSH_ADDR_EXACT + (uint32_t)i, NULL);
	}
	check(&(struct question){ "n8.deep.test", TYPE_A, 0, 0, 0 }, DENIED, 0, NULL);
	check(&(struct question){ "n8.deep.test", TYPE_AAAA, 0, true, 0 }, DENIED, 0, WHY_BUDGET);
	check(&(struct question){ "n7.deep.test", TYPE_A, 0, 0, 0 }, 0, OSH_ADDR_EXACT + 7, NULL);
	assert_int_equal(rig_sandbox(&rig).wild_used, 8);
}

static void reload_keeps_addresses(void **state)
{
	struct osh_sandbox sb;
	struct osh_addr_key ak = { RIG_ID, OSH_ADDR_EXACT };
	struct osh_addr a;

	(void)state;
	check(&(struct question){ "a.one.test", TYPE_A, 0, 0, 0 }, 0, OSH_ADDR_EXACT, NULL);
	check(&(struct question){ "a.deep.test", TYPE_A, 0, 0, 0 }, 0, OSH_ADDR_EXACT + 1, NULL);
	/* fill generation 2 as the loader does, not yet in force */
	rig_name(&rig, "new.example.com", 1, 2);
	rig_name(&rig, "api.example.com", 2, 2);
	rig_suffix(&rig, ".one.test", 4, 0, 2);
	rig_suffix(&rig, ".example.org", 5, 5, 2);
	check(&(struct question){ "api.example.com", TYPE_A, 0, 0, 0 }, 0, 1, NULL);
	check(&(struct question){ "new.example.com", TYPE_A, 0, 0, 0 }, DENIED, 0, NULL);
	sb = rig_sandbox(&rig);
	sb.generation = 2;
	rig_set_sandbox(&rig, &sb);
	check(&(struct question){ "api.example.com", TYPE_A, 0, 0, 0 }, 0, 1, NULL);
	check(&(struct question){ "new.example.com", TYPE_A, 0, 0, 0 }, 0, 6, NULL);
	check(&(struct question){ "a.one.test", TYPE_A, 0, 0, 0 }, 0, OSH_ADDR_EXACT, NULL);
	check(&(struct question){ "a.deep.test", TYPE_A, 0, 0, 0 }, DENIED, 0, NULL);
	/* formerly exact, now under a wildcard: its own address, no budget */
	check(&(struct question){ "_srv._tcp.x-1.example.org", TYPE_A, 0, 0, 0 }, 0, 2, NULL);
	check(&(struct question){ "b.one.test", TYPE_A, 0, 0, 0 }, 0, OSH_ADDR_EXACT + 2, NULL);
	assert_int_equal(bpf_map_lookup_elem(rig_map(&rig, "addrs"), &ak, &a), 0);
	assert_int_equal(a.by[0].host, 4);
	assert_int_equal(a.by[0].generation, 2);
	assert_string_equal(a.name, "a.one.test");
}

#define RACERS 8
#define RACE_NAMES 60

/* Each child asks for its names and notes the index that it was told, 0 for a denial. */
static void race(uint32_t (*seen)[RACE_NAMES], bool same)
{
	pid_t pid[RACERS];

	for (int c = 0; c < RACERS; c++) {
		pid[c] = fork();
		if (pid[c])
			continue;
		int fd = client(AF_INET);

		for (int i = 0; i < RACE_NAMES; i++) {
			int k = same && c & 1 ? RACE_NAMES - 1 - i : i;
			char name[64];
			struct question q = { name, TYPE_A, 0, 0, 0 };
			struct packet out, in = { .n = 0 };
			uint32_t a;

			snprintf(name, sizeof(name), "n%d-%d.one.test", same ? 0 : c, k);
			out = query(&q, (unsigned)k);
			for (int t = 0; t < 3 && !in.n; t++)
				in = exchange(fd, &out, 1000);
			memcpy(&a, in.b + in.n - 4, 4);
			seen[c][k] = in.n && in.b[7] ? ntohl(a) - OSH_NET4 : in.n ? 0 : UINT32_MAX;
		}
		_exit(0);
	}
	for (int c = 0; c < RACERS; c++)
		waitpid(pid[c], NULL, 0);
}

static void race_for_the_same_names(void **state)
{
	uint32_t(*seen)[RACE_NAMES] = mmap(NULL, RACERS * sizeof(*seen), PROT_READ | PROT_WRITE,
					   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool taken[RACE_NAMES] = { 0 };

	(void)state;
	rig_publish(&rig, 1, RACE_NAMES);
	race(seen, true);
	for (int i = 0; i < RACE_NAMES; i++) {
		uint32_t index = seen[0][i] - OSH_ADDR_EXACT;

		for (int c = 1; c < RACERS; c++)
			assert_int_equal(seen[c][i], seen[0][i]);
		assert_true(index < RACE_NAMES && !taken[index]);
		taken[index] = true;
	}
	assert_int_equal(rig_sandbox(&rig).wild_used, RACE_NAMES);
	munmap(seen, RACERS * sizeof(*seen));
}

static void race_for_the_budget(void **state)
{
	uint32_t(*seen)[RACE_NAMES] = mmap(NULL, RACERS * sizeof(*seen), PROT_READ | PROT_WRITE,
					   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool taken[100] = { 0 };
	unsigned got = 0;

	(void)state;
	rig_publish(&rig, 1, 100);
	race(seen, false);
	for (int c = 0; c < RACERS; c++)
		for (int i = 0; i < RACE_NAMES; i++) {
			uint32_t index = seen[c][i] - OSH_ADDR_EXACT;

			if (!seen[c][i])
				continue;
			assert_true(index < 100 && !taken[index]);
			taken[index] = true;
			got++;
		}
	assert_int_equal(got, 100);
	assert_int_equal(rig_sandbox(&rig).wild_used, 100);
	munmap(seen, RACERS * sizeof(*seen));
}

struct seen_events {
	unsigned n;
	struct osh_event_named last;
};

static int on_event(void *arg, void *data, size_t n)
{
	struct seen_events *s = arg;

	memset(&s->last, 0, sizeof(s->last));
	memcpy(&s->last, data, n < sizeof(s->last) ? n : sizeof(s->last));
	s->n++;
	return 0;
}

static unsigned drain(const char *ring, struct seen_events *s)
{
	struct ring_buffer *rb = ring_buffer__new(rig_map(&rig, ring), on_event, s, NULL);

	s->n = 0;
	ring_buffer__consume(rb);
	ring_buffer__free(rb);
	return s->n;
}

static void every_decision_is_an_event(void **state)
{
	struct seen_events s;

	(void)state;
	drain("ring_allow", &s);
	drain("ring_deny", &s);
	check(&(struct question){ "API.example.com", TYPE_AAAA, 0, 0, 0 }, 0, 1, NULL);
	assert_int_equal(drain("ring_allow", &s), 2);	/* over IPv4 and IPv6 */
	assert_int_equal(s.last.ev.kind, OSH_EV_DNS);
	assert_int_equal(s.last.ev.verdict, OSH_ALLOW);
	assert_int_equal(s.last.ev.why, OSH_WHY_ALLOWED);
	assert_int_equal(s.last.ev.pid, getpid());
	assert_int_equal(s.last.ev.aux, TYPE_AAAA);
	assert_int_equal(s.last.ev.host, 1);
	assert_string_equal(s.last.name, "api.example.com");
	check(&(struct question){ "evil.test", TYPE_A, 0, 0, 0 }, DENIED, 0, NULL);
	check(&(struct question){ "evil.test", TYPE_A, 0, true, 0 }, DENIED, 0, WHY_UNKNOWN);
	assert_int_equal(drain("ring_deny", &s), 1);	/* four times, one event */
	assert_int_equal(s.last.ev.why, OSH_WHY_NAME_UNKNOWN);
	assert_int_equal(s.last.ev.name_len, 9);
	assert_string_equal(s.last.name, "evil.test");
	check(&(struct question){ "api.example.com", 16, 0, 0, 0 }, 0, 0, NULL);
	assert_int_equal(drain("ring_deny", &s), 1);
	assert_int_equal(s.last.ev.why, OSH_WHY_NAME_TYPE);
}

static void a_tunnel_is_counted_exactly(void **state)
{
	_close_ int fd = client(AF_INET);
	struct osh_denial_key key, *at = NULL;
	struct osh_denial d;
	uint64_t total = 0, entries = 0;
	const unsigned flood = 5000;
	char name[64];

	(void)state;
	for (unsigned i = 0; i < flood; i++) {
		struct packet out, in;

		snprintf(name, sizeof(name), "data%u.tunnel.test", i);
		out = query(&(struct question){ name, TYPE_A, 0, 0, 0 }, i);
		in = exchange(fd, &out, 2000);
		assert_true(in.n && (in.b[3] & 15) == DENIED);
	}
	for (; !bpf_map_get_next_key(rig_map(&rig, "denials"), at, &key); at = &key, entries++)
		if (!bpf_map_lookup_elem(rig_map(&rig, "denials"), &key, &d))
			total += d.count;
	assert_int_equal(entries, OSH_DENIALS_EACH);
	assert_int_equal(total + rig_sandbox(&rig).deny_overflow, flood);
}

static void another_namespace_gets_nothing(void **state)
{
	uint32_t slot = RIG_SLOT;
	struct packet out = query(&(struct question){ "api.example.com", TYPE_A, 0, 0, 0 }, 1);
	_close_ int fd = client(AF_INET);

	(void)state;
	bpf_map_delete_elem(rig_map(&rig, "by_netns"), &rig.cookie);
	assert_int_equal(exchange(fd, &out, 50).n, 0);
	bpf_map_update_elem(rig_map(&rig, "by_netns"), &rig.cookie, &slot, BPF_ANY);
	assert_true(exchange(fd, &out, 2000).n > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(exact_names, fresh),
		cmocka_unit_test_setup(other_types_are_nodata, fresh),
		cmocka_unit_test_setup(everything_else_is_denied, fresh),
		cmocka_unit_test_setup(label_with_a_dot_inside, fresh),
		cmocka_unit_test_setup(malformed_is_dropped, fresh),
		cmocka_unit_test_setup(bad_edns_is_dropped, fresh),
		cmocka_unit_test_setup(name_too_long_is_dropped, fresh),
		cmocka_unit_test_setup(ip_options_are_dropped, fresh),
		cmocka_unit_test_setup(extension_headers_are_dropped, fresh),
		cmocka_unit_test_setup(segments_are_dropped, fresh),
		cmocka_unit_test_setup(fragments_are_dropped, fresh),
		cmocka_unit_test_setup(a_query_in_pages_is_answered, fresh),
		cmocka_unit_test_setup(mutated_packets, fresh),
		cmocka_unit_test_setup(wildcards_within_the_budget, fresh),
		cmocka_unit_test_setup(reload_keeps_addresses, fresh),
		cmocka_unit_test_setup(race_for_the_same_names, fresh),
		cmocka_unit_test_setup(race_for_the_budget, fresh),
		cmocka_unit_test_setup(every_decision_is_an_event, fresh),
		cmocka_unit_test_setup(a_tunnel_is_counted_exactly, fresh),
		cmocka_unit_test_setup(another_namespace_gets_nothing, fresh),
	};

	return cmocka_run_group_tests_name("dns", tests, setup, teardown);
}
