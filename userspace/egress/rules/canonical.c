/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The path of a request target in its one spelling: what rules are matched against and what is sent on.
 * Whatever two servers could read in two ways has none. Most paths are their own canonical form and are
 * found to be in one pass.
 */
#include "parts.h"

enum {
	B_BAD,				/* may not stand in a target */
	B_ITSELF,			/* needs no escape */
	B_ESCAPED,			/* may stand there, is written as an escape */
};

/* clang-format off */
static const unsigned char kinds[256] = {
	['!'] = B_ITSELF,          ['"'] = B_ESCAPED,         ['$'] = B_ITSELF,  ['%'] = B_ESCAPED,
	['&' ... '.'] = B_ITSELF,  ['/'] = B_ESCAPED,         ['0' ... ':'] = B_ITSELF,
	[';' ... '<'] = B_ESCAPED, ['='] = B_ITSELF,          ['>' ... '?'] = B_ESCAPED,
	['@' ... 'Z'] = B_ITSELF,  ['[' ... '^'] = B_ESCAPED, ['_'] = B_ITSELF,  ['`'] = B_ESCAPED,
	['a' ... 'z'] = B_ITSELF,  ['{' ... '}'] = B_ESCAPED, ['~'] = B_ITSELF,
};
/* clang-format on */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte at s, escaped or not; how many bytes it takes. 0 = a broken escape. */
static size_t take_byte(const char *s, size_t n, unsigned char *ret)
{
	int high, low;

	*ret = (unsigned char)*s;
	if (*s != '%')
		return 1;
	high = n > 2 ? digit(s[1]) : -1;
	low = n > 2 ? digit(s[2]) : -1;
	if (high < 0 || low < 0)
		return 0;
	*ret = (unsigned char)(high * 16 + low);
	return 3;
}

/* One segment in canonical form at `to`; bytes written, or SIZE_MAX where it has none. */
static size_t write_segment(const char *s, size_t n, char *to, const char *limit)
{
	static const char hex[] = "0123456789ABCDEF";
	char *from = to;

	while (n && *s != ';') {	/* parameters are dropped */
		unsigned char c;
		size_t used = take_byte(s, n, &c);

		if (!used || c < 0x20 || c == 0x7f || limit - to < 3)
			return SIZE_MAX;
		if (kinds[c] == B_ITSELF) {
			*to++ = (char)c;
		} else {
			*to++ = '%';
			*to++ = hex[c >> 4];
			*to++ = hex[c & 15];
		}
		s += used;
		n -= used;
	}
	return (size_t)(to - from);
}

/* Number of dots, where the piece is "." or ".." to some server: escaped parameters do not count. */
static unsigned dot_piece(const char *p, size_t n)
{
	unsigned d = !n || p[0] != '.' ? 0 : n > 1 && p[1] == '.' ? 2 : 1;

	return d && (d == n || (n >= d + 3u && !memcmp(p + d, "%3B", 3))) ? d : 0;
}

/* Would reading %2F as a slash show a dot segment? */
static bool hidden_dots(const char *p, size_t n)
{
	const char *slash = memmem(p, n, "%2F", 3);

	if (!slash)
		return false;
	do {
		if (dot_piece(p, (size_t)(slash - p)))
			return true;
		n -= (size_t)(slash + 3 - p);
		p = slash + 3;
		slash = memmem(p, n, "%2F", 3);
	} while (slash);
	return dot_piece(p, n);
}

/* The segments of a path one after the other; `n` bytes of path start with '/'. */
static bool rewrite(const char *path, size_t n, char *out)
{
	const char *limit = out + PATH_BYTES + 2;	/* the last escape may end at PATH_BYTES */
	size_t len = 1;

	*out = '/';
	for (size_t i = 1; i <= n;) {
		const char *slash = memchr(path + i, '/', n - i);
		size_t end = slash ? (size_t)(slash - path) : n;
		size_t wrote = write_segment(path + i, end - i, out + len, limit);
		unsigned d = wrote == SIZE_MAX ? 0 : dot_piece(out + len, wrote);

		if (wrote == SIZE_MAX || len + wrote > PATH_BYTES || (!d && hidden_dots(out + len, wrote)))
			return false;
		if (d == 2) {
			if (len == 1)
				return false;
			for (len--; out[len - 1] != '/';)
				len--;
		} else if (!d && wrote) {
			len += wrote;
			if (slash && len == PATH_BYTES)
				return false;
			if (slash)
				out[len++] = '/';
		}
		i = end + 1;
	}
	out[len] = 0;
	return true;
}

bool path_canonical(struct slice target, char ret[PATH_BYTES + 1])
{
	char room[PATH_BYTES + 4];
	bool changes = false;
	size_t n = 0, i;

	if (!target.n || (*target.p != '/' && *target.p != '?'))
		return false;
	for (i = 0; i < target.n && target.p[i] != '?'; i++) {
		unsigned char c = (unsigned char)target.p[i];

		if (kinds[c] == B_BAD)
			return false;
		changes |= c == '/' ? i && target.p[i - 1] == '/'
				    : kinds[c] != B_ITSELF || (c == '.' && target.p[i - 1] == '/');
	}
	n = i;
	for (; i < target.n; i++)
		if (kinds[(unsigned char)target.p[i]] == B_BAD)
			return false;
	if (n > PATH_BYTES)
		return false;
	if (!n) {
		memcpy(ret, "/", 2);
		return true;
	}
	if (!changes) {
		memcpy(ret, target.p, n);
		ret[n] = 0;
		return true;
	}
	if (!rewrite(target.p, n, room))
		return false;
	memcpy(ret, room, strlen(room) + 1);
	return true;
}
