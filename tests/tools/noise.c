/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much noise as the machine makes: `noise ID LOUD ALLOWS DISTINCT EACH REPEATS`. LOUD processes at once each ALLOWS times
 * connect to noise.example port 443 and ask for question.example, both of which are allowed, and in between ask DISTINCT denied
 * things of their own, each EACH times, and REPEATS times one that is the same for all. Begins when a byte comes on stdin,
 * says `done` when all were asked, and ends with stdin. What is denied is a function of ID, LOUD and DISTINCT: 10.ID.PROCESS.1,
 * port 1000 and on; the same for all is 10.ID.255.1 port 7.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "err.h"
#include "own.h"

struct plan {
	unsigned id, loud;
	unsigned allows, distinct, each, repeats;
};

/* Exits where the kernel says anything else than `want`: then the counts would say nothing. */
static void ask(uint32_t address, unsigned port, int want)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(address) };
	_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0 || errno != want) {
		fprintf(stderr, "%08x port %u: %s\n", address, port, strerror(errno));
		_exit(1);
	}
}

/* Nobody waits for the answer; it is in the record whether it is read or not. */
static void question(int resolver)
{
	static const char q[] = "\0\1\1\0\0\1\0\0\0\0\0\0\10question\7example\0\0\1\0";	/* and the literal's NUL: class 256 */
	char text[sizeof(q)];

	memcpy(text, q, sizeof(q));
	text[sizeof(q) - 2] = 0;
	text[sizeof(q) - 1] = 1;
	if (send(resolver, text, sizeof(text), 0) != (ssize_t)sizeof(text)) {
		fprintf(stderr, "a question: %s\n", strerror(errno));
		_exit(1);
	}
	while (recv(resolver, text, sizeof(text), MSG_DONTWAIT) > 0)
		;
}

static int open_resolver(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&in, sizeof(in)) < 0)
		_exit(1);
	return fd;
}

static uint32_t find(const char *name)
{
	const struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	uint32_t a;

	if (getaddrinfo(name, NULL, &hints, &found))
		_exit(1);
	a = ntohl(((struct sockaddr_in *)(void *)found->ai_addr)->sin_addr.s_addr);
	freeaddrinfo(found);
	return a;
}

/* `i` of `n` steps are over: how many of `of` are due? Spread over all of the noise. */
static unsigned due(unsigned i, unsigned n, unsigned of)
{
	return (unsigned)((uint64_t)(i + 1) * of / n);
}

static int make_noise(const struct plan *p, unsigned process)
{
	const uint32_t here = 10u << 24 | p->id << 16, listed = find("noise.example");
	const int resolver = open_resolver();
	unsigned distinct = 0, repeats = 0;

	for (unsigned i = 0; i < p->allows; i++) {
		ask(listed, 443, EINPROGRESS);
		question(resolver);
		for (; distinct < due(i, p->allows, p->distinct * p->each); distinct++)
			ask(here | process << 8 | 1, 1000 + distinct % p->distinct, EACCES);
		for (; repeats < due(i, p->allows, p->repeats); repeats++)
			ask(here | 255u << 8 | 1, 7, EACCES);
	}
	return 0;
}

static unsigned number(char **argv, int i)
{
	return (unsigned)strtoul(argv[i], NULL, 10);
}

int main(int argc, char **argv)
{
	int status, bad = 0;
	struct plan p;
	char c;

	if (argc != 7)
		return 2;
	p = (struct plan){ number(argv, 1), number(argv, 2), number(argv, 3), number(argv, 4), number(argv, 5), number(argv, 6) };
	puts("ready");
	fflush(stdout);
	if (!p.allows || read(0, &c, 1) != 1)
		return 2;
	for (unsigned i = 0; i < p.loud; i++)
		if (fork() == 0)
			_exit(make_noise(&p, i));
	while (wait(&status) > 0)
		bad |= status;
	puts(bad ? "bad" : "done");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return bad ? 1 : 0;
}
