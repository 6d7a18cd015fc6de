/* SPDX-License-Identifier: Apache-2.0 */
#include "scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "secret.h"

/*
 * A trie with failure links (Aho and Corasick, 1975). Texts are few and long, so a node keeps a list of
 * children instead of a table: nearly every list has one entry. Node 0 is the root.
 */
struct scan_node {
	uint32_t child, sibling, fail;
	uint16_t depth, tag;
	uint8_t byte;
};

int scanner_new(struct scanner **ret, uint32_t nodes)
{
	struct scanner *s = nodes < SCAN_NODES ? calloc(1, sizeof(*s)) : NULL;

	*ret = NULL;
	if (!s)
		return -ENOMEM;
	*s = (struct scanner){ .cap = nodes + 1, .n = 1, .users = 1 };
	s->nodes = secret_alloc(s->cap * sizeof(*s->nodes));
	if (!s->nodes) {
		free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

void scanner_drop(struct scanner *s)
{
	if (!s || --s->users)
		return;
	secret_free(s->nodes, s->cap * sizeof(*s->nodes));
	free(s);
}

static uint32_t child_of(const struct scanner *s, uint32_t node, uint8_t byte)
{
	uint32_t at;

	if (!node)
		return s->root[byte];
	for (at = s->nodes[node].child; at && s->nodes[at].byte != byte; at = s->nodes[at].sibling)
		;
	return at;
}

static uint32_t child_make(struct scanner *s, uint32_t node, uint8_t byte)
{
	uint32_t at = child_of(s, node, byte);

	if (at)
		return at;
	if (s->n == s->cap)
		return 0;
	at = s->n++;
	s->nodes[at] = (struct scan_node){ .sibling = s->nodes[node].child, .byte = byte,
					   .depth = (uint16_t)(s->nodes[node].depth + 1) };
	s->nodes[node].child = at;
	if (!node)
		s->root[byte] = at;
	return at;
}

/* CR and LF are left out, as they are left out of the stream. */
void scanner_add(struct scanner *s, struct slice text, uint16_t tag)
{
	uint32_t node = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\r' || text.p[i] == '\n')
			continue;
		node = child_make(s, node, (uint8_t)text.p[i]);
		if (!node || s->nodes[node].depth > SCAN_TEXT_MAX) {
			s->full = true;
			return;
		}
	}
	if (s->nodes[node].depth > s->longest)
		s->longest = s->nodes[node].depth;
	if (node && !s->nodes[node].tag)
		s->nodes[node].tag = tag;
}

static uint32_t step(const struct scanner *s, uint32_t node, uint8_t byte)
{
	uint32_t next = child_of(s, node, byte);

	while (!next && node) {
		node = s->nodes[node].fail;
		next = child_of(s, node, byte);
	}
	return next;
}

/* Failure links, level by level; a node whose shorter self is a whole text is one too. */
int scanner_ready(struct scanner *s)
{
	uint32_t *queue, head = 0, tail = 0;

	if (s->full)
		return -E2BIG;
	queue = calloc(s->n, sizeof(*queue));
	if (!queue)
		return -ENOMEM;
	for (uint32_t at = s->nodes[0].child; at; at = s->nodes[at].sibling)
		queue[tail++] = at;
	while (head < tail) {
		uint32_t node = queue[head++];

		for (uint32_t at = s->nodes[node].child; at; at = s->nodes[at].sibling) {
			s->nodes[at].fail = step(s, s->nodes[node].fail, s->nodes[at].byte);
			if (!s->nodes[at].tag)
				s->nodes[at].tag = s->nodes[s->nodes[at].fail].tag;
			queue[tail++] = at;
		}
	}
	free(queue);
	return 0;
}

static int way_start(struct scan_way *w, uint32_t ring)
{
	*w = (struct scan_way){ .from = calloc(ring, sizeof(*w->from)) };
	return w->from ? 0 : -ENOMEM;
}

int scan_start(struct scan *c, struct scanner *s)
{
	*c = (struct scan){ .s = s, .ring = 16 };
	s->users++;
	while (c->ring <= s->longest)
		c->ring *= 2;
	if (way_start(&c->plain, c->ring) == 0 && way_start(&c->decoded, c->ring) == 0 &&
	    way_start(&c->unescaped, c->ring) == 0)
		return 0;
	scan_done(c);
	return -ENOMEM;
}

void scan_done(struct scan *c)
{
	free(c->plain.from);
	free(c->decoded.from);
	free(c->unescaped.from);
	scanner_drop(c->s);
	*c = (struct scan){ 0 };
}

/* A run of bytes that are passed over ends what was begun: else all of a long one would be held back. */
static void way_blank(struct scan_way *w)
{
	if (++w->blank <= SCAN_BLANK)
		return;
	w->node = 0;
	w->escape = 0;
	w->n_pend = 0;
}

/* One byte of a reading, which began at `from` in the stream. */
static uint16_t way_byte(const struct scan *c, struct scan_way *w, uint8_t byte, uint64_t from)
{
	if (byte == '\r' || byte == '\n' || !byte) {
		way_blank(w);
		return 0;
	}
	w->blank = 0;
	w->from[w->n++ & (c->ring - 1)] = from;
	w->node = step(c->s, w->node, byte);
	return w->node ? c->s->nodes[w->node].tag : 0;
}

static int hex_digit(uint8_t b)
{
	if (b >= '0' && b <= '9')
		return b - '0';
	b |= 32;
	return b >= 'a' && b <= 'f' ? b - 'a' + 10 : -1;
}

/* What turned out to be no escape is read as the bytes that it is. */
static uint16_t escape_flush(const struct scan *c, struct scan_way *w)
{
	uint64_t from = w->escape - 1;
	uint16_t tag;

	w->escape = 0;
	tag = way_byte(c, w, '%', from);
	return tag || !w->digit ? tag : way_byte(c, w, w->digit, from + 1);
}

static uint16_t decoded_byte(const struct scan *c, struct scan_way *w, uint8_t byte, uint64_t at)
{
	uint16_t tag = 0;

	if (w->escape && hex_digit(byte) >= 0) {
		if (!w->digit) {
			w->digit = byte;
			return 0;
		}
		at = w->escape - 1;
		w->escape = 0;
		return way_byte(c, w, (uint8_t)(hex_digit(w->digit) << 4 | hex_digit(byte)), at);
	}
	if (w->escape)
		tag = escape_flush(c, w);
	if (tag || byte != '%')
		return tag ? tag : way_byte(c, w, byte, at);
	w->escape = at + 1;
	w->digit = 0;
	return 0;
}

/* The number that n digits say; -1 = one of them is none. */
static int number(const uint8_t *p, size_t n, int base)
{
	int v = 0;

	for (size_t i = 0; i < n; i++) {
		int d = hex_digit(p[i]);

		if (d < 0 || d >= base || v > 255)
			return -1;
		v = v * base + d;
	}
	return v;
}

enum { ESC_NONE = -1, ESC_MORE = -2 };	/* else the byte that is meant */

static int json_escape(const uint8_t *p, size_t n)
{
	static const char plain[] = "\"\\/'", breaks[] = "nr";
	size_t most = n > 1 && p[1] == 'u' ? 6 : n > 1 && p[1] == 'x' ? 4 : 2;
	int v;

	if (n < 2)
		return ESC_MORE;
	if (most == 2)
		return memchr(plain, p[1], 4) ? p[1] : memchr(breaks, p[1], 2) ? '\n' : ESC_NONE;
	v = number(p + 2, n - 2, 16);
	if (v < 0 || v > 255)
		return ESC_NONE;
	return n < most ? ESC_MORE : v;
}

static int html_escape(const uint8_t *p, size_t n)
{
	static const struct {
		const char *text;
		uint8_t byte;
	} names[] = {
		{ "&amp;", '&' }, { "&lt;", '<' },  { "&gt;", '>' },   { "&quot;", '"' },
		{ "&apos;", '\'' }, { "&sol;", '/' }, { "&plus;", '+' }, { "&equals;", '=' },
	};
	bool hex = n > 2 && (p[2] | 32) == 'x', whole = p[n - 1] == ';';
	size_t from = hex ? 3 : 2;
	int v;

	if (n < 2 || p[1] == '#') {
		v = n > from ? number(p + from, n - from - whole, hex ? 16 : 10) : 0;
		return v < 0 || v > 255 || (whole && n < from + 2) ? ESC_NONE : whole ? v : ESC_MORE;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i].text) >= n && !memcmp(names[i].text, p, n))
			return whole ? names[i].byte : ESC_MORE;
	return ESC_NONE;
}

static uint16_t pend_flush(const struct scan *c, struct scan_way *w)
{
	uint64_t from = w->escape - 1;
	uint16_t tag = 0;

	for (uint8_t i = 0; i < w->n_pend && !tag; i++)
		tag = way_byte(c, w, w->pend[i], from + i);
	w->n_pend = 0;
	w->escape = 0;
	return tag;
}

static uint16_t unescaped_byte(const struct scan *c, struct scan_way *w, uint8_t byte, uint64_t at)
{
	int meant = ESC_NONE;
	uint16_t tag;

	if (w->n_pend && w->n_pend < SCAN_ESCAPE) {
		w->pend[w->n_pend] = byte;
		meant = w->pend[0] == '&' ? html_escape(w->pend, w->n_pend + 1u) : json_escape(w->pend, w->n_pend + 1u);
	}
	if (meant == ESC_MORE) {
		w->n_pend++;
		return 0;
	}
	if (meant >= 0) {
		at = w->escape - 1;
		w->n_pend = 0;
		w->escape = 0;
		return way_byte(c, w, (uint8_t)meant, at);
	}
	tag = pend_flush(c, w);
	if (tag || (byte != '\\' && byte != '&'))
		return tag ? tag : way_byte(c, w, byte, at);
	w->pend[0] = byte;
	w->n_pend = 1;
	w->escape = at + 1;
	return 0;
}

/* Bytes at the end of the stream that may begin a text, or an escape. */
static uint64_t way_held(const struct scan *c, const struct scan_way *w)
{
	uint32_t depth = w->node ? c->s->nodes[w->node].depth : 0;
	uint64_t from = c->at;

	if (depth)
		from = w->from[(w->n - depth) & (c->ring - 1)];
	else if (w->escape)
		from = w->escape - 1;
	return c->at - from;
}

uint16_t scan_feed(struct scan *c, struct slice bytes, uint64_t *held)
{
	const struct scan_way *ways[] = { &c->plain, &c->decoded, &c->unescaped };

	for (size_t i = 0; i < bytes.n; i++) {
		uint8_t byte = (uint8_t)bytes.p[i];
		uint16_t tag;

		if (!byte) {		/* UTF-16 and UTF-32 of ASCII are ASCII and NULs, also within an escape */
			way_blank(&c->plain);
			way_blank(&c->decoded);
			way_blank(&c->unescaped);
			c->at++;
			continue;
		}
		tag = way_byte(c, &c->plain, byte, c->at);
		if (!tag)
			tag = decoded_byte(c, &c->decoded, byte, c->at);
		if (!tag)
			tag = unescaped_byte(c, &c->unescaped, byte, c->at);
		c->at++;
		if (tag)
			return tag;
	}
	*held = 0;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		uint64_t h = way_held(c, ways[i]);

		*held = h > *held ? h : *held;
	}
	return 0;
}
