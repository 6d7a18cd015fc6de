/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct json json_to_file(FILE *f)
{
	return (struct json){ .file = f };
}

struct json json_to_buf(struct buf *b)
{
	return (struct json){ .buf = b };
}

static void put(struct json *j, const char *p, size_t n)
{
	if (j->bad || !n)
		return;
	if (j->buf) {
		buf_put(j->buf, p, n);
		j->bad = !buf_ok(j->buf);
	} else if (fwrite(p, 1, n, j->file) != n) {
		j->bad = true;
	}
}

/* A value begins: a key must precede it in an object, a comma where one stands before it. */
static void begin(struct json *j)
{
	if (j->after_key) {
		j->after_key = false;
		return;
	}
	if (j->depth && j->close[j->depth - 1] == '}')
		j->bad = true;
	if (j->depth && j->some[j->depth - 1])
		put(j, ",", 1);
	if (j->depth)
		j->some[j->depth - 1] = true;
}

static void open_scope(struct json *j, char opener, char closer)
{
	begin(j);
	if (j->depth >= JSON_DEPTH) {
		j->bad = true;
		return;
	}
	put(j, &opener, 1);
	j->some[j->depth] = false;
	j->close[j->depth++] = closer;
}

void json_obj(struct json *j)
{
	open_scope(j, '{', '}');
}

void json_arr(struct json *j)
{
	open_scope(j, '[', ']');
}

void json_end(struct json *j)
{
	if (!j->depth || j->after_key) {
		j->bad = true;
		return;
	}
	put(j, &j->close[--j->depth], 1);
}

/* Runs of plain bytes go out in one piece: audit writes many thousand strings a second. */
static void put_quoted(struct json *j, const char *p, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	size_t from = 0;

	put(j, "\"", 1);
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];
		char esc[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };
		bool quote = c == '"' || c == '\\';

		if (!quote && c >= 0x20 && c < 0x7f)
			continue;
		put(j, p + from, i - from);
		from = i + 1;
		if (quote)
			esc[1] = (char)c;
		put(j, esc, quote ? 2 : 6);
	}
	put(j, p + from, n - from);
	put(j, "\"", 1);
}

void json_key(struct json *j, const char *key)
{
	if (!j->depth || j->close[j->depth - 1] != '}' || j->after_key) {
		j->bad = true;
		return;
	}
	if (j->some[j->depth - 1])
		put(j, ",", 1);
	j->some[j->depth - 1] = true;
	put_quoted(j, key, strlen(key));
	put(j, ":", 1);
	j->after_key = true;
}

void json_str(struct json *j, const char *p, size_t n)
{
	begin(j);
	put_quoted(j, p, n);
}

void json_nil(struct json *j)
{
	begin(j);
	put(j, "null", 4);
}

void json_text(struct json *j, const char *s)
{
	if (s)
		json_str(j, s, strlen(s));
	else
		json_nil(j);
}

void json_u64(struct json *j, uint64_t v)
{
	char t[24];

	begin(j);
	put(j, t, (size_t)snprintf(t, sizeof(t), "%" PRIu64, v));
}

void json_i64(struct json *j, int64_t v)
{
	char t[24];

	begin(j);
	put(j, t, (size_t)snprintf(t, sizeof(t), "%" PRId64, v));
}

void json_bool(struct json *j, bool v)
{
	begin(j);
	put(j, v ? "true" : "false", v ? 4 : 5);
}

void json_kv_str(struct json *j, const char *key, const char *s)
{
	json_key(j, key);
	json_text(j, s);
}

void json_kv_uri(struct json *j, const char *key, const char *path)
{
	char out[3 * 4096 + 1];
	size_t n = 0;

	for (const char *p = path; *p && n + 3 < sizeof(out); p++) {
		unsigned char c = (unsigned char)*p;

		if (isalnum(c) || strchr("/-._~", c))
			out[n++] = (char)c;
		else
			n += (size_t)snprintf(out + n, 4, "%%%02X", c);
	}
	out[n] = '\0';
	json_kv_str(j, key, out);
}

void json_kv_u64(struct json *j, const char *key, uint64_t v)
{
	json_key(j, key);
	json_u64(j, v);
}

void json_kv_i64(struct json *j, const char *key, int64_t v)
{
	json_key(j, key);
	json_i64(j, v);
}

void json_kv_bool(struct json *j, const char *key, bool v)
{
	json_key(j, key);
	json_bool(j, v);
}

int json_line(struct json *j)
{
	if (j->depth || j->after_key)
		j->bad = true;
	put(j, "\n", 1);
	return j->bad ? -EIO : 0;
}
