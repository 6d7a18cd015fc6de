/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads bodies of HTTP/1.1 that come from a hostile peer. Chunk sizes are plain hexadecimal; extensions
 * are dropped and bounded; lines end in CR LF; trailers are fields that may come late, and few.
 */
#include "http/h1.h"

#include "http/chars.h"
#include "http/h1_line.h"

#define SIZE_DIGITS 15			/* of a chunk's size: below 2^60 */
#define SIZE_LINE 256			/* with its extension */
#define EXTRA_MOST 16384		/* extensions and trailers of one body */

enum { CHUNK_SIZE, CHUNK_DATA, CHUNK_END, CHUNK_TRAILERS, CHUNK_DONE };

void h1_body_start(struct h1_body *b, const struct h1_message *m, struct head *trailers)
{
	*b = (struct h1_body){ .framing = m->framing, .trailers = trailers };
	if (m->framing == H1_LENGTH)
		b->left = m->length;
	if (trailers)
		head_reset(trailers);
}

static int bad(const char **why, const char *text)
{
	*why = text;
	return -1;
}

/* 1 and the line without its end, 0 = more is needed, -1 = refused. */
static int chunk_line(struct slice in, size_t most, struct slice *line, const char **why)
{
	size_t n = in.n < most ? in.n : most;
	const char *lf = n ? memchr(in.p, '\n', n) : NULL;

	if (!lf)
		return n < most ? 0 : bad(why, "a line of a chunked body is longer than the limit");
	if (lf == in.p || lf[-1] != '\r')
		return bad(why, "a line of a chunked body ends in a bare LF");
	*line = (struct slice){ in.p, (size_t)(lf - in.p) - 1 };
	return 1;
}

static uint64_t hex_digit(char c)
{
	return (uint64_t)(c <= '9' ? c - '0' : chars_lower(c) - 'a' + 10);
}

static bool count_extra(struct h1_body *b, size_t n)
{
	if (n > EXTRA_MOST - b->extra)
		return false;
	b->extra += (uint32_t)n;
	return true;
}

static ssize_t read_size(struct h1_body *b, struct slice in, const char **why)
{
	struct slice line;
	uint64_t size = 0;
	size_t i = 0;
	int got = chunk_line(in, SIZE_LINE, &line, why);

	if (got <= 0)
		return got;
	for (; i < line.n && http_chars[(uint8_t)line.p[i]] & CH_HEX; i++) {
		if (i == SIZE_DIGITS)
			return bad(why, "a chunk's size is longer than the limit");
		size = size << 4 | hex_digit(line.p[i]);
	}
	if (!i || (i < line.n && line.p[i] != ';'))
		return bad(why, "a chunk's size is no plain number");
	if (!chars_all((struct slice){ line.p + i, line.n - i }, CH_VALUE))
		return bad(why, "a control byte in a chunk's extension");
	if (!count_extra(b, line.n - i))
		return bad(why, "more chunk extensions than the limit");
	b->left = size;
	b->state = size ? CHUNK_DATA : CHUNK_TRAILERS;
	return (ssize_t)line.n + 2;
}

static ssize_t read_chunk_end(struct h1_body *b, struct slice in, const char **why)
{
	if ((in.n > 0 && in.p[0] != '\r') || (in.n > 1 && in.p[1] != '\n'))
		return bad(why, "a chunk is longer than its size");
	if (in.n < 2)
		return 0;
	b->state = CHUNK_SIZE;
	return 2;
}

static ssize_t read_trailer(struct h1_body *b, struct slice in, const char **why)
{
	struct slice line, name, value;
	int got = chunk_line(in, EXTRA_MOST - b->extra + 2, &line, why);

	if (got <= 0)
		return got;
	if (!count_extra(b, line.n))
		return bad(why, "more trailers than the limit");
	if (!line.n) {
		b->state = CHUNK_DONE;
		return 2;
	}
	if (!h1_line_field(line, &name, &value, why))
		return -1;
	if (!head_trailer_allowed(name))
		return bad(why, "a trailer that may not come after a body");
	if (b->trailers && (b->trailers->n_fields >= HEAD_FIELDS || !head_put(b->trailers, name, value)))
		return bad(why, "more trailers than the limit");
	return (ssize_t)line.n + 2;
}

static size_t read_data(struct h1_body *b, struct slice in, struct slice *data)
{
	size_t n = in.n < b->left ? in.n : (size_t)b->left;

	*data = (struct slice){ in.p, n };
	b->left -= n;
	return n;
}

/* Stops after the first piece of data. */
static ssize_t read_chunked(struct h1_body *b, struct slice in, struct slice *data, const char **why)
{
	static ssize_t (*const steps[])(struct h1_body *, struct slice, const char **) = {
		[CHUNK_SIZE] = read_size, [CHUNK_END] = read_chunk_end, [CHUNK_TRAILERS] = read_trailer,
	};
	size_t used = 0;

	while (b->state != CHUNK_DONE) {
		struct slice rest = { in.p + used, in.n - used };
		ssize_t n;

		if (b->state == CHUNK_DATA) {
			used += read_data(b, rest, data);
			if (!b->left)
				b->state = CHUNK_END;
			break;
		}
		n = steps[b->state](b, rest, why);
		if (n < 0)
			return -1;
		if (!n)
			break;
		used += (size_t)n;
	}
	return (ssize_t)used;
}

ssize_t h1_body_read(struct h1_body *b, struct slice in, struct slice *data, bool *done, const char **why)
{
	ssize_t n = 0;

	*data = (struct slice){ in.p, 0 };
	switch (b->framing) {
	case H1_NONE:
		break;
	case H1_LENGTH:
		n = (ssize_t)read_data(b, in, data);
		break;
	case H1_CHUNKED:
		n = read_chunked(b, in, data, why);
		break;
	case H1_UNTIL_CLOSE:
		*data = in;
		n = (ssize_t)in.n;
		break;
	}
	*done = b->framing == H1_NONE || (b->framing == H1_LENGTH && !b->left) ||
		(b->framing == H1_CHUNKED && b->state == CHUNK_DONE);
	return n;
}
