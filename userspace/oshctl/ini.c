/* SPDX-License-Identifier: Apache-2.0 */
#include "ini.h"

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct slice trim(struct slice s)
{
	while (s.n && blank(*s.p))
		s.p++, s.n--;
	while (s.n && blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* Without the quotes around it; what follows a closing quote is a comment or nonsense. */
static struct slice unquote(struct slice s)
{
	const char *end;

	if (!s.n || (*s.p != '"' && *s.p != '\''))
		return s;
	end = memchr(s.p + 1, *s.p, s.n - 1);
	return end ? (struct slice){ s.p + 1, (size_t)(end - s.p) - 1 } : s;
}

/* Longer texts and control bytes belong to nothing that we look for. */
static bool keep(char *to, size_t max, struct slice s)
{
	if (s.n >= max)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	memcpy(to, s.p, s.n);
	to[s.n] = 0;
	return true;
}

static bool take_line(struct ini *it, struct slice *ret)
{
	const char *end;

	if (!it->rest.n)
		return false;
	end = memchr(it->rest.p, '\n', it->rest.n);
	*ret = (struct slice){ it->rest.p, end ? (size_t)(end - it->rest.p) : it->rest.n };
	it->rest.p += ret->n + (end != NULL);
	it->rest.n -= ret->n + (end != NULL);
	it->line++;
	return true;
}

/* A section whose name is too long is nobody's: its keys must not count for the one before. */
static void open_section(struct ini *it, struct slice s)
{
	const char *end = memchr(s.p, ']', s.n);

	it->key[0] = 0;
	if (!end || !keep(it->section, sizeof(it->section), trim((struct slice){ s.p + 1, (size_t)(end - s.p) - 1 })))
		strcpy(it->section, "?");
}

static bool read_pair(struct ini *it, struct slice s)
{
	const char *equal = memchr(s.p, '=', s.n);
	struct slice key, value;

	it->key[0] = 0;
	if (!equal)
		return false;
	key = unquote(trim((struct slice){ s.p, (size_t)(equal - s.p) }));
	value = unquote(trim((struct slice){ equal + 1, s.n - (size_t)(equal - s.p) - 1 }));
	return keep(it->key, sizeof(it->key), key) && it->key[0] && keep(it->value, sizeof(it->value), value);
}

bool ini_next(struct ini *it)
{
	struct slice line;

	while (take_line(it, &line)) {
		struct slice s = trim(line);

		if (!s.n || *s.p == '#' || *s.p == ';')
			continue;
		if (it->folds && blank(*line.p) && it->key[0]) {
			if (keep(it->value, sizeof(it->value), s))
				return true;
			continue;
		}
		if (*s.p == '[')
			open_section(it, s);
		else if (read_pair(it, s))
			return true;
	}
	return false;
}
