/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one JSON writer: streams objects and arrays to a FILE or a struct buf. Commas are its business,
 * nesting errors and write errors latch. Strings are bytes, not text: control bytes and everything
 * from 0x7f up leave as \u00XX, so a byte >= 0x80 reads back as the Latin-1 character of its number.
 *
 *	struct json j = json_to_file(stdout);
 *	json_obj(&j);
 *	json_kv_str(&j, "host", name);
 *	json_key(&j, "ports"); json_arr(&j); json_u64(&j, 443); json_end(&j);
 *	json_end(&j);
 *	json_line(&j);			// newline, ready for the next value
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "buf.h"

#define JSON_DEPTH 32

struct json {
	FILE *file;			/* exactly one of the two */
	struct buf *buf;
	unsigned depth;
	bool bad;
	bool after_key;
	bool some[JSON_DEPTH];		/* a value was written at this depth: the next needs a comma */
	char close[JSON_DEPTH];		/* '}' or ']' */
};

struct json json_to_file(FILE *f);
struct json json_to_buf(struct buf *b);

void json_obj(struct json *j);
void json_arr(struct json *j);
void json_end(struct json *j);		/* closes the innermost object or array */
void json_key(struct json *j, const char *key);

void json_str(struct json *j, const char *p, size_t n);
void json_text(struct json *j, const char *s);	/* NULL writes null */
void json_u64(struct json *j, uint64_t v);
void json_i64(struct json *j, int64_t v);
void json_bool(struct json *j, bool v);
void json_nil(struct json *j);

void json_kv_str(struct json *j, const char *key, const char *s);
void json_kv_u64(struct json *j, const char *key, uint64_t v);
void json_kv_i64(struct json *j, const char *key, int64_t v);
void json_kv_bool(struct json *j, const char *key, bool v);
void json_kv_uri(struct json *j, const char *key, const char *path);	/* as a URI reference: what is not plain is escaped by byte */

/* Ends a top-level value with a newline. 0, or -EIO when anything since the start went wrong. */
int json_line(struct json *j);
