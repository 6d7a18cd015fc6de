/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a call may use, from its body, before it is sent. It need not be JSON: what is said twice counts as the most of it,
 * and what a server may read and this cannot counts as more than any limit has. Wrong guesses are put right by the answer.
 */
#include <string.h>
#include <strings.h>

#include "infer/infer.h"

#define DATA 512			/* so many letters of base64 in a row are no text */
#define PICTURE 1600			/* tokens that one has, about, whatever its size */

/* ---- what is sent */

static bool is_base64(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '=' ||
	       c == '-' || c == '_';
}

uint64_t guess_sent(struct slice body)
{
	uint64_t text = 0, data = 0;
	size_t run = 0;

	for (size_t i = 0; i <= body.n; i++) {
		if (i < body.n && is_base64((unsigned char)body.p[i])) {
			run++;
			continue;
		}
		if (run >= DATA)
			data += PICTURE + run / 64;
		else
			text += run;
		text += i < body.n;
		run = 0;
	}
	return data + (text + 2) / 3;
}

/* ---- what may come back */

enum said { SAID_MOST, SAID_TIMES };

static const struct {
	const char *within, *name;	/* "" = beside the call itself */
	enum said what;
} fields[] = {
	{ "", "max_tokens", SAID_MOST },	{ "", "max_completion_tokens", SAID_MOST },
	{ "", "max_output_tokens", SAID_MOST }, { "", "max_tokens_to_sample", SAID_MOST },
	{ "", "maxTokens", SAID_MOST },		{ "", "max_gen_len", SAID_MOST },
	{ "", "n_predict", SAID_MOST },		{ "", "n", SAID_TIMES },
	{ "", "best_of", SAID_TIMES },		{ "", "num_generations", SAID_TIMES },
	{ "", "numResults", SAID_TIMES },	{ "options", "num_predict", SAID_MOST },
	{ "inferenceConfig", "maxTokens", SAID_MOST }, { "inferenceConfig", "max_new_tokens", SAID_MOST },
	{ "textGenerationConfig", "maxTokenCount", SAID_MOST },
	{ "additionalModelRequestFields", "max_tokens", SAID_MOST },
};

struct scan {
	const char *p, *end;
	unsigned depth;
	struct slice around;		/* the member whose value is open at depth 2 */
	struct slice name;		/* the member whose value comes */
	bool value;			/* after a colon */
	bool list;			/* what is open at depth 2 is one */
	uint64_t most, times, prompts;
	bool said;
};

static bool escaped(struct slice s)
{
	return s.n && memchr(s.p, '\\', s.n);
}

/* Some servers do not mind in which case a name is written. */
static bool names(struct slice s, const char *name)
{
	return s.n == strlen(name) && !strncasecmp(s.p, name, s.n);
}

/* Behind the text that begins at *p; its bytes are in *ret. */
static void text(struct scan *s, struct slice *ret)
{
	const char *from = ++s->p;

	while (s->p < s->end && *s->p != '"')
		s->p += *s->p == '\\' && s->end - s->p > 1 ? 2 : 1;
	*ret = (struct slice){ from, (size_t)(s->p - from) };
	s->p += s->p < s->end;
}

static bool in_number(char c)
{
	return (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-';
}

/* -1 and the like are no bound; a fraction or a power is one that nobody here can read. */
static uint64_t number(struct slice s)
{
	bool minus = s.n && *s.p == '-', plain = true;
	uint64_t v = 0;

	for (size_t i = minus; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			plain = false;
		else
			v = v < OSH_COUNT_MOST ? v * 10 + (uint64_t)(s.p[i] - '0') : v;
	}
	return minus ? 0 : plain && v <= OSH_COUNT_MOST ? v : OSH_COUNT_MOST;
}

/* A value of a member of the call, or of an object in it: a number, or a text that some servers take for one. */
static void take(struct scan *s, struct slice value)
{
	uint64_t v;

	if (!s->value || s->depth < 1 || s->depth > 2 || !value.n || (*value.p != '-' && (*value.p < '0' || *value.p > '9')))
		return;
	v = number(value);
	/* A name that is written with escapes could be any. */
	if (escaped(s->name) || (s->depth == 2 && escaped(s->around))) {
		s->most = v > s->most ? v : s->most;
		s->said |= v != 0;
		return;
	}
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (!names(s->name, fields[i].name) || (s->depth == 1 ? fields[i].within[0] != 0 :
								   !names(s->around, fields[i].within)))
			continue;
		if (fields[i].what == SAID_TIMES) {
			s->times = v > s->times ? v : s->times;
		} else {
			s->most = v > s->most ? v : s->most;
			s->said |= v != 0;
		}
	}
}

/* Each text of a list of prompts, or each list of its tokens, has an answer of its own. */
static void prompt(struct scan *s)
{
	s->prompts += s->depth == 2 && s->list && (names(s->around, "prompt") || escaped(s->around));
}

static void open_one(struct scan *s)
{
	if (s->depth == 1) {
		s->list = *s->p == '[';
		s->around = s->value ? s->name : (struct slice){ "", 0 };
	}
	s->depth++;
	s->value = false;
}

static void step(struct scan *s)
{
	const char *from = s->p;
	struct slice word;

	switch (*s->p) {
	case '"':
		prompt(s);
		text(s, &word);
		if (s->value)
			take(s, word);
		else
			s->name = word;
		return;
	case ':':
		s->value = true;
		break;
	case ',':
		s->value = false;
		break;
	case '{':
	case '[':
		prompt(s);
		open_one(s);
		break;
	case '}':
	case ']':
		s->depth -= s->depth > 0;
		break;
	default:
		while (s->p < s->end && in_number(*s->p))
			s->p++;
		if (s->p == from)
			break;
		take(s, (struct slice){ from, (size_t)(s->p - from) });
		return;
	}
	s->p++;
}

static const bool silent[OSH_SHAPES] = {	/* what comes back is no text */
	[OSH_SHAPE_EMBEDDINGS] = true, [OSH_SHAPE_OLLAMA_EMBED] = true,
	[OSH_SHAPE_OLLAMA_EMBEDDINGS] = true, [OSH_SHAPE_LLAMA_EMBEDDING] = true,
};

static uint64_t times(uint64_t a, uint64_t b)
{
	return b && a > OSH_COUNT_MOST / b ? OSH_COUNT_MOST : a * b;
}

uint64_t guess_answer(enum osh_shape shape, struct slice body)
{
	struct scan s = { .p = body.p, .end = body.p + body.n, .around = { "", 0 }, .name = { "", 0 }, .times = 1 };

	if (silent[shape])
		return 0;
	while (s.p < s.end)
		step(&s);
	return times(times(s.said ? s.most : GUESS_UNSAID, s.times), s.prompts ? s.prompts : 1);
}
