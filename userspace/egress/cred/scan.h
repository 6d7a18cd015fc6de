/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds any of a set of secret texts in a stream of bytes, in one pass, and says how many of the last
 * bytes might still become one: those are held back, so that no secret is ever passed on whole. A
 * stream is read three times at once: as it is, with %XX decoded, and with the escapes of JSON and HTML decoded
 * (many servers write `/` and `+` so). CR, LF and NUL are passed over in all: encoders break lines, UTF-16 has NULs. The automaton itself spells the secrets, so its memory is locked and wiped.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

#define SCAN_TEXT_MIN 8			/* shorter secrets would be found by chance */
#define SCAN_TEXT_MAX 8192
#define SCAN_NODES (1u << 18)
#define SCAN_BLANK 16			/* CR, LF and NUL in a row that are passed over */
#define SCAN_ESCAPE 10			/* bytes of the longest escape of JSON or HTML that is undone */

struct scan_node;

struct scanner {			/* the set; does not change once scanner_ready() was called */
	struct scan_node *nodes;
	uint32_t n, cap;
	uint32_t root[256];		/* first byte -> node, 0 = none */
	uint32_t longest;
	bool full;			/* a text found no room: the set must not be used */
	uint32_t users;			/* scans under way, and whoever else holds it */
};

int scanner_new(struct scanner **ret, uint32_t nodes);	/* room for that many bytes of text; one user; 0 or -errno */
void scanner_add(struct scanner *s, struct slice text, uint16_t tag);	/* tag >= 1 comes back when found */
int scanner_ready(struct scanner *s);			/* 0, -E2BIG or -ENOMEM */
void scanner_drop(struct scanner *s);			/* the last user frees and wipes it; NULL is fine */

/*
 * The forms in which a server may say a secret again: itself, base64 (three alignments, both alphabets),
 * hexadecimal (both cases). Escapes are undone by the stream.
 */
void scanner_add_forms(struct scanner *s, struct slice secret, uint16_t tag);
uint32_t scanner_forms_size(size_t secret_len);		/* nodes that scanner_add_forms() may need */

struct scan_way {			/* one reading of the stream */
	uint32_t node;
	uint64_t n;			/* bytes given to the automaton */
	uint64_t *from;			/* ring: where in the stream each of the last of them began */
	uint64_t escape;		/* start of an unfinished escape + 1 */
	uint8_t digit;			/* %XX: its first digit as it came, 0 = none yet */
	uint8_t blank;			/* bytes passed over, without another between them */
	uint8_t pend[SCAN_ESCAPE], n_pend;	/* JSON, HTML: what came of it */
};

struct scan {
	struct scanner *s;
	uint64_t at;			/* bytes of the stream so far */
	uint32_t ring;			/* entries of each way's ring: a power of two above `longest` */
	struct scan_way plain, decoded, unescaped;
};

int scan_start(struct scan *c, struct scanner *s);	/* a user of it until scan_done(); 0 or -ENOMEM */
void scan_done(struct scan *c);
/*
 * Reads on. 0 = nothing found; *held = how many of the bytes seen last, earlier calls included, may be
 * the start of a secret: everything before them can be passed on. Else the tag of what was found; the
 * scan is then over.
 */
uint16_t scan_feed(struct scan *c, struct slice bytes, uint64_t *held);
