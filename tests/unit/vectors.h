/* SPDX-License-Identifier: Apache-2.0 */
/* The smuggling corpus (tests/redteam/smuggling/vectors.txt), as its first lines describe it. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

struct vector {
	int status;
	char name[64];
	struct buf bytes;
};

#define SECOND "GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n"

static void vector_bytes(struct buf *out, const char *p, const char *end)
{
	while (p < end) {
		unsigned byte, times;
		int used = 0;

		if (*p != '\\') {
			buf_put(out, p++, 1);
			continue;
		}
		switch (*++p) {
		case 'r': buf_put(out, "\r", 1); break;
		case 'n': buf_put(out, "\n", 1); break;
		case 't': buf_put(out, "\t", 1); break;
		case '\\': buf_put(out, "\\", 1); break;
		case 'H': buf_str(out, "Host: a.example\r\n"); break;
		case 'E': buf_str(out, "\r\n"); break;
		case 'G': buf_str(out, SECOND); break;
		case 'x':
			if (sscanf(p + 1, "%2x", &byte) != 1)
				abort();
			buf_put(out, &(char){ (char)byte }, 1);
			p += 2;
			break;
		case '*': {
			const char *close;

			if (sscanf(p + 1, "%u(%n", &times, &used) != 1 || !used)
				abort();
			p += 1 + used;
			close = memchr(p, ')', (size_t)(end - p));
			if (!close)
				abort();
			while (times--)
				vector_bytes(out, p, close);
			p = close;
			break;
		}
		default: abort();
		}
		p++;
	}
}

/* 1, or 0 at the end of the file. */
static int vector_next(FILE *f, struct vector *v)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int at = 0;

	while ((n = getline(&line, &cap, f)) > 0) {
		if (line[n - 1] == '\n')
			line[--n] = 0;
		if (!n || line[0] == '#')
			continue;
		if (sscanf(line, "%d %63s%n", &v->status, v->name, &at) != 2 || line[at] != ' ')
			abort();
		v->bytes = (struct buf){ 0 };
		vector_bytes(&v->bytes, line + at + 1, line + n);
		break;
	}
	free(line);
	return n > 0;
}
