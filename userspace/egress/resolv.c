/* SPDX-License-Identifier: Apache-2.0 */
#include "resolv.h"

#include <arpa/inet.h>

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool server_of(struct slice line, struct ip *ret)
{
	static const char key[] = "nameserver";
	char text[INET6_ADDRSTRLEN];
	struct in_addr four;
	size_t i = sizeof(key) - 1, n = 0;

	if (line.n <= i || memcmp(line.p, key, i) || !blank(line.p[i]))
		return false;
	while (i < line.n && blank(line.p[i]))
		i++;
	while (i + n < line.n && !blank(line.p[i + n]) && line.p[i + n] != '\r' && line.p[i + n])
		n++;
	if (!n || n >= sizeof(text))
		return false;
	memcpy(text, line.p + i, n);
	text[n] = 0;
	if (inet_pton(AF_INET, text, &four) == 1) {
		*ret = ip_from4(&four);
		return true;
	}
	return inet_pton(AF_INET6, text, ret->b) == 1;
}

int resolv_parse(struct slice text, struct ip servers[RESOLV_SERVERS])
{
	int n = 0;

	if (text.n > RESOLV_BYTES)
		text.n = RESOLV_BYTES;
	while (text.n && n < RESOLV_SERVERS) {
		const char *end = memchr(text.p, '\n', text.n);
		struct slice line = { text.p, end ? (size_t)(end - text.p) : text.n };

		n += server_of(line, &servers[n]);
		text.p += line.n + (end != NULL);
		text.n -= line.n + (end != NULL);
	}
	return n;
}
