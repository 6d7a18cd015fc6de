/* SPDX-License-Identifier: Apache-2.0 */
#include "log_verify.h"

#include <jansson.h>
#include <stdlib.h>

#include "chain.h"
#include "json.h"
#include "osh/msg.h"
#include "own.h"

#define SHOWN 20			/* of one user */

struct check {
	const struct log_stream *t;
	FILE *out;
	bool json;
	uint32_t file;			/* of the last line; 0 = none yet */
	uint64_t files, lines;
	unsigned wrong;
	bool broken;			/* what this line follows from is not known */
	uint8_t chain[HASH_LEN];
};

static const char *kind_name(const struct log_stream *t)
{
	return t->kind == OSH_JOURNAL_ALLOWED ? "allowed" : "denied";
}

static void wrong(struct check *c, const char *what)
{
	if (++c->wrong <= SHOWN && !c->json)
		fprintf(c->out, "uid %u, %s: file %u line %llu: %s\n", c->t->uid, kind_name(c->t), c->t->line_file,
			(unsigned long long)c->t->line_no, what);
}

static bool previous(struct slice line, uint8_t ret[HASH_LEN])
{
	json_t *j = json_loadb(line.p, line.n, 0, NULL), *osh = json_object_get(j, "osh");
	const char *event = json_string_value(json_object_get(osh, "event"));
	const char *hex = json_string_value(json_object_get(osh, "previous"));
	bool ok = event && hex && !strcmp(event, "log") && strlen(hex) == 2 * (size_t)HASH_LEN && chain_hex(hex, ret);

	json_decref(j);
	return ok;
}

/* A file begins by saying what it follows. Of the oldest that is left this is taken on its word. */
static void begin_file(struct check *c, struct slice line)
{
	uint8_t before[HASH_LEN];
	bool first = !c->file;

	c->files++;
	if (!first && c->t->line_file != c->file + 1)
		wrong(c, "the file before it is missing");
	c->file = c->t->line_file;
	c->broken = !previous(line, before);
	if (c->broken)
		wrong(c, "does not say what it follows");
	else if (!first && memcmp(before, c->chain, sizeof(before)))
		wrong(c, "does not follow the file before it");
	if (!c->broken)
		memcpy(c->chain, before, sizeof(before));
}

static void one_line(struct check *c, struct slice line)
{
	char tail[CHAIN_TAIL], said[CHAIN_TAIL];
	uint8_t is[HASH_LEN];

	if (c->t->line_file != c->file)
		begin_file(c, line);
	c->lines++;
	if (line.n + 1 < CHAIN_TAIL) {
		wrong(c, "is no line of a log");
		c->broken = true;
		return;
	}
	memcpy(said, line.p + line.n + 1 - CHAIN_TAIL, CHAIN_TAIL - 1);
	said[CHAIN_TAIL - 1] = '\n';
	if (!chain_tail(said, is)) {
		wrong(c, "has no chain");
		c->broken = true;
		return;
	}
	if (!c->broken && (chain_next(c->chain, line.p, line.n + 1 - CHAIN_TAIL, tail) < 0 || memcmp(tail, said, CHAIN_TAIL)))
		wrong(c, "does not follow from the line before it");
	c->broken = false;
	memcpy(c->chain, is, sizeof(is));
}

static void report(const struct check *c)
{
	char hex[2 * HASH_LEN + 1];
	struct json j = json_to_file(c->out);

	hash_hex(c->chain, hex);
	if (!c->json) {
		fprintf(c->out, "uid %u, %s: %llu lines in %llu files, %s; the last chain is %s\n", c->t->uid, kind_name(c->t),
			(unsigned long long)c->lines, (unsigned long long)c->files,
			c->wrong ? "BROKEN" : "unbroken", hex);
		return;
	}
	json_obj(&j);
	json_kv_u64(&j, "uid", c->t->uid);
	json_kv_str(&j, "kind", kind_name(c->t));
	json_kv_u64(&j, "files", c->files);
	json_kv_u64(&j, "lines", c->lines);
	json_kv_u64(&j, "wrong", c->wrong);
	json_kv_str(&j, "chain", hex);
	json_end(&j);
	(void)json_line(&j);
}

/* Streams are read one after the other here: each has a chain of its own. */
static unsigned one_user(struct log_source *s, const uint8_t *known, bool *found, bool json, FILE *out)
{
	struct check c = { .out = out, .json = json };
	struct slice line;

	for (c.t = log_source_next(s, &line); c.t; c.t = log_source_next(s, &line)) {
		one_line(&c, line);
		*found |= known && !memcmp(c.chain, known, sizeof(c.chain));
	}
	c.t = s->streams;
	if (c.lines)
		report(&c);
	return c.wrong;
}

unsigned log_verify(struct log_source *s, const char *known, bool json, FILE *out)
{
	uint8_t want[HASH_LEN];
	bool found = false;
	unsigned n = 0;

	if (known && (strlen(known) != 2 * (size_t)HASH_LEN || !chain_hex(known, want))) {
		fprintf(stderr, "oshctl: --verify=CHAIN wants 64 hexadecimal digits\n");
		return 1;
	}
	while (s->streams) {
		struct log_source one = { .streams = s->streams };

		s->streams = s->streams->next;
		one.streams->next = NULL;
		n += one_user(&one, known ? want : NULL, &found, json, out);
		log_source_done(&one);
	}
	if (known && !found) {
		fprintf(stderr, "oshctl: no line has that chain: lines are missing, or too old to be kept\n");
		n++;
	}
	return n;
}
