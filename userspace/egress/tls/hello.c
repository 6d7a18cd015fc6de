/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/hello.h"

#include <stdint.h>

#define RECORD_HANDSHAKE 22
#define CLIENT_HELLO 1
#define EXT_SERVER_NAME 0
#define EXT_ECH 0xfe0d
#define EXT_ESNI 0xffce			/* its forerunner */
#define RANDOM 32
#define SESSION_ID 32

/* A cursor that latches: after a take beyond the end everything is empty and bad. */
struct cursor {
	const uint8_t *p, *end;
	bool bad;
};

static struct cursor over(struct slice s)
{
	const uint8_t *p = (const uint8_t *)s.p;

	return (struct cursor){ p, s.n ? p + s.n : p, false };
}

static struct slice take(struct cursor *c, size_t n)
{
	struct slice s = { (const char *)c->p, n };

	if (c->bad || n > (size_t)(c->end - c->p)) {
		c->bad = true;
		return (struct slice){ "", 0 };
	}
	c->p += n;
	return s;
}

static uint32_t number(struct cursor *c, size_t bytes)
{
	struct slice s = take(c, bytes);
	uint32_t v = 0;

	for (size_t i = 0; i < s.n; i++)
		v = v << 8 | (uint8_t)s.p[i];
	return v;
}

/* A vector: its length in `bytes`, then as much. */
static struct slice vector(struct cursor *c, size_t bytes)
{
	return take(c, number(c, bytes));
}

static bool whole(const struct cursor *c)
{
	return !c->bad && c->p == c->end;
}

static bool name_byte(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
	       ch == '-' || ch == '.' || ch == '_' || ch == ':';
}

bool hello_name(struct slice ext, struct slice *ret)
{
	struct cursor c = over(ext), list;
	struct slice name;
	uint32_t type;

	list = over(vector(&c, 2));
	type = number(&list, 1);
	name = vector(&list, 2);
	if (!whole(&c) || !whole(&list) || type || !name.n || name.n > HELLO_NAME)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (!name_byte(name.p[i]))
			return false;
	*ret = name;
	return true;
}

static bool read_extensions(struct slice in, struct hello_found *ret)
{
	struct cursor c = over(in);
	bool named = false;

	while (!c.bad && c.p < c.end) {
		uint32_t type = number(&c, 2);
		struct slice body = vector(&c, 2);

		if (c.bad)
			return false;
		if (type == EXT_ECH || type == EXT_ESNI)
			ret->ech = true;
		if (type != EXT_SERVER_NAME)
			continue;
		if (named || !hello_name(body, &ret->sni))
			return false;
		named = true;
	}
	return !c.bad;
}

static bool read_client_hello(struct slice in, struct hello_found *ret)
{
	struct cursor c = over(in), ext;
	uint32_t version = number(&c, 2);
	struct slice id, ciphers, packing;

	(void)take(&c, RANDOM);
	id = vector(&c, 1);
	ciphers = vector(&c, 2);
	packing = vector(&c, 1);
	if (c.bad || version >> 8 != 3 || id.n > SESSION_ID || ciphers.n < 2 || ciphers.n % 2 ||
	    !packing.n)
		return false;
	if (whole(&c))
		return true;		/* before extensions there were none */
	ext = over(vector(&c, 2));
	return whole(&c) &&
	       read_extensions((struct slice){ (const char *)ext.p, (size_t)(ext.end - ext.p) }, ret);
}

enum hello hello_read(struct slice in, struct hello_found *ret)
{
	struct cursor c = over(in), body;
	uint32_t type, major, len;

	*ret = (struct hello_found){ 0 };
	if (!in.n)
		return HELLO_MORE;
	if (in.p[0] != RECORD_HANDSHAKE)
		return HELLO_PLAIN;
	type = number(&c, 1);
	major = number(&c, 2) >> 8;
	len = number(&c, 2);
	/* What can be told early is: nobody has to send sixteen thousand bytes to be refused. */
	if ((in.n > 1 && (uint8_t)in.p[1] != 3) ||
	    (in.n > 5 && (uint8_t)in.p[5] != CLIENT_HELLO))
		return HELLO_BAD;
	if (c.bad)
		return HELLO_MORE;
	if (major != 3 || type != RECORD_HANDSHAKE || len < 4 || len > HELLO_BYTES - 5)
		return HELLO_BAD;
	body = over(take(&c, len));
	if (c.bad)
		return HELLO_MORE;
	if (number(&body, 1) != CLIENT_HELLO ||
	    number(&body, 3) != len - 4 ||
	    !read_client_hello((struct slice){ (const char *)body.p, len - 4 }, ret)) {
		*ret = (struct hello_found){ 0 };
		return HELLO_BAD;
	}
	return HELLO_TLS;
}
