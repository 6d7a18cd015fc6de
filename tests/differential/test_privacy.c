/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random rules about content and random bodies, written with and without escapes: what the egress finds and sends on, by the
 * bundle, against what eval says of the same texts. A body is made of texts, so what was sent is read back as texts. And, lest
 * both err alike, JSON in JSON with keys of which the test knows where they are.
 */
#include <string.h>

#include <jansson.h>

#include "eval.h"
#include "infer/infer.h"
#include "infer/privacy.h"
#include "text.h"

#include "random_world.h"	/* last: cmocka defines a macro called fail */

#define ROUNDS 600
#define ASKED 40
#define TEXTS 12

static const char *const kinds[] = { "secrets", "api_key", "aws", "github", "gitlab", "npm", "pypi", "slack", "private_key", "jwt",
				     "email", "email" };
static const char *const globs[] = { "abc", "a?c", "id-[0-9]*", "[!a]b", "a*.b*", "x y", "{p,q}-*", "\\\\?*", "é", "a", "?", "[a-c]d", "B* A", "x[ -]y", "a*..b*.c*", "n",
				     "\\\\[x", "@a", "a-*@b", "[\xc3\xa9]" };
/* What is built from those meets patterns, or nearly. */
static const char *const pieces[] = {
	"a", "b", "c", "A", "B", "abc", "aBc", "id-", "ID-7", "7", "x y", "p-", "q-", "-", "_", ".", " ", "\n", "\\", "\\n", "\\u0041", "?",
	"é", "ａ", "\xe2\x80\x8b", "\xc2\xad", "\u200e", "\u034f", "\u2063", "\u202e",
	"\ufe0f", "\U000e0001", "\U000e007f", "\U000e0100", "\U000e0061", "\U000e0041\U000e0040", "\U000e0020", "\u2010", "\xf0\x9f\x98\x80", "\"", "/", "@", "a@b.co", "ann.x+y@mail.example.org", "@b.c", ".co",
	"a@b.co1", "a@1.22", "sk-ant-api03-abcdefghij0123456789", "sk-abcdefghijklmnopqrst0123", "task-abcdefghijklmnopqrst0123", "sk-",
	"AKIAABCDEFGHIJKLMNOP", "ASIA0123456789ABCDEF", "AKIA", "0123456789ABCDEF", "ghp_0123456789012345678901234567890123456789",
	"github_pat_0123456789012345678901234567", "ghp_012", "glpat-01234567890123456789", "npm_01234567890123456789012345678901234567",
	"npm_config_registry_of_the_whole_company_here", "xoxb-0123456789-abcdefgh", "-----BEGIN PRIVATE KEY-----",
	"-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----", "-----END PRIVATE KEY-----", "-----BEGIN PUBLIC KEY-----",
	"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abcdefghijk", "eyJ", ".eyJ", "AIzaSyA0123456789012345678901234567890ab",
	"ann@", "x.y", "..", "a.b", "xoxb-", "eyJabcdefghijklmnop", ".eyJabcdefghijklmnop.", "\\nann@example.org",
	"ｓｋ-ant-api03-abcdefghij0123456789", "hf_",
	"\\u0041KIAABCDEFGHIJKLMNOP", "\\\\u0041KIA", "\\\\\\\\u0041", "AKI\\u200bAABCDEFGHIJKLMNOP", "\\u005c", "u0040b.co", "a\\u0040b.co", "\\\"", "\\/", "\\\\",
	"\\u0041sk-abcdefghijklmnopqrst0123", "s\\u006b-abcdefghijklmnopqrst0123", "\\u0041", "\x1b[\\u0061", "\\ud83d\\ude00", "\\ud83d", "\\udb40\\udc41", "\\uff41", "\\u00e9", "\\u12", "\\r", "\x1b[31m", "\x1b[01;3", "\x1b[K", "\\u001b[m", "\x1b", "[", "pypi-AgEIcHlwaS5vcmc01234567890123456789012345678901234567",
};

static void put_rule(struct buf *b, unsigned i)
{
	unsigned what = 1 + pick(3);

	buf_printf(b, "    - {name: r%u, action: %s", i, pick(3) ? "redact" : pick(2) ? "refuse" : "local");
	if (what & 1) {
		buf_printf(b, ", kinds: [%s", PICK(kinds));
		while (pick(3))
			buf_printf(b, ", %s", PICK(kinds));
		buf_str(b, "]");
	}
	if (what & 2) {
		buf_printf(b, ", patterns: [\"%s\"", PICK(globs));
		while (pick(2))
			buf_printf(b, ", \"%s\"", PICK(globs));
		buf_str(b, "]");
	}
	buf_str(b, "}\n");
}

static void put_policy(struct buf *b)
{
	buf_str(b, "inference:\n  routes: [{name: a, api: openai, host: a.test, local: true}]\n  privacy:\n");
	for (unsigned i = 0, n = 1 + pick(4); i < n; i++)
		put_rule(b, i);
}

/* ---- bodies */

static void put_string(struct buf *b, const char *s)
{
	bool all = !pick(4), some = pick(2);

	buf_str(b, "\"");
	for (const unsigned char *c = (const unsigned char *)s; *c; c++) {
		if ((*c < 0x20 && *c != '\n') || (*c < 0x80 && (all || (some && !pick(6)))))
			buf_printf(b, pick(2) ? "\\u%04x" : "\\u%04X", *c);
		else if (!strncmp((const char *)c, "\xf0\x9f\x98\x80", 4) && (all || some)) {
			buf_str(b, "\\ud83d\\uDE00");
			c += 3;
		} else if (!strncmp((const char *)c, "ａ", 3) && (all || some)) {
			buf_str(b, "\\uFF41");
			c += 2;
		} else if (*c == '\n')
			buf_str(b, "\\n");
		else if (*c == '"' || *c == '\\' || (*c == '/' && pick(2)))
			buf_printf(b, "\\%c", *c);
		else
			buf_put(b, c, 1);
	}
	buf_str(b, "\"");
}

struct body {
	struct eval_said said[TEXTS];
	struct buf texts[TEXTS], json;
	size_t n, model;		/* where the model's name begins */
};

static void put_text(struct body *body, bool fixed)
{
	struct buf *t = &body->texts[body->n];

	for (unsigned i = 0, n = pick(9); i < n; i++)
		buf_str(t, PICK(pieces));
	buf_put(t, "", 1);
	put_string(&body->json, t->p);
	body->said[body->n++] = (struct eval_said){ t->p, t->n - 1, fixed };
}

/* {"model": "m", KEY: [TEXT, {KEY: TEXT}, ...]} */
static void body_new(struct body *body)
{
	struct buf *j = &body->json;

	*body = (struct body){ 0 };
	buf_str(j, pick(2) ? "{\"model\":\"" : "{ \"model\" : \"");
	body->model = j->n;
	buf_str(j, "m\", \"x\":[1.5");
	while (body->n < TEXTS - 2 && pick(8)) {
		buf_str(j, pick(2) ? ", " : ",");
		if (pick(3)) {
			put_text(body, false);
			continue;
		}
		buf_str(j, "{");
		if (pick(8))
			buf_str(j, "\"\"");
		else
			put_text(body, true);
		buf_str(j, pick(2) ? ":" : " :\t");
		put_text(body, false);
		buf_str(j, "}");
	}
	buf_str(j, "], \"n\": null}");
}

static void body_done(struct body *body)
{
	for (size_t i = 0; i < body->n; i++)
		buf_done(&body->texts[i]);
	buf_done(&body->json);
}

/* ---- both */

static void same_texts(struct world *w, const struct body *body, struct slice sent, size_t at)
{
	struct arena a = { 0 };
	json_error_t e;
	json_t *root = json_loadb(sent.p, sent.n, 0, &e), *all = json_object_get(root, "x"), *one;
	size_t i, n = 0;

	if (!root)
		fail_msg("what is sent is no JSON: %s\n%.*s\n%.*s", e.text, (int)sent.n, sent.p, (int)w->text.n, w->text.p);
	assert_string_equal(json_string_value(json_object_get(root, "model")), "m");
	assert_memory_equal(sent.p + at, "m\"", 2);
	json_array_foreach(all, i, one) {
		const char *key = NULL, *text = json_string_value(one);

		if (json_is_real(one))
			continue;
		if (json_is_object(one)) {
			key = json_object_iter_key(json_object_iter(one));
			text = json_string_value(json_object_iter_value(json_object_iter(one)));
		}
		if (key && *key)
			assert_string_equal(key, body->said[n++].p);
		else if (key && body->said[n].fixed)
			n++;		/* an empty one that was made */
		if (strcmp(text, eval_redacted(&w->p, &body->said[n], &a)) != 0)
			fail_msg("of '%s': eval '%s', egress '%s'\n%.*s", body->said[n].p, eval_redacted(&w->p, &body->said[n], &a),
				 text, (int)w->text.n, w->text.p);
		n++;
	}
	assert_int_equal(n, body->n);
	json_decref(root);
	arena_done(&a);
}

static unsigned refused, changed, none;

static void ask(struct world *w)
{
	struct arena a = { 0 };
	struct eval_private want;
	struct privacy got = { 0 };
	struct body body;
	struct slice json;
	struct buf out = { 0 };
	enum osh_reason why;
	size_t at;

	body_new(&body);
	json = (struct slice){ body.json.p, body.json.n };
	at = body.model;
	/* The name of the model is one of the texts. */
	body.said[body.n] = (struct eval_said){ "m", 1, true };
	why = eval_privacy(&w->p, body.said, body.n + 1, &a, &want);
	assert_true(top_is_object(json));
	assert_int_equal(privacy_look(&w->b, json, body.model, &got), PRIVACY_READ);
	for (uint32_t i = 0; i < w->b.n_privacy; i++) {
		/* Keys of ours are texts, too: what they hold is counted by one side alone. */
		struct eval_said ours[] = { { "model", 5, true }, { "x", 1, true }, { "n", 1, true } };
		struct eval_private fixed;

		(void)eval_privacy(&w->p, ours, 3, &a, &fixed);
		if (fixed.found[i])
			goto over;
		if (want.found[i] != got.found[i])
			fail_msg("rule %u: eval %llu, egress %llu\n%.*s\n%.*s", i, (unsigned long long)want.found[i],
				 (unsigned long long)got.found[i], (int)json.n, json.p, (int)w->text.n, w->text.p);
	}
	assert_int_equal(why == OSH_WHY_PRIVATE, got.stops != 0);
	assert_int_equal(want.local, got.local);
	assert_true(privacy_redact(&w->b, json, body.model, &at, &out));
	same_texts(w, &body, (struct slice){ out.p, out.n }, at);
	assert_true(got.changes || (out.n == json.n && !memcmp(out.p, json.p, json.n)));
	refused += why == OSH_WHY_PRIVATE;
	changed += got.changes != 0;
	none += !got.stops && !got.changes;
over:
	buf_done(&out);
	body_done(&body);
	arena_done(&a);
}

static void test_random(void **state)
{

	(void)state;
	world_seed();
	for (int i = 0; i < ROUNDS; i++) {
		struct world w;

		world_new(&w, put_policy);
		for (int k = 0; k < ASKED; k++)
			ask(&w);
		world_done(&w);
	}
	print_message("refused %u, changed %u, nothing found %u\n", refused, changed, none);
	assert_true(refused > ROUNDS && changed > ROUNDS && none > ROUNDS);
}

/* ---- keys at known places: what shows only to who reads JSON in a text stops the call, whatever else there is */

#define KEY "abcdefghij0123456789"

static const struct {
	const char *text;		/* a string of JSON within a text */
	bool hides;			/* a key, from who reads the text only */
} values[] = {
	{ "s\\u006b-ant-api03-" KEY, true },
	{ "AK\\u0049A" "ABCDEFGHIJKLMNOP", true },
	{ "\\u0041sk-" KEY "abcd", false },	/* read as JSON it is no key: a letter is in front of it */
	{ "\\u007aAKIA" "ABCDEFGHIJKLMNOP", false },
	{ "\\nsk-ant-api03-" KEY, false },
	{ "sk-ant-api03-" KEY, false },
	{ "AKIA" "ABCDEFGHIJKLMNOP", false },
	{ "a\\tb \\u00e9", false },
	{ "no key", false },
};

/* Every text that is found where what is JSON is read as such, again and again. */
static bool holds_key(const json_t *at)
{
	const char *text = json_string_value(at);
	json_t *inner, *one;
	bool holds = false;
	const char *name;
	size_t i;

	if (!text) {
		json_object_foreach((json_t *)at, name, one)
			holds |= holds_key(one);
		json_array_foreach((json_t *)at, i, one)
			holds |= holds_key(one);
		return holds;
	}
	inner = json_loads(text, 0, NULL);
	if (inner)
		holds = holds_key(inner);
	json_decref(inner);
	return holds || strstr(text, "sk-ant-api03-" KEY) || strstr(text, "AKIAABCDEFGHIJKLMNOP");
}

static json_t *wrapped(const char *text, unsigned deep)
{
	json_t *o = json_pack("{s:s}", "arguments", text), *out;
	char *dump;

	if (!deep)
		return o;
	dump = json_dumps(o, JSON_COMPACT);
	out = wrapped(dump, deep - 1);
	free(dump);
	json_decref(o);
	return out;
}

static unsigned stopped, sent_without, sent_as_is;

static void hide(struct world *w)
{
	struct buf text = { 0 }, out = { 0 };
	struct privacy got = { 0 };
	struct eval_private want;
	struct arena a = { 0 };
	bool hides = false;
	size_t at = 0;
	json_t *body, *after;
	char *json;

	buf_str(&text, "[\"\"");
	for (unsigned i = 0, n = 1 + pick(4); i < n; i++) {
		size_t k = pick(sizeof(values) / sizeof(values[0]));

		buf_printf(&text, ",\"%s\"", values[k].text);
		hides |= values[k].hides;
	}
	buf_put(&text, "]", 2);
	body = wrapped(text.p, pick(OSH_PRIVACY_DEEP));
	json = json_dumps(body, 0);
	assert_int_equal(privacy_look(&w->b, slice_of(json), 0, &got), PRIVACY_READ);
	if (!got.stops == hides)
		fail_msg("%s: %s", hides ? "a hidden key goes out" : "no key is hidden", json);
	text.n = 0;
	buf_str(&text, json_string_value(json_object_get(body, "arguments")));
	assert_int_equal(eval_privacy(&w->p, &(struct eval_said){ text.p, text.n, false }, 1, &a, &want),
			 hides ? OSH_WHY_PRIVATE : OSH_WHY_ALLOWED);
	assert_int_equal(want.found[0], got.found[0]);
	assert_true(privacy_redact(&w->b, slice_of(json), 0, &at, &out));
	after = json_loadb(out.p, out.n, 0, NULL);
	if (!got.stops && holds_key(after))
		fail_msg("a key is left: %.*s", (int)out.n, out.p);
	assert_true(holds_key(body) || !got.stops);
	stopped += got.stops != 0;
	sent_without += !got.stops && got.changes;
	sent_as_is += !got.stops && !got.changes;
	json_decref(after);
	json_decref(body);
	free(json);
	buf_done(&text);
	buf_done(&out);
	arena_done(&a);
}

static void put_secrets(struct buf *b)
{
	buf_str(b, "inference:\n  routes: [{name: a, api: openai, host: a.test}]\n  privacy: [{name: r, kinds: [secrets], action: redact}]\n");
}

static void test_hidden(void **state)
{
	struct world w;

	(void)state;
	world_seed();
	world_new(&w, put_secrets);
	for (int i = 0; i < ROUNDS * ASKED / 4; i++)
		hide(&w);
	world_done(&w);
	print_message("stopped %u, sent without %u, sent as it is %u\n", stopped, sent_without, sent_as_is);
	assert_true(stopped > ROUNDS && sent_without > ROUNDS && sent_as_is > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random), cmocka_unit_test(test_hidden) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
