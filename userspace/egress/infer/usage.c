/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tokenizer of JSON as it streams, which keeps nothing but where it is: which member of which object a number is.
 * Content is in texts and under other members, so nothing that a model writes is taken for a count.
 */
#include <string.h>
#include <strings.h>

#include "infer/infer.h"

enum level { L_OTHER, L_USAGE, L_AROUND };	/* `usage`; `message` or `response`, which may hold one */

#define MOST (1ull << 40)		/* tokens of one call: what says more is not believed */

static const struct {
	const char *name;
	enum usage_part part;
	bool top;			/* beside the answer itself, not in `usage` */
} counts[] = {
	{ "prompt_tokens", USAGE_IN, false },	 { "completion_tokens", USAGE_OUT, false },
	{ "input_tokens", USAGE_IN, false },	 { "output_tokens", USAGE_OUT, false },
	{ "inputTokens", USAGE_IN, false },	 { "outputTokens", USAGE_OUT, false },
	{ "prompt_eval_count", USAGE_IN, true }, { "eval_count", USAGE_OUT, true },
	{ "tokens_evaluated", USAGE_IN, true },	 { "tokens_predicted", USAGE_OUT, true },
	/* Anthropic's beside input_tokens; OpenAI's are a part of prompt_tokens. */
	{ "cache_creation_input_tokens", USAGE_IN_STORED, false },
	{ "cache_read_input_tokens", USAGE_IN_CACHED, false },
};

void usage_start(struct usage *u, struct slice type)
{
	size_t n = 0;

	while (n < type.n && type.p[n] != ';' && type.p[n] != ' ')
		n++;
	*u = (struct usage){ .lines = (n == 17 && !strncasecmp(type.p, "text/event-stream", n)) ||
				      (n == 20 && !strncasecmp(type.p, "application/x-ndjson", n)) };
}

static bool is_name(const struct usage *u, const char *name)
{
	return strlen(name) == u->n_name && !memcmp(u->name, name, u->n_name);
}

static bool in_usage(const struct usage *u)
{
	return (u->depth == 2 && u->level[1] == L_USAGE) ||
	       (u->depth == 3 && u->level[1] == L_AROUND && u->level[2] == L_USAGE);
}

/* A member's name at the end of its text: what does the value that follows mean? */
static void named(struct usage *u)
{
	enum level l = L_OTHER;

	if (!u->depth || u->depth >= USAGE_DEPTH)
		return;
	if (is_name(u, "usage"))
		l = L_USAGE;
	else if (u->depth == 1 && (is_name(u, "message") || is_name(u, "response")))
		l = L_AROUND;
	u->level[u->depth] = l;
}

/* Servers count up while they stream: the most is the sum. */
static void number_ends(struct usage *u)
{
	if (u->digits && u->value && u->number < MOST)
		for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
			if (!is_name(u, counts[i].name) || !(counts[i].top ? u->depth == 1 : in_usage(u)))
				continue;
			if (u->number > u->part[counts[i].part])
				u->part[counts[i].part] = u->number;
			u->said = true;
		}
	u->digits = false;
	u->number = 0;
}

static void in_text(struct usage *u, char c)
{
	if (u->escape) {
		u->escape = false;
		u->n_name = sizeof(u->name);	/* of ours none has one */
	} else if (c == '\\') {
		u->escape = true;
	} else if (c == '"') {
		u->text = false;
	} else if (u->n_name < sizeof(u->name)) {
		u->name[u->n_name++] = c;
	}
}

static void open_one(struct usage *u)
{
	if (u->depth < UINT16_MAX)
		u->depth++;
	if (u->depth < USAGE_DEPTH)
		u->level[u->depth] = L_OTHER;
	u->value = false;
}

static void one(struct usage *u, char c)
{
	if (u->text) {
		in_text(u, c);
		return;
	}
	if (c >= '0' && c <= '9') {
		u->digits = true;
		u->number = u->number < MOST ? u->number * 10 + (uint64_t)(c - '0') : MOST;
		return;
	}
	if (c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E')
		u->number = MOST;	/* no count */
	else
		number_ends(u);
	switch (c) {
	case '"':
		u->text = true;
		u->n_name = 0;
		break;
	case ':':
		if (!u->value)
			named(u);
		u->value = true;
		break;
	case ',':
		u->value = false;
		break;
	case '{':
	case '[':
		open_one(u);
		break;
	case '}':
	case ']':
		u->depth -= u->depth > 0;
		u->value = false;
		break;
	default:
		break;
	}
}

/* A line is "data: {...}", or JSON; others say nothing. */
static void new_line(struct usage *u)
{
	number_ends(u);
	u->text = u->escape = u->value = u->begun = false;
	u->depth = 0;
}

void usage_feed(struct usage *u, struct slice bytes)
{
	for (size_t i = 0; i < bytes.n; i++) {
		char c = bytes.p[i];

		if (u->lines && (c == '\n' || c == '\r')) {
			new_line(u);
			continue;
		}
		if (u->lines && !u->begun) {
			if (c != '{')
				continue;
			u->begun = true;
			u->events++;
		}
		one(u, c);
	}
}

uint64_t usage_in(const struct usage *u)
{
	return u->part[USAGE_IN] + u->part[USAGE_IN_STORED] + u->part[USAGE_IN_CACHED];
}

uint64_t usage_out(const struct usage *u)
{
	return u->said ? u->part[USAGE_OUT] : u->events;
}
