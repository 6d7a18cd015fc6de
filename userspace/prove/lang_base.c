/* SPDX-License-Identifier: Apache-2.0 */
/* What a text of a kind looks like at all: one deterministic automaton a kind. */
#include "lang_base.h"

#include <ctype.h>
#include <string.h>

#include "lang_nfa.h"
#include "own.h"

/* ---- what the bytes of a kind allow: the next state, or 0; state 1 is the start -------------- */

static unsigned step_host(unsigned s, unsigned char c)
{
	(void)s;
	if (c == '.')
		return s == 2 ? 3 : 0;
	return islower(c) || isdigit(c) || c == '-' || c == '_' ? 2 : 0;
}

/* Bytes that stand for themselves in a canonical path (canon.c). */
static bool plain(unsigned char c)
{
	return isalnum(c) || (c && strchr("-._~!$&'()*+,=:@", c));
}

/*
 * 1 start, 2 behind a slash, 3 in a segment, 4 "/.", 5 "/..", 6 "%", 7 "%" behind dots, 8 to 21 "%2" to "%F", 22 behind
 * an encoded slash, 23 "%2F.", 24 "%2F..", 25 "%2" and 26 "%3" behind dots. A segment of dots alone is none, also where
 * an encoded slash or parameter follows.
 */
static unsigned step_escape(unsigned s, unsigned char c)
{
	int d = nfa_digit(c), byte;

	if (d < 0)
		return 0;
	if (s < 8)
		return d < 2 ? 0 : s == 7 && d < 4 ? 23 + (unsigned)d : 6 + (unsigned)d;
	byte = (int)(s < 22 ? s - 6 : s - 23) << 4 | d;
	if (byte < 0x80 && (plain((unsigned char)byte) || byte == 0x7f))
		return 0;
	if (byte == '/')
		return s == 25 ? 0 : 22;
	return byte == ';' && s == 26 ? 0 : 3;
}

static unsigned step_path(unsigned s, unsigned char c)
{
	bool dots = s == 4 || s == 5 || s == 23 || s == 24;

	if (s >= 6 && s != 22 && !dots)
		return step_escape(s, c);
	if (c == '/')
		return s == 1 || s == 3 || s == 22 ? 2 : 0;
	if (s == 1)
		return 0;
	if (c == '%')
		return dots ? 7 : 6;
	if (!plain(c))
		return 0;
	if (c == '.')
		return s == 2 ? 4 : s == 4 ? 5 : s == 22 ? 23 : s == 23 ? 24 : 3;
	return 3;
}

/* Where no pattern speaks of an escape, another byte says as much; only an encoded slash is one of its own. */
static unsigned step_path_plain(unsigned s, unsigned char c)
{
	unsigned next = step_path(s, c);

	return (next >= 8 && next < 22 && next != 8) || next == 26 || ((s == 8 || s == 25) && c != 'F') ? 0 : next;
}

static unsigned step_file(unsigned s, unsigned char c)
{
	if (c == '/')
		return s == 1 || s == 3 ? 2 : 0;
	if (s == 1 || c < 0x20 || c == 0x7f)
		return 0;
	return c != '.' ? 3 : s == 2 ? 4 : s == 4 ? 5 : 3;
}

static unsigned step_method(unsigned s, unsigned char c)
{
	(void)s;
	return isupper(c) || c == '_' ? 2 : 0;
}

static unsigned step_text(unsigned s, unsigned char c)
{
	(void)s;
	return c >= 0x20 && c != 0x7f && c != '"' ? 2 : 0;
}

static unsigned step_model(unsigned s, unsigned char c)
{
	return c <= 0x20 || c > 0x7e || c == '\\' ? 0 : step_text(s, c);
}

#define BASE_STATES 27

static const struct {
	unsigned (*step)(unsigned s, unsigned char c);
	unsigned ends;			/* bits: states in which a word may end */
} bases[] = {
	[LANG_HOST] = { step_host, 1 << 2 },
	[LANG_FILE] = { step_file, 1 << 3 },
	[LANG_PATH] = { step_path_plain, 1 << 2 | 1 << 3 | 1 << 22 },
	[LANG_PATH_ESCAPED] = { step_path, 1 << 2 | 1 << 3 | 1 << 22 },
	[LANG_METHOD] = { step_method, 1 << 2 },
	[LANG_TEXT] = { step_text, 1 << 1 | 1 << 2 },
	[LANG_NAME] = { step_text, 1 << 2 },
	[LANG_MODEL] = { step_model, 1 << 2 },
};

bool lang_is(enum lang_base base, const char *word)
{
	unsigned s = 1;

	for (; *word && s; word++)
		s = bases[base].step(s, (unsigned char)*word);
	return s && (bases[base].ends >> s & 1);
}

unsigned base_step(enum lang_base base, unsigned state, unsigned char c)
{
	return bases[base].step(state, c);
}

bool base_ends(enum lang_base base, unsigned state)
{
	return bases[base].ends >> state & 1;
}

static bool alike(enum lang_base base, unsigned char c, unsigned char d)
{
	for (unsigned s = 1; s < BASE_STATES; s++)
		if (bases[base].step(s, c) != bases[base].step(s, d))
			return false;
	return true;
}

const unsigned char *base_firsts(enum lang_base base)
{
	static unsigned char first[ARRAY_SIZE(bases)][256];
	static bool known[ARRAY_SIZE(bases)];

	for (unsigned c = 0; c < 256 && !known[base]; c++)
		while (!alike(base, (unsigned char)c, first[base][c]))
			first[base][c]++;
	known[base] = true;
	return first[base];
}
