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

#define S(id) (1u << OSH_SHAPE_##id)
#define INVOKES (S(INVOKE) | S(INVOKE_STREAM))
#define CONVERSES (S(CONVERSE) | S(CONVERSE_STREAM))
#define LLAMAS (S(LLAMA_COMPLETION) | S(LLAMA_INFILL))

/*
 * `bounds`: calls whose servers go by it; of them only the hosts below `host` where one is named. What is posted to a model
 * of Bedrock is read as its makers want it: by those that `of` names. Elsewhere it may say more than they do, and never less.
 */
static const struct {
	const char *within, *name;	/* "" = beside the call itself */
	enum said what;
	uint32_t bounds;
	const char *of, *host;
} fields[] = {
	{ "", "max_tokens", SAID_MOST, S(CHAT) | S(COMPLETIONS) | S(MESSAGES) | INVOKES | LLAMAS,
	  "anthropic. mistral. cohere. deepseek. writer. ai21.jamba", NULL },
	{ "", "max_completion_tokens", SAID_MOST, S(CHAT) | INVOKES, "openai.", "api.openai.com" },
	{ "", "max_output_tokens", SAID_MOST, S(RESPONSES), NULL, NULL },
	{ "", "max_tokens_to_sample", SAID_MOST, INVOKES, "anthropic.", NULL },
	{ "", "maxTokens", SAID_MOST, INVOKES, "ai21.j2", NULL },
	{ "", "max_gen_len", SAID_MOST, INVOKES, "meta.", NULL },
	{ "", "n_predict", SAID_MOST, LLAMAS, NULL, NULL },
	{ "", "n", SAID_TIMES, 0, NULL, NULL },
	{ "", "best_of", SAID_TIMES, 0, NULL, NULL },
	{ "", "num_generations", SAID_TIMES, 0, NULL, NULL },
	{ "", "numResults", SAID_TIMES, 0, NULL, NULL },
	{ "options", "num_predict", SAID_MOST, S(OLLAMA_CHAT) | S(OLLAMA_GENERATE), NULL, NULL },
	{ "inferenceConfig", "maxTokens", SAID_MOST, CONVERSES, NULL, NULL },
	{ "inferenceConfig", "max_new_tokens", SAID_MOST, INVOKES, "amazon.nova", NULL },
	{ "textGenerationConfig", "maxTokenCount", SAID_MOST, INVOKES, "amazon.titan", NULL },
	{ "additionalModelRequestFields", "max_tokens", SAID_MOST, 0, NULL, NULL },
};

_Static_assert(OSH_SHAPES <= 32 && sizeof(fields) / sizeof(fields[0]) <= 32, "each is a bit");

struct scan {
	const char *p, *end;
	unsigned depth;
	struct slice around;		/* the member whose value is open at depth 2 */
	struct slice name;		/* the member whose value comes */
	bool value;			/* after a colon */
	bool list;			/* what is open at depth 2 is one */
	uint64_t most, times, prompts;
	uint32_t numbers, nulls;	/* bit i: fields[i] is said so */
	bool open;			/* a bound is said that is none: it may be the one that counts */
};

/* An escape may stand for any letter, and servers in Go take two letters beyond ASCII for `s` and `k`. */
static bool veiled(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\\' || (unsigned char)s.p[i] >= 0x80)
			return true;
	return false;
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

/* Of a number, or of true, false and null. */
static bool in_word(char c)
{
	return (c >= '0' && c <= '9') || c == '.' || c == '+' || c == '-' || ((c | 32) >= 'a' && (c | 32) <= 'z');
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

/* `value`: of fields[i], or of what could be. */
static void bound(struct scan *s, uint32_t which, struct slice value, bool text)
{
	uint64_t v = value.n && (*value.p == '-' || (*value.p >= '0' && *value.p <= '9')) ? number(value) : 0;

	s->most = v > s->most ? v : s->most;
	if (v)
		s->numbers |= which;
	else if (!text && value.n && *value.p == 'n')
		s->nulls |= which;	/* as if it were not said, or not any more */
	else
		s->open = true;
}

static bool could_be(const struct scan *s, size_t i)
{
	if (!names(s->name, fields[i].name) && !veiled(s->name))
		return false;
	return s->depth == 1 ? !fields[i].within[0] : names(s->around, fields[i].within) || veiled(s->around);
}

/* A veiled name could be any: it raises what is said, and bounds nothing. */
static void raise_by(struct scan *s, enum said what, struct slice value)
{
	uint64_t *to = what == SAID_TIMES ? &s->times : &s->most, v;

	if (value.n && *value.p >= '0' && *value.p <= '9') {
		v = number(value);
		*to = v > *to ? v : *to;
	} else if (what == SAID_MOST) {
		s->open = true;
	}
}

/*
 * A value of a member of the call, or of an object in it: its bytes, or the first of them; a number may be a text, which some
 * servers take for one.
 */
static void take(struct scan *s, struct slice value, bool text)
{
	bool any = veiled(s->name) || (s->depth == 2 && veiled(s->around));

	if (!s->value || s->depth < 1 || s->depth > 2)
		return;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (!could_be(s, i))
			continue;
		if (!any && fields[i].what == SAID_MOST)
			bound(s, 1u << i, value, text);
		else
			raise_by(s, fields[i].what, value);
	}
}

/* Each text of a list of prompts, or each list of its tokens, has an answer of its own. */
static void prompt(struct scan *s)
{
	s->prompts += s->depth == 2 && s->list && (names(s->around, "prompt") || veiled(s->around));
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
			take(s, word, true);
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
		take(s, (struct slice){ s->p, 1 }, false);
		open_one(s);
		break;
	case '}':
	case ']':
		s->depth -= s->depth > 0;
		break;
	default:
		while (s->p < s->end && in_word(*s->p))
			s->p++;
		if (s->p == from)
			break;
		take(s, (struct slice){ from, (size_t)(s->p - from) }, false);
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

/* `of`: beginnings of ids, with a space between; before them may be what says where (`us.`), or a whole path of an ARN. */
static bool made_by(const char *of, const char *model)
{
	const char *id = strrchr(model, '/') ? strrchr(model, '/') + 1 : model, *dot = strchr(id, '.');

	for (size_t n; of && *of; of += n + (of[n] == ' ')) {
		n = strcspn(of, " ");
		if (!strncmp(id, of, n) || (dot && !strncmp(dot + 1, of, n)))
			return true;
	}
	return false;
}

static bool is_below(const char *host, const char *name)
{
	size_t n = strlen(host), most = strlen(name);

	return n >= most && !strcasecmp(host + n - most, name) && (n == most || host[n - most - 1] == '.');
}

static bool goes_by(const struct guess_call *call, size_t i)
{
	if (!(fields[i].bounds >> call->shape & 1))
		return false;
	if (INVOKES >> call->shape & 1)
		return made_by(fields[i].of, call->model);
	return !fields[i].host || is_below(call->host, fields[i].host);
}

/* There is a bound that such a call's server goes by. */
static bool said(const struct scan *s, const struct guess_call *call)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if ((s->numbers & ~s->nulls) >> i & 1 && goes_by(call, i))
			return !s->open;
	return false;
}

uint64_t guess_answer(const struct guess_call *call, struct slice body)
{
	struct scan s = { .p = body.p, .end = body.p + body.n, .around = { "", 0 }, .name = { "", 0 }, .times = 1 };

	if (silent[call->shape])
		return 0;
	while (s.p < s.end)
		step(&s);
	return times(times(said(&s, call) || s.most > GUESS_UNSAID ? s.most : GUESS_UNSAID, s.times), s.prompts ? s.prompts : 1);
}
