/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libyaml's event stream -> tree. Reads bytes of a stranger, so it runs in the confined child
 * (confine.c). Depth, size and node count are bounded by limits.h.
 */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "osh/limits.h"
#include "tree.h"

struct build {
	struct arena *a;
	struct diags *d;
	struct slice text;
	struct node *open[OSH_POLICY_DEPTH];	/* containers being filled */
	struct node *last[OSH_POLICY_DEPTH];	/* their latest entry */
	struct node *key[OSH_POLICY_DEPTH];	/* a mapping's key whose value is next */
	uint32_t depth, n_nodes, n_docs;
	struct node *root;
	bool stop;
};

static const char in_full[] = "write the value out in full";

static struct place place_of(yaml_mark_t m)
{
	return (struct place){ (uint32_t)m.line + 1, (uint32_t)m.column + 1 };
}

/* Bytes of the UTF-8 sequence at p, 0 when malformed, overlong, a surrogate or NUL. */
static size_t utf8_len(const unsigned char *p, size_t n)
{
	uint32_t c = p[0], min = 0;
	size_t len = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

	if (!len || len > n || !c)
		return 0;
	if (len == 1)
		return 1;
	min = len == 2 ? 0x80 : len == 3 ? 0x800 : 0x10000;
	c &= 0xffu >> (len + 1);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	return c < min || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : len;
}

/* Line and column of a byte. */
static struct place place_at(struct slice t, size_t byte)
{
	struct place at = { 1, 1 };

	for (size_t i = 0; i < byte && i < t.n; i++) {
		at.col += ((unsigned char)t.p[i] & 0xc0) != 0x80;
		if (t.p[i] == '\n')
			at = (struct place){ at.line + 1, 1 };
	}
	return at;
}

static bool text_ok(struct slice t, struct diags *d)
{
	struct place at = { 1, 1 };

	for (size_t i = 0; i < t.n;) {
		size_t len = utf8_len((const unsigned char *)t.p + i, t.n - i);

		if (!len) {
			diag_add(d, DIAG_ENCODING, at, t.p[i] ? "save the file as UTF-8" : NULL,
				 t.p[i] ? "byte 0x%02x is not UTF-8 text" : "byte 0x%02x: a policy holds no NUL",
				 (unsigned char)t.p[i]);
			return false;
		}
		at.col++;
		if (t.p[i] == '\n')
			at = (struct place){ at.line + 1, 1 };
		i += len;
	}
	return true;
}

static struct node *node_new(struct build *b, enum node_kind kind, const yaml_event_t *ev)
{
	struct node *n;

	if (++b->n_nodes > OSH_POLICY_NODES) {
		diag_add(b->d, DIAG_LIMIT, place_of(ev->start_mark), NULL,
			 "more than %u values in one policy", OSH_POLICY_NODES);
		b->stop = true;
		return NULL;
	}
	n = arena_zalloc(b->a, sizeof(*n));
	if (!n) {
		b->stop = true;
		return NULL;
	}
	n->kind = kind;
	n->at = place_of(ev->start_mark);
	return n;
}

static void refuse(struct build *b, const yaml_event_t *ev, const char *what, const char *instead)
{
	diag_add(b->d, DIAG_FEATURE, place_of(ev->start_mark), instead, "%s are not allowed in a policy", what);
}

static void refuse_marks(struct build *b, const yaml_event_t *ev, const void *anchor, const void *tag)
{
	if (anchor)
		refuse(b, ev, "anchors", in_full);
	if (tag)
		refuse(b, ev, "tags", in_full);
}

/* Puts a finished or just opened node where it belongs: root, list entry, mapping key or value. */
static void attach(struct build *b, struct node *n)
{
	uint32_t at = b->depth - 1;
	struct node *up;

	if (!b->depth) {
		b->root = n;
		return;
	}
	up = b->open[at];
	if (up->kind == NODE_MAP && !b->key[at]) {
		if (n->kind != NODE_SCALAR) {
			diag_add(b->d, DIAG_TYPE, n->at, NULL, "a key must be plain text");
			b->stop = true;
			return;
		}
		if (n->plain && !strcmp(n->text, "<<"))
			diag_add(b->d, DIAG_FEATURE, n->at, "write the keys out in full",
				 "merge keys are not allowed in a policy");
		b->key[at] = n;
		return;
	}
	n->key = b->key[at];
	b->key[at] = NULL;
	if (b->last[at])
		b->last[at]->next = n;
	else
		up->first = n;
	b->last[at] = n;
	up->n++;
}

static void on_scalar(struct build *b, const yaml_event_t *ev)
{
	const char *p = (const char *)ev->data.scalar.value;
	size_t len = ev->data.scalar.length;
	struct node *n = node_new(b, NODE_SCALAR, ev);

	if (!n)
		return;
	refuse_marks(b, ev, ev->data.scalar.anchor, ev->data.scalar.tag);
	if (memchr(p, 0, len))
		diag_add(b->d, DIAG_ENCODING, n->at, NULL, "text holds a NUL byte");
	n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	n->text = arena_text(b->a, p, len);
	if (!n->text) {
		b->stop = true;
		return;
	}
	attach(b, n);
}

static void on_open(struct build *b, const yaml_event_t *ev, enum node_kind kind)
{
	struct node *n = node_new(b, kind, ev);

	if (!n)
		return;
	if (b->depth == OSH_POLICY_DEPTH) {
		diag_add(b->d, DIAG_LIMIT, n->at, NULL, "nested deeper than %u levels",
			 OSH_POLICY_DEPTH);
		b->stop = true;
		return;
	}
	attach(b, n);
	b->open[b->depth] = n;
	b->last[b->depth] = NULL;
	b->key[b->depth] = NULL;
	b->depth++;
}

static int by_key(const void *pa, const void *pb)
{
	const struct node *a = *(const struct node *const *)pa, *b = *(const struct node *const *)pb;
	int order = strcmp(a->key->text, b->key->text);

	if (order)
		return order;
	if (a->key->at.line != b->key->at.line)
		return a->key->at.line < b->key->at.line ? -1 : 1;
	return a->key->at.col < b->key->at.col ? -1 : a->key->at.col > b->key->at.col;
}

/* Sorted, not compared pairwise: a mapping may have many thousand keys. */
static void on_close(struct build *b)
{
	struct node *map = b->open[--b->depth];
	const struct node **all;
	uint32_t n = 0;

	if (map->kind != NODE_MAP || map->n < 2)
		return;
	all = arena_zalloc(b->a, map->n * sizeof(*all));
	if (!all) {
		b->stop = true;
		return;
	}
	for (const struct node *e = map->first; e; e = e->next)
		all[n++] = e;
	qsort(all, n, sizeof(*all), by_key);
	for (uint32_t i = 1; i < n; i++)
		if (!strcmp(all[i - 1]->key->text, all[i]->key->text))
			diag_add(b->d, DIAG_DUPLICATE, all[i]->key->at, NULL,
				 "key '%s' was given before, on line %u", all[i]->key->text,
				 all[i - 1]->key->at.line);
}

static void on_document(struct build *b, const yaml_event_t *ev)
{
	if (b->n_docs++) {
		refuse(b, ev, "several documents", "one file is one policy: put each into a file of its own");
		b->stop = true;
	}
	if (ev->data.document_start.version_directive ||
	    ev->data.document_start.tag_directives.start !=
		    ev->data.document_start.tag_directives.end)
		refuse(b, ev, "YAML directives", "leave the lines that begin with '%' away");
}

static void on_event(struct build *b, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		on_document(b, ev);
		break;
	case YAML_ALIAS_EVENT:
		refuse(b, ev, "aliases", in_full);
		b->stop = true;		/* what it stands for is unknown: later messages would mislead */
		break;
	case YAML_SCALAR_EVENT:
		on_scalar(b, ev);
		break;
	case YAML_SEQUENCE_START_EVENT:
		refuse_marks(b, ev, ev->data.sequence_start.anchor, ev->data.sequence_start.tag);
		on_open(b, ev, NODE_LIST);
		break;
	case YAML_MAPPING_START_EVENT:
		refuse_marks(b, ev, ev->data.mapping_start.anchor, ev->data.mapping_start.tag);
		on_open(b, ev, NODE_MAP);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		on_close(b);
		break;
	case YAML_STREAM_END_EVENT:
		b->stop = true;
		break;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		break;
	}
}

static void syntax_error(struct build *b, const yaml_parser_t *p)
{
	struct place at = place_of(p->problem_mark);

	if (p->error == YAML_MEMORY_ERROR)
		b->a->bad = true;
	else if (p->error == YAML_READER_ERROR)
		diag_add(b->d, DIAG_ENCODING, place_at(b->text, p->problem_offset), NULL,
			 "%s, at byte %zu", p->problem, p->problem_offset);
	else
		diag_add(b->d, DIAG_SYNTAX, at, NULL, "%s%s%s", p->context ? p->context : "",
			 p->context ? ": " : "", p->problem ? p->problem : "not valid YAML");
}

const struct node *yaml_read(struct slice text, struct arena *a, struct diags *d)
{
	struct build b = { .a = a, .d = d, .text = text };
	uint32_t errors = d->n_errors;
	yaml_parser_t parser;
	yaml_event_t ev;
	bool failed = false;

	if (text.n > OSH_POLICY_BYTES) {
		diag_add(d, DIAG_LIMIT, place_at(text, OSH_POLICY_BYTES), NULL,
			 "policy is larger than %u bytes", OSH_POLICY_BYTES);
		return NULL;
	}
	if (!text_ok(text, d))
		return NULL;
	/* A mark that some editors set; libyaml would count it as a column, and the next line as indented less. */
	if (text.n >= 3 && !memcmp(text.p, "\xef\xbb\xbf", 3))
		b.text = text = (struct slice){ text.p + 3, text.n - 3 };
	if (!yaml_parser_initialize(&parser)) {
		a->bad = true;
		return NULL;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	/* libyaml asserts that the text is not NULL, and an empty file gives that. */
	yaml_parser_set_input_string(&parser, (const unsigned char *)(text.p ? text.p : ""), text.n);
	while (!b.stop && !failed) {
		failed = !yaml_parser_parse(&parser, &ev);
		if (failed) {
			syntax_error(&b, &parser);
			break;
		}
		on_event(&b, &ev);
		yaml_event_delete(&ev);
	}
	yaml_parser_delete(&parser);
	if (!b.root && !failed && !a->bad && d->n_errors == errors)
		diag_add(d, DIAG_MISSING, (struct place){ 1, 1 }, NULL, "policy is empty");
	/* A half-read tree would only give wrong messages about missing keys. */
	return failed || b.depth || a->bad ? NULL : b.root;
}
