/* SPDX-License-Identifier: Apache-2.0 */
/* Collects and shows diagnostics. What is shown may come from a hostile file: no byte reaches a
 * terminal that could steer it. */
#include "diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "osh/limits.h"
#include "own.h"

static const struct {
	uint32_t code;
	enum diag_severity severity;
	const char *text;
} codes[] = {
#define DIAG(number, severity, id, text) { number, DIAG_##severity, text },
#include "diag.def"
#undef DIAG
};

static bool code_known(uint32_t code)
{
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (codes[i].code == code)
			return true;
	return false;
}

enum diag_severity diag_severity(uint32_t code)
{
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (codes[i].code == code)
			return codes[i].severity;
	return DIAG_ERROR;
}

const char *diag_text(uint32_t code)
{
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (codes[i].code == code)
			return codes[i].text;
	return "";
}

uint32_t diag_each(size_t i)
{
	return i < ARRAY_SIZE(codes) ? codes[i].code : 0;
}

void diags_done(struct diags *d)
{
	free(d->v);
	*d = (struct diags){ 0 };
}

static struct diag *diags_room(struct diags *d)
{
	if (d->n >= OSH_DIAGS) {
		d->more = true;
		return NULL;
	}
	if (d->n == d->cap) {
		uint32_t cap = d->cap ? 2 * d->cap : 8;
		struct diag *v = realloc(d->v, cap * sizeof(*v));

		if (!v) {
			d->more = true;
			return NULL;
		}
		d->v = v;
		d->cap = cap;
	}
	return memset(&d->v[d->n++], 0, sizeof(*d->v));
}

static void diags_count(struct diags *d, uint32_t code)
{
	if (diag_severity(code) == DIAG_ERROR)
		d->n_errors++;
	else
		d->n_warnings++;
}

void diag_add(struct diags *d, enum diag_code code, struct place at, const char *hint,
	      const char *fmt, ...)
{
	struct diag *one = diags_room(d);
	va_list ap;

	diags_count(d, code);
	if (!one)
		return;
	one->code = code;
	one->at = at;
	va_start(ap, fmt);
	vsnprintf(one->text, sizeof(one->text), fmt, ap);
	va_end(ap);
	if (hint)
		snprintf(one->hint, sizeof(one->hint), "%s", hint);
}

bool diags_add_raw(struct diags *d, const struct diag *one)
{
	struct diag *to;

	if (!code_known(one->code) || !memchr(one->text, 0, sizeof(one->text)) ||
	    !memchr(one->hint, 0, sizeof(one->hint)))
		return false;
	diags_count(d, one->code);
	to = diags_room(d);
	if (to)
		*to = *one;
	return true;
}

static int by_place(const void *pa, const void *pb)
{
	const struct diag *a = pa, *b = pb;

	if (a->at.line != b->at.line)
		return a->at.line < b->at.line ? -1 : 1;
	if (a->at.col != b->at.col)
		return a->at.col < b->at.col ? -1 : 1;
	if (a->code != b->code)
		return a->code < b->code ? -1 : 1;
	return strcmp(a->text, b->text);
}

void diags_sort(struct diags *d)
{
	uint32_t n = 0;

	if (d->n)
		qsort(d->v, d->n, sizeof(*d->v), by_place);
	for (uint32_t i = 0; i < d->n; i++) {
		if (n && !by_place(&d->v[n - 1], &d->v[i])) {
			if (diag_severity(d->v[i].code) == DIAG_ERROR)
				d->n_errors--;
			else
				d->n_warnings--;
			continue;
		}
		d->v[n++] = d->v[i];
	}
	d->n = n;
}

/* Printable ASCII and well-formed UTF-8 past U+009F pass; everything else becomes '?'. */
static void put_clean(FILE *out, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];
		size_t more = c >= 0xf0 && c < 0xf5 ? 3 : c >= 0xe0 ? 2 : c >= 0xc2 ? 1 : 0;
		bool ok = more && c < 0xf5 && n - i > more;

		for (size_t k = 1; ok && k <= more; k++)
			ok = ((unsigned char)p[i + k] & 0xc0) == 0x80;
		if (ok && c == 0xc2 && (unsigned char)p[i + 1] < 0xa0)
			ok = false;
		if (ok) {
			fwrite(p + i, 1, more + 1, out);
			i += more;
		} else {
			fputc(c == '\t' ? ' ' : c >= 0x20 && c < 0x7f ? c : '?', out);
		}
	}
}

static struct slice source_line(struct slice s, uint32_t line)
{
	const char *end;

	for (; line > 1 && s.n; line--) {
		end = memchr(s.p, '\n', s.n);
		if (!end)
			return (struct slice){ 0 };
		s.n -= (size_t)(end + 1 - s.p);
		s.p = end + 1;
	}
	end = s.n ? memchr(s.p, '\n', s.n) : NULL;
	if (end)
		s.n = (size_t)(end - s.p);
	return s;
}

#define SHOWN_COLUMNS 160

static void print_caret(FILE *out, struct slice source, struct place at)
{
	struct slice line = source_line(source, at.line);

	if (!line.n || !at.line || !at.col || at.col > SHOWN_COLUMNS)
		return;
	if (line.p[line.n - 1] == '\r')
		line.n--;
	fprintf(out, "%6u | ", at.line);
	put_clean(out, line.p, line.n > SHOWN_COLUMNS ? SHOWN_COLUMNS : line.n);
	fprintf(out, "\n       | %*s^\n", (int)at.col - 1, "");
}

void diags_print(const struct diags *d, FILE *out, const char *file, struct slice source,
		 bool colour)
{
	for (uint32_t i = 0; i < d->n; i++) {
		const struct diag *one = &d->v[i];
		bool error = diag_severity(one->code) == DIAG_ERROR;

		put_clean(out, file, strlen(file));
		if (one->at.line)
			fprintf(out, ":%u:%u", one->at.line, one->at.col);
		fprintf(out, ": %s%s[OSH%u]%s: ", !colour ? "" : error ? "\033[1;31m" : "\033[1;33m",
			error ? "error" : "warning", one->code, colour ? "\033[0m" : "");
		put_clean(out, one->text, strlen(one->text));
		fputc('\n', out);
		print_caret(out, source, one->at);
		if (*one->hint) {
			fputs("       = hint: ", out);
			put_clean(out, one->hint, strlen(one->hint));
			fputc('\n', out);
		}
	}
	if (d->more)
		fprintf(out, "%s: more diagnostics than are shown\n", file);
}

void diags_json(const struct diags *d, struct json *j, const char *file)
{
	json_arr(j);
	for (uint32_t i = 0; i < d->n; i++) {
		const struct diag *one = &d->v[i];
		char code[16];

		snprintf(code, sizeof(code), "OSH%u", one->code);
		json_obj(j);
		json_kv_str(j, "code", code);
		json_kv_str(j, "severity",
			    diag_severity(one->code) == DIAG_ERROR ? "error" : "warning");
		json_kv_str(j, "file", file);
		json_kv_u64(j, "line", one->at.line);
		json_kv_u64(j, "column", one->at.col);
		json_kv_str(j, "message", one->text);
		if (*one->hint)
			json_kv_str(j, "hint", one->hint);
		json_end(j);
	}
	json_end(j);
}
