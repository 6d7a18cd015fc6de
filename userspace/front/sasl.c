/* SPDX-License-Identifier: Apache-2.0 */
#include "sasl.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "own.h"

#define LINE 512
#define LINES 16			/* then it is no client */

static int say(int fd, const char *text)
{
	return send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text) ? 0 : -EPIPE;
}

/* Byte by byte: the first message may follow at once, with descriptors. Here none are taken. */
static int read_line(int fd, char line[LINE])
{
	for (size_t n = 0; n < LINE; n++) {
		struct iovec iov = { line + n, 1 };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t r;

		do
			r = recvmsg(fd, &m, 0);
		while (r < 0 && errno == EINTR);
		if (r <= 0)
			return r ? -errno : -ECONNRESET;
		if (m.msg_flags & MSG_CTRUNC)
			return -EBADMSG;
		if (n && line[n - 1] == '\r' && line[n] == '\n') {
			line[n - 1] = '\0';
			return 0;
		}
	}
	return -E2BIG;
}

static bool is(const char *line, const char *word)
{
	size_t n = strlen(word);

	return !strncmp(line, word, n) && (!line[n] || line[n] == ' ');
}

#define ID "6f736800000000000000000000000000"	/* of the server; nobody compares it with anything */

int sasl_serve(int fd)
{
	bool known = false;
	char line[LINE], nul;
	int r = recv(fd, &nul, 1, 0) == 1 && !nul ? 0 : -EBADMSG;

	for (int i = 0; !r && i < LINES; i++) {
		bool external, data;

		r = read_line(fd, line);
		if (r < 0)
			return r;
		external = is(line, "AUTH EXTERNAL");
		data = is(line, "DATA");
		if (is(line, "BEGIN"))
			return known ? 0 : -EBADMSG;
		known |= data || (external && line[strlen("AUTH EXTERNAL")]);
		r = say(fd, external && !known ? "DATA\r\n" :
			    external || data ? "OK " ID "\r\n" :
			    is(line, "NEGOTIATE_UNIX_FD") && known ? "AGREE_UNIX_FD\r\n" :
			    is(line, "AUTH") || is(line, "CANCEL") ? "REJECTED EXTERNAL\r\n" : "ERROR\r\n");
	}
	return r ? r : -EBADMSG;
}

int sasl_ask(int fd)
{
	static const char all[] = "\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n";
	static const char *const want[] = { "DATA", "OK", "AGREE_UNIX_FD" };
	char line[LINE];
	int r = send(fd, all, sizeof(all) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(all) - 1 ? 0 : -EPIPE;

	for (size_t i = 0; !r && i < ARRAY_SIZE(want); i++) {
		r = read_line(fd, line);
		if (!r && !is(line, want[i]))
			r = -EBADMSG;
	}
	return r;
}
