/* SPDX-License-Identifier: Apache-2.0 */
/* Writes messages of HTTP/1.1 from their heads: the only way in which anything read leaves again. */
#include "http/h1.h"

#include "http/chars.h"
#include "http/h1_line.h"
#include "own.h"

static const struct phrase {
	unsigned status;
	struct slice text;
} phrases[] = {
#define P(status, lit) { status, { lit, sizeof(lit) - 1 } }
	P(100, "Continue"), P(101, "Switching Protocols"), P(102, "Processing"), P(103, "Early Hints"),
	P(200, "OK"), P(201, "Created"), P(202, "Accepted"), P(203, "Non-Authoritative Information"),
	P(204, "No Content"), P(205, "Reset Content"), P(206, "Partial Content"), P(207, "Multi-Status"),
	P(300, "Multiple Choices"), P(301, "Moved Permanently"), P(302, "Found"), P(303, "See Other"),
	P(304, "Not Modified"), P(307, "Temporary Redirect"), P(308, "Permanent Redirect"),
	P(400, "Bad Request"), P(401, "Unauthorized"), P(402, "Payment Required"), P(403, "Forbidden"),
	P(404, "Not Found"), P(405, "Method Not Allowed"), P(406, "Not Acceptable"),
	P(408, "Request Timeout"), P(409, "Conflict"), P(410, "Gone"), P(411, "Length Required"),
	P(412, "Precondition Failed"), P(413, "Content Too Large"), P(414, "URI Too Long"),
	P(415, "Unsupported Media Type"), P(416, "Range Not Satisfiable"), P(417, "Expectation Failed"),
	P(421, "Misdirected Request"), P(422, "Unprocessable Content"), P(423, "Locked"),
	P(425, "Too Early"), P(426, "Upgrade Required"), P(428, "Precondition Required"),
	P(429, "Too Many Requests"), P(431, "Request Header Fields Too Large"),
	P(451, "Unavailable For Legal Reasons"),
	P(500, "Internal Server Error"), P(501, "Not Implemented"), P(502, "Bad Gateway"),
	P(503, "Service Unavailable"), P(504, "Gateway Timeout"), P(505, "HTTP Version Not Supported"),
#undef P
};

static struct slice phrase_of(unsigned status)
{
	for (size_t i = 0; i < ARRAY_SIZE(phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].text;
	return SLICE("Other");
}

static bool own_length(const struct head *h, bool *there, uint64_t *ret)
{
	const struct field *f = head_find(h, "content-length", 0);

	*there = f != NULL;
	return !f || (h1_length(head_value(h, f), ret) && !head_find(h, "content-length", 1));
}

bool h1_frame_request(const struct head *h, bool end, struct h1_message *m)
{
	bool there;

	*m = (struct h1_message){ .keep_alive = true, .upgrade = head_find(h, "upgrade", 0) };
	if (!own_length(h, &there, &m->length))
		return false;
	if (there)
		m->framing = H1_LENGTH;
	else if (!end)
		m->framing = H1_CHUNKED;
	return !(end && m->length);
}

bool h1_frame_response(const struct head *h, bool end, const char *method, unsigned version, struct h1_message *m)
{
	bool there;

	*m = (struct h1_message){ .keep_alive = version == 11 };
	if (!own_length(h, &there, &m->length))
		return false;
	if (h->status < 200 || h->status == 204 || h->status == 304 || !strcmp(method, "HEAD")) {
		m->upgrade = h->status == 101;
		m->keep_alive &= h->status != 101;
		return true;
	}
	if (there || end)
		m->framing = H1_LENGTH;
	else if (version == 11)
		m->framing = H1_CHUNKED;
	else
		m->framing = H1_UNTIL_CLOSE;
	if (m->framing == H1_UNTIL_CLOSE)
		m->keep_alive = false;
	return !(end && m->length);
}

/* The fields of one head leave in one piece of memory of the right size. */
static char *put(char *to, struct slice s)
{
	memcpy(to, s.p, s.n);
	return to + s.n;
}

static bool skipped(const struct head *h, const struct field *f, bool keep_length)
{
	return !keep_length && slice_is(head_name(h, f), "content-length");
}

static void write_fields(struct buf *out, const struct head *h, bool keep_length)
{
	size_t n = 0;
	char *to;

	for (uint32_t i = 0; i < h->n_fields; i++)
		if (!skipped(h, &h->fields[i], keep_length))
			n += h->fields[i].name_len + h->fields[i].value_len + 4;
	to = n ? buf_space(out, n) : NULL;
	if (!to)
		return;
	for (uint32_t i = 0; i < h->n_fields; i++) {
		const struct field *f = &h->fields[i];

		if (skipped(h, f, keep_length))
			continue;
		to = put(to, head_name(h, f));
		to = put(to, SLICE(": "));
		to = put(to, head_value(h, f));
		to = put(to, SLICE("\r\n"));
	}
}

/* A number and a line end. */
static void write_number(struct buf *out, uint64_t n, unsigned base)
{
	char line[24];
	size_t at = sizeof(line);

	line[--at] = '\n';
	line[--at] = '\r';
	do {
		line[--at] = "0123456789abcdef"[n % base];
		n /= base;
	} while (n);
	buf_put(out, line + at, sizeof(line) - at);
}

static void write_framing(struct buf *out, const struct h1_message *m)
{
	if (m->framing == H1_LENGTH) {
		buf_str(out, "content-length: ");
		write_number(out, m->length, 10);
	} else if (m->framing == H1_CHUNKED) {
		buf_str(out, "transfer-encoding: chunked\r\n");
	}
}

static void write_connection(struct buf *out, const struct h1_message *m, bool te)
{
	if (m->upgrade)
		buf_str(out, "connection: upgrade\r\n");
	else if (te)
		buf_str(out, m->keep_alive ? "connection: te\r\n" : "connection: te, close\r\n");
	else if (!m->keep_alive)
		buf_str(out, "connection: close\r\n");
}

void h1_write_request(struct buf *out, const struct head *h, const struct h1_message *m)
{
	buf_str(out, head_str(h, h->method));
	buf_put(out, " ", 1);
	buf_str(out, head_str(h, h->target));
	buf_str(out, " HTTP/1.1\r\nhost: ");
	buf_str(out, head_str(h, h->authority));
	buf_str(out, "\r\n");
	write_fields(out, h, false);
	write_framing(out, m);
	write_connection(out, m, head_find(h, "te", 0));
	buf_str(out, "\r\n");
}

void h1_write_response(struct buf *out, const struct head *h, const struct h1_message *m)
{
	struct slice phrase = phrase_of(h->status);
	bool bodiless = h->status < 200 || h->status == 204;
	char line[] = "HTTP/1.1 000 ";

	line[9] = (char)('0' + h->status / 100 % 10);
	line[10] = (char)('0' + h->status / 10 % 10);
	line[11] = (char)('0' + h->status % 10);
	buf_put(out, line, sizeof(line) - 1);
	buf_put(out, phrase.p, phrase.n);
	buf_str(out, "\r\n");
	write_fields(out, h, m->framing == H1_NONE && !bodiless);
	write_framing(out, m);
	if (h->status >= 200 || m->upgrade)
		write_connection(out, m, false);
	buf_str(out, "\r\n");
}

void h1_write_chunk_start(struct buf *out, size_t n)
{
	write_number(out, n, 16);
}

void h1_write_last_chunk(struct buf *out, const struct head *trailers)
{
	buf_str(out, "0\r\n");
	if (trailers)
		write_fields(out, trailers, false);
	buf_str(out, "\r\n");
}
