/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "http/h1.h"

#define ANSWER_MOST 8192

bool proxy_ask(int fd, const struct target *t)
{
	char host[OSH_NAME_MAX], text[3 * OSH_NAME_MAX];
	int n;

	target_text(t, host);
	if (strchr(host, ':')) {	/* an IPv6 address */
		n = snprintf(text, sizeof(text), "CONNECT [%s]:%u HTTP/1.1\r\nHost: [%s]:%u\r\n\r\n", host, t->port, host,
			     t->port);
	} else {
		n = snprintf(text, sizeof(text), "CONNECT %s:%u HTTP/1.1\r\nHost: %s:%u\r\n\r\n", host, t->port, host,
			     t->port);
	}
	return n > 0 && (size_t)n < sizeof(text) && send(fd, text, (size_t)n, MSG_NOSIGNAL) == n;
}

/* What follows the answer belongs to the connection, so it is looked at first and then read to its exact end. */
int proxy_answer(int fd)
{
	static char text[ANSWER_MOST];
	ssize_t n = recv(fd, text, sizeof(text), MSG_PEEK), used;
	struct h1_message m;
	struct head h = { 0 };
	const char *why;
	bool open;

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
	used = h1_read_response((struct slice){ text, (size_t)n }, "CONNECT", &h, &m, &why);
	open = used > 0 && h.status >= 200 && h.status < 300;
	head_done(&h);
	if (used == 0)
		return n < ANSWER_MOST ? 0 : -1;
	return open && recv(fd, text, (size_t)used, 0) == used ? 1 : -1;
}
