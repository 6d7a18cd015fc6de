/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of models: which they are, where a body names its model, and what an answer says of tokens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "infer/infer.h"
#include "own.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

static void test_shapes(void **state)
{
	static const struct {
		const char *method, *path, *text, *model;
	} all[] = {
		{ "POST", "/v1/chat/completions", "openai_chat_completions", NULL },
		{ "GET", "/v1/chat/completions", "", NULL },
		{ "post", "/v1/chat/completions", "", NULL },
		{ "POST", "/v1/chat/completions/", "", NULL },
		{ "POST", "/V1/chat/completions", "", NULL },
		{ "POST", "/v1/messages", "anthropic_messages", NULL },
		{ "POST", "/v1/messages/count_tokens", "anthropic_count_tokens", NULL },
		{ "POST", "/v1/messages/batches", "", NULL },
		{ "GET", "/v1/models", "model_discovery", NULL },
		{ "GET", "/v1/models/", "", NULL },
		{ "GET", "/v1/models/a/b", "model_discovery", "a/b" },
		{ "DELETE", "/v1/models/a", "", NULL },
		{ "POST", "/model/a.b%3A0/invoke", "bedrock_invoke", "a.b%3A0" },
		{ "POST", "/model//invoke", "", NULL },
		{ "POST", "/model/invoke", "", NULL },
		{ "POST", "/model/a/b/invoke", "", NULL },
		{ "POST", "/model/a/invoke-with-response-stream", "bedrock_invoke_stream", "a" },
		{ "POST", "/api/chat", "ollama_chat", NULL },
		{ "POST", "/completion", "llama_completion", NULL },
		{ "POST", "/", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct slice model;
		enum osh_shape s = shape_of(all[i].method, all[i].path, &model);

		assert_string_equal(shape_text(s), all[i].text);
		if (all[i].model)
			assert_true(slice_is(model, all[i].model));
		else
			assert_null(model.p);
	}
}

static void test_paths(void **state)
{
	char out[64];

	(void)state;
	assert_true(shape_path(OSH_SHAPE_CHAT, "/v1/chat/completions", "m", "/openai", out, sizeof(out)));
	assert_string_equal(out, "/openai/v1/chat/completions");
	assert_true(shape_path(OSH_SHAPE_INVOKE, "/model/x/invoke", "a.b:0/c", "", out, sizeof(out)));
	assert_string_equal(out, "/model/a.b%3A0%2Fc/invoke");
	assert_true(shape_path(OSH_SHAPE_MODEL, "/v1/models/x", "a/b c", "/p", out, sizeof(out)));
	assert_string_equal(out, "/p/v1/models/a/b%20c");
	assert_false(shape_path(OSH_SHAPE_INVOKE, "/model/x/invoke",
				"a long name of a model that does not fit into what there is of room", "", out, sizeof(out)));
	for (size_t room = 1; room < 26; room++)
		assert_false(shape_path(OSH_SHAPE_INVOKE, "/model/x/invoke", "a.b:0/c", "", out, room));
}

/* Where two readers could find two models nothing is found. */
static void test_top(void **state)
{
	static const struct {
		const char *text;
		enum top want;
		const char *value;
	} all[] = {
		{ "{\"model\":\"gpt\"}", TOP_TEXT, "gpt" },
		{ " {\"a\":[1,{\"model\":\"x\"},[]],\"model\" : \"gpt\" , \"b\":{}}\r\n", TOP_TEXT, "gpt" },
		{ "{\"model\":\"\"}", TOP_TEXT, "" },
		{ "{}", TOP_ABSENT, "" },
		{ "{\"a\":{\"model\":\"x\"}}", TOP_ABSENT, "" },
		{ "{\"a\":\"\\\"model\\\":\\\"x\\\"\",\"model\":\"y\"}", TOP_TEXT, "y" },
		{ "{\"model\":\"a\",\"model\":\"b\"}", TOP_BAD, "" },
		{ "{\"model\":\"a\",\"Model\":\"b\"}", TOP_BAD, "" },
		{ "{\"MODEL\":\"b\"}", TOP_BAD, "" },
		{ "{\"mod\\u0065l\":\"b\",\"model\":\"a\"}", TOP_BAD, "" },
		{ "{\"x\\u0065\":1,\"model\":\"a\"}", TOP_BAD, "" },
		{ "{\"a\":{\"x\\u0065\":1},\"model\":\"a\"}", TOP_TEXT, "a" },
		{ "{\"model\":\"a\",\"models\":[\"b\"]}", TOP_BAD, "" },
		{ "{\"FallBacks\":[\"b\"],\"model\":\"a\"}", TOP_BAD, "" },
		{ "{\"model\xc5\xbf\":[\"b\"],\"model\":\"a\"}", TOP_BAD, "" },
		{ "{\"model\":\"a\",\"fallbac\xe2\x84\xaas\":[\"b\"]}", TOP_BAD, "" },
		{ "{\"caf\xc3\xa9\":1,\"model\":\"a\"}", TOP_BAD, "" },
		{ "{\"a\":{\"caf\xc3\xa9\":1},\"b\":\"\xc3\xa9\",\"model\":\"a\"}", TOP_TEXT, "a" },
		{ "{\"a\":{\"models\":[\"b\"]},\"model\":\"a\"}", TOP_TEXT, "a" },
		{ "{\"model\":\"\\u0061\"}", TOP_BAD, "" },
		{ "{\"model\":null}", TOP_BAD, "" },
		{ "{\"model\":[\"a\"]}", TOP_BAD, "" },
		{ "{\"model\":{\"model\":\"a\"}}", TOP_BAD, "" },
		{ "[{\"model\":\"a\"}]", TOP_BAD, "" },
		{ "\"model\"", TOP_BAD, "" },
		{ "", TOP_BAD, "" },
		{ "{", TOP_BAD, "" },
		{ "{\"model\":\"a\"", TOP_BAD, "" },
		{ "{\"model\":\"a\"} x", TOP_BAD, "" },
		{ "{\"model\":\"a\"}{\"model\":\"b\"}", TOP_BAD, "" },
		{ "{\"model\":\"a\",}", TOP_BAD, "" },
		{ "{,\"model\":\"a\"}", TOP_BAD, "" },
		{ "{\"a\":[1,],\"model\":\"a\"}", TOP_BAD, "" },
		{ "{\"a\":01,\"model\":\"a\"}", TOP_BAD, "" },
		{ "{\"a\":-,\"model\":\"a\"}", TOP_BAD, "" },
		{ "{\"a\":1.,\"model\":\"a\"}", TOP_BAD, "" },
		{ "{\"a\":1e+,\"model\":\"a\"}", TOP_BAD, "" },
		{ "{\"a\":-0.5e-7,\"b\":true,\"c\":false,\"d\":null,\"model\":\"a\"}", TOP_TEXT, "a" },
		{ "{\"a\":tru,\"model\":\"a\"}", TOP_BAD, "" },
		{ "{\"a\":NaN,\"model\":\"a\"}", TOP_BAD, "" },
		{ "{'model':'a'}", TOP_BAD, "" },
		{ "{model:\"a\"}", TOP_BAD, "" },
		{ "{\"a\":\"\n\",\"model\":\"a\"}", TOP_BAD, "" },
		{ "{\"a\":\"\\x\",\"model\":\"a\"}", TOP_BAD, "" },
		{ "{\"a\":\"\\u12g4\",\"model\":\"a\"}", TOP_BAD, "" },
		{ "{\"a\":[}],\"model\":\"a\"}", TOP_BAD, "" },
		{ "/* */{\"model\":\"a\"}", TOP_BAD, "" },
		{ "\xef\xbb\xbf{\"model\":\"a\"}", TOP_BAD, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		size_t at, n;
		enum top got = top_find(slice_of(all[i].text), "model", &at, &n);

		if (got != all[i].want)
			print_error("%s: %d\n", all[i].text, got);
		assert_int_equal(got, all[i].want);
		assert_true(got != TOP_TEXT || slice_is((struct slice){ all[i].text + at, n }, all[i].value));
	}
}

static void test_deep(void **state)
{
	char text[4096], *p = text;
	size_t at, n;

	(void)state;
	p += sprintf(p, "{\"a\":");
	for (int i = 0; i < 255; i++)
		*p++ = '[';
	for (int i = 0; i < 255; i++)
		*p++ = ']';
	strcpy(p, ",\"model\":\"m\"}");
	assert_int_equal(top_find(slice_of(text), "model", &at, &n), TOP_TEXT);
	memmove(text + 6, text + 5, strlen(text + 5) + 1);	/* one more, with its end */
	text[5] = '[';
	memmove(strchr(text, ']') + 1, strchr(text, ']'), strlen(strchr(text, ']')) + 1);
	assert_int_equal(top_find(slice_of(text), "model", &at, &n), TOP_BAD);
}

struct answer {
	const char *type, *text;
	uint64_t in, out;
	bool said;
};

static const struct answer answers[] = {
	{ "application/json", "{\"id\":\"x\",\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":34,\"total_tokens\":46,"
	  "\"prompt_tokens_details\":{\"cached_tokens\":5}}}", 12, 34, true },
	{ "application/json; charset=utf-8", "{\n  \"usage\": {\n    \"input_tokens\": 3,\n    \"cache_read_input_tokens\": 5,\n"
	  "    \"cache_creation_input_tokens\": 7,\n    \"output_tokens\": 11\n  }\n}\n", 15, 11, true },
	{ "text/event-stream", "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":25,"
	  "\"output_tokens\":1}}}\n\nevent: content_block_delta\ndata: {\"delta\":{\"text\":\"{\\\"usage\\\":{\\\"output_tokens\\\":999}}\"}}\n\n"
	  "event: message_delta\ndata: {\"delta\":{},\"usage\":{\"output_tokens\":15}}\n\n", 25, 15, true },
	{ "text/event-stream", "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\r\n\r\n"
	  "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7}}\r\n\r\ndata: [DONE]\r\n\r\n", 5, 7, true },
	{ "text/event-stream", "data: {\"choices\":[1]}\n\ndata: {\"choices\":[2]}\n\ndata: [DONE]\n\n", 0, 2, false },
	{ "text/event-stream", "data: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":9,\"output_tokens\":8}}}\n", 9, 8, true },
	{ "application/x-ndjson", "{\"message\":{\"content\":\"x\"},\"done\":false}\n{\"done\":true,\"prompt_eval_count\":26,\"eval_count\":298}\n", 26, 298, true },
	{ "application/json", "{\"content\":\"x\",\"tokens_evaluated\":4,\"tokens_predicted\":6}", 4, 6, true },
	{ "application/json", "{\"output\":{},\"usage\":{\"inputTokens\":30,\"outputTokens\":60}}", 30, 60, true },
	/* Content is no count, wherever a model or a tool puts it. */
	{ "application/json", "{\"content\":[{\"type\":\"tool_use\",\"input\":{\"usage\":{\"output_tokens\":999}}}],\"usage\":{\"output_tokens\":2}}", 0, 2, true },
	{ "application/json", "{\"input\":{\"usage\":{\"output_tokens\":999}},\"usage\":{\"output_tokens\":2}}", 0, 2, true },
	{ "application/json", "{\"usage\":[{\"output_tokens\":999}],\"a\":\"usage\",\"b\":{\"output_tokens\":7}}", 0, 0, false },
	{ "application/json", "{\"usage\":{\"output_tokens\":-5,\"input_tokens\":1.5e3}}", 0, 0, false },
	{ "application/json", "{\"usage\":{\"output_tokens\":99999999999999999999999}}", 0, 0, false },
	{ "application/json", "{\"usage\":{\"output_tokens\":\"7\"}}", 0, 0, false },
	{ "application/json", "{\"us\\u0061ge\":{\"output_tokens\":7}}", 0, 0, false },
	{ "text/event-stream", ": \"a comment that ends a text\ndata: {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n", 1, 2, true },
	{ "application/json", "{\"error\":{\"message\":\"no\"}}", 0, 0, false },
	{ "", "", 0, 0, false },
};

/* In pieces of every size: a stream is cut anywhere. */
static void test_usage(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		const struct answer *a = &answers[i];
		size_t len = strlen(a->text);

		for (size_t step = 1; step <= len + 1; step++) {
			struct usage u;

			usage_start(&u, slice_of(a->type));
			for (size_t at = 0; at < len; at += step)
				usage_feed(&u, (struct slice){ a->text + at, at + step < len ? step : len - at });
			if (usage_in(&u) != a->in || usage_out(&u) != a->out)
				print_error("%s: %llu %llu\n", a->text, (unsigned long long)usage_in(&u),
					    (unsigned long long)usage_out(&u));
			assert_int_equal(usage_in(&u), a->in);
			assert_int_equal(usage_out(&u), a->out);
			assert_int_equal(u.said, a->said);
		}
	}
}

static void test_guess_sent(void **state)
{
	static char data[100000];

	(void)state;
	assert_int_equal(guess_sent((struct slice){ "", 0 }), 0);
	assert_int_equal(guess_sent(slice_of("abc")), 1);
	assert_int_equal(guess_sent(slice_of("hello, world")), 4);
	memset(data, 'A', sizeof(data));
	assert_int_equal(guess_sent((struct slice){ data, 511 }), 171);
	assert_int_equal(guess_sent((struct slice){ data, 512 }), 1608);
	assert_int_equal(guess_sent((struct slice){ data, sizeof(data) }), 1600 + sizeof(data) / 64);
	memset(data, 'w', 5000);
	for (size_t i = 0; i < 5000; i += 6)
		data[i] = ' ';
	data[5000] = '"';
	assert_int_equal(guess_sent((struct slice){ data, 5001 + 6400 }), 1667 + 1700);
}

struct guessed {
	const char *body;
	uint64_t want;
	enum osh_shape shape;
	const char *model, *host;
};

static void check_guesses(const struct guessed *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *body = strdup(all[i].body);	/* so that a byte too far is seen */
		struct guess_call call = { all[i].shape, all[i].model ? all[i].model : "", all[i].host ? all[i].host : "" };
		uint64_t got = guess_answer(&call, (struct slice){ body, strlen(body) });

		if (got != all[i].want)
			print_error("%s: %llu\n", all[i].body, (unsigned long long)got);
		assert_int_equal(got, all[i].want);
		free(body);
	}
}

/* What a server could be told is never overlooked: it is the most of all, or more than there can be. */
static void test_guess_answer(void **state)
{
	static const struct guessed all[] = {
		{ "{\"model\":\"m\"}", GUESS_UNSAID, OSH_SHAPE_CHAT },
		{ "", GUESS_UNSAID, OSH_SHAPE_CHAT },
		{ "{\"max_tokens\":100}", 100, OSH_SHAPE_MESSAGES },
		{ "{\"max_tokens\" : 100 , \"n\" : 3}", 300, OSH_SHAPE_CHAT },
		{ "{\"n\":2}", 2 * GUESS_UNSAID, OSH_SHAPE_CHAT },
		{ "{\"n\":2,\"best_of\":5,\"max_tokens\":1}", 5, OSH_SHAPE_COMPLETIONS },
		{ "{\"max_completion_tokens\":7,\"max_tokens\":9}", 9, OSH_SHAPE_CHAT },
		{ "{\"max_tokens\":9,\"max_tokens\":11,\"max_tokens\":2}", 11, OSH_SHAPE_CHAT },
		{ "{\"max_output_tokens\":12}", 12, OSH_SHAPE_RESPONSES },
		{ "{\"options\":{\"num_predict\":13}}", 13, OSH_SHAPE_OLLAMA_CHAT },
		{ "{\"options\":{\"num_predict\":-1}}", GUESS_UNSAID, OSH_SHAPE_OLLAMA_CHAT },
		{ "{\"num_predict\":13}", GUESS_UNSAID, OSH_SHAPE_OLLAMA_CHAT },
		{ "{\"inferenceConfig\":{\"temperature\":0.5,\"maxTokens\":14}}", 14, OSH_SHAPE_CONVERSE },
		{ "{\"a\":{},\"inferenceConfig\":{\"x\":[1,2],\"maxTokens\":14}}", 14, OSH_SHAPE_CONVERSE },
		{ "{\"n_predict\":15}", 15, OSH_SHAPE_LLAMA_COMPLETION },
		{ "{\"messages\":[{\"max_tokens\":99}],\"max_tokens\":3}", 3, OSH_SHAPE_CHAT },
		{ "{\"messages\":[{\"content\":\"\\\"max_tokens\\\":99\"}],\"max_tokens\":3}", 3, OSH_SHAPE_CHAT },
		{ "{\"a\":\"max_tokens\",\"b\":99,\"max_tokens\":3}", 3, OSH_SHAPE_CHAT },
		{ "{\"max_tokens\":1.5}", OSH_COUNT_MOST, OSH_SHAPE_CHAT },
		{ "{\"max_tokens\":1e9}", OSH_COUNT_MOST, OSH_SHAPE_CHAT },
		{ "{\"max_tokens\":99999999999999999999999999}", OSH_COUNT_MOST, OSH_SHAPE_CHAT },
		{ "{\"max_tokens\":1000000000000000,\"n\":1000}", OSH_COUNT_MOST, OSH_SHAPE_CHAT },
		{ "{\"m\\u0061x_tokens\":9977}", 9977 * 9977, OSH_SHAPE_CONVERSE },
		{ "{\"inferenceC\\u006fnfig\":{\"maxTokens\":9978}}", 9978, OSH_SHAPE_CONVERSE },
		{ "{\"inferenceConfig\":{\"m\\u0061xTokens\":9979}}", 9979, OSH_SHAPE_CONVERSE },
		{ "{\"Max_Tokens\":16,\"OPTIONS\":{\"Num_Predict\":17}}", 17, OSH_SHAPE_OLLAMA_CHAT },
		{ "{\"max_tokens\":\"18\"}", 18, OSH_SHAPE_CHAT },
		{ "{\"max_tokens\":\"1e6\"}", OSH_COUNT_MOST, OSH_SHAPE_CHAT },
		{ "{\"max_tokens\":\"-1\"}", GUESS_UNSAID, OSH_SHAPE_CHAT },
		{ "{\"max_tokens\":\"\",\"max_tokens\":\"many\"}", GUESS_UNSAID, OSH_SHAPE_CHAT },
		{ "{\"prompt\":[\"a\",\"b\",\"c\"],\"max_tokens\":7}", 21, OSH_SHAPE_COMPLETIONS },
		{ "{\"prompt\":[[1,2],[3]],\"max_tokens\":7,\"n\":2}", 28, OSH_SHAPE_COMPLETIONS },
		{ "{\"prompt\":[1,2,3],\"max_tokens\":7}", 7, OSH_SHAPE_COMPLETIONS },
		{ "{\"prompt\":[],\"stop\":[\"a\",\"b\"],\"max_tokens\":7}", 7, OSH_SHAPE_COMPLETIONS },
		{ "{\"prompt\":{\"a\":\"b\"},\"max_tokens\":7}", 7, OSH_SHAPE_COMPLETIONS },
		{ "{\"prompt\":[\"a\",\"b\"],\"n\":4,\"max_tokens\":300000000000000}", OSH_COUNT_MOST, OSH_SHAPE_COMPLETIONS },
		{ "{\"numResults\":3,\"maxTokens\":5}", 15, OSH_SHAPE_INVOKE, "ai21.j2-ultra-v1", "" },
		{ "{\"additionalModelRequestFields\":{\"max_tokens\":20},\"inferenceConfig\":{\"maxTokens\":14}}", 20, OSH_SHAPE_CONVERSE },
		{ "{\"max_tokens\":100}", 0, OSH_SHAPE_EMBEDDINGS },
		{ "{\"max_tokens\":0}", GUESS_UNSAID, OSH_SHAPE_CHAT },
		{ "{\"max_tokens\":", GUESS_UNSAID, OSH_SHAPE_CHAT },
		{ "\"", GUESS_UNSAID, OSH_SHAPE_CHAT },
		{ "\"\\", GUESS_UNSAID, OSH_SHAPE_CHAT },
		/* What this kind of server does not go by bounds nothing. */
		{ "{\"max_tokens\":1}", GUESS_UNSAID, OSH_SHAPE_OLLAMA_CHAT },
		{ "{\"max_tokens\":1}", GUESS_UNSAID, OSH_SHAPE_RESPONSES },
		{ "{\"max_output_tokens\":1}", GUESS_UNSAID, OSH_SHAPE_CHAT },
		{ "{\"max_tokens\":1}", GUESS_UNSAID, OSH_SHAPE_CONVERSE },
		{ "{\"max_output_tokens\":9000}", 9000, OSH_SHAPE_CHAT },
		{ "{\"max_tokens\":1}", 1, OSH_SHAPE_INVOKE, "mistral.mistral-large-2402-v1:0", "" },
		{ "{\"m\\u0061x_tokens\":77}", GUESS_UNSAID * 77, OSH_SHAPE_INVOKE, "mistral.x", "" },
		/* Nor does one that is taken back, or said to be none. */
		{ "{\"max_tokens\":1,\"max_tokens\":null}", GUESS_UNSAID, OSH_SHAPE_CHAT },
		{ "{\"max_tokens\":null,\"MAX_tokens\":1}", GUESS_UNSAID, OSH_SHAPE_CHAT },
		{ "{\"max_tokens\":1,\"max_completion_tokens\":null}", 1, OSH_SHAPE_CHAT },
		{ "{\"max_tokens\":1,\"max_completion_tokens\":-1}", GUESS_UNSAID, OSH_SHAPE_CHAT },
		{ "{\"max_tokens\":1,\"n_predict\":-1}", GUESS_UNSAID, OSH_SHAPE_CHAT },
		{ "{\"max_tokens\":1,\"max_tokens\":\"unlimited\"}", GUESS_UNSAID, OSH_SHAPE_CHAT },
		{ "{\"max_tokens\":1,\"max_tokens\":{}}", GUESS_UNSAID, OSH_SHAPE_CHAT },
		{ "{\"max_tokens\":1,\"max_tokens\" : false }", GUESS_UNSAID, OSH_SHAPE_CHAT },
		{ "{\"options\":{\"num_predict\":1,\"num_pr\\u0065dict\":-2}}", GUESS_UNSAID, OSH_SHAPE_OLLAMA_CHAT },
		{ "{\"options\":{\"num_predict\":1},\"options\":{\"num_predict\":-1}}", GUESS_UNSAID, OSH_SHAPE_OLLAMA_CHAT },
		{ "{\"max_tokens\":1,\"metadata\":{\"max_tokens\":null,\"caf\\u00e9\":null}}", 1, OSH_SHAPE_CHAT },
		{ "{\"max_tokens\":1,\"stream\":true,\"stop\":null,\"n\":null}", 1, OSH_SHAPE_CHAT },
	};

	(void)state;
	check_guesses(all, ARRAY_SIZE(all));
}

/* A server in Go reads these letters as `s` and `k`; others may know more of them. */
static void test_guess_veiled(void **state)
{
	static const struct guessed all[] = {
		{ "{\"options\":{\"num_predict\":1},\"option\xc5\xbf\":{\"num_predict\":-1}}", GUESS_UNSAID, OSH_SHAPE_OLLAMA_CHAT },
		{ "{\"max_tokens\":1,\"max_to\xe2\x84\xaa" "en\xc5\xbf\":-1}", GUESS_UNSAID, OSH_SHAPE_CHAT },
		{ "{\"max_tokens\":1,\"max_to\xe2\x84\xaa" "en\xc5\xbf\":null}", GUESS_UNSAID, OSH_SHAPE_CHAT },
		{ "{\"options\":{\"num_predict\":1},\"option\xc5\xbf\":{\"num_predict\":9980}}", 9980, OSH_SHAPE_OLLAMA_CHAT },
		{ "{\"max_tokens\":5,\"be\xc5\xbft_of\":9}", 81, OSH_SHAPE_LLAMA_COMPLETION },
		{ "{\"max_tokens\":5,\"\\u006e\":100}", 10000, OSH_SHAPE_LLAMA_COMPLETION },
		{ "{\"max_tokens\":1,\"metadata\":{\"gr\xc3\xb6\xc3\x9f" "e\":9999}}", 1, OSH_SHAPE_CHAT },
		{ "{\"max_tokens\":1,\"stop\":\"caf\xc3\xa9\"}", 1, OSH_SHAPE_CHAT },
	};

	(void)state;
	check_guesses(all, ARRAY_SIZE(all));
}

/* What says how long an answer may be bounds it only where its server reads that. */
static void test_guess_readers(void **state)
{
	static const struct guessed all[] = {
		/* Others than OpenAI itself pass over it. */
		{ "{\"max_completion_tokens\":1}", GUESS_UNSAID, OSH_SHAPE_CHAT },
		{ "{\"max_completion_tokens\":1}", GUESS_UNSAID, OSH_SHAPE_CHAT, "m", "lmstudio.example" },
		{ "{\"max_completion_tokens\":1}", GUESS_UNSAID, OSH_SHAPE_CHAT, "m", "notapi.openai.com" },
		{ "{\"max_completion_tokens\":1}", GUESS_UNSAID, OSH_SHAPE_CHAT, "m", "api.openai.com.example" },
		{ "{\"max_completion_tokens\":1}", GUESS_UNSAID, OSH_SHAPE_CHAT, "m", "openai.com" },
		{ "{\"max_completion_tokens\":1}", 1, OSH_SHAPE_CHAT, "m", "api.openai.com" },
		{ "{\"max_completion_tokens\":1}", 1, OSH_SHAPE_CHAT, "m", "eu.api.openai.com" },
		{ "{\"max_completion_tokens\":9000}", 9000, OSH_SHAPE_CHAT, "m", "lmstudio.example" },
		{ "{\"max_tokens\":1,\"max_completion_tokens\":7}", 7, OSH_SHAPE_CHAT, "m", "lmstudio.example" },
		/* A model of Bedrock reads what its makers want, and passes over the others. */
		{ "{\"max_tokens\":1}", 1, OSH_SHAPE_INVOKE, "us.anthropic.claude-x", "" },
		{ "{\"max_tokens\":1}", 1, OSH_SHAPE_INVOKE_STREAM, "arn:aws:bedrock:us-east-1:1:inference-profile/eu.anthropic.claude-x", "" },
		{ "{\"max_tokens\":1}", GUESS_UNSAID, OSH_SHAPE_INVOKE, "meta.llama3-8b-instruct-v1:0", "" },
		{ "{\"max_tokens\":1,\"max_gen_len\":2}", 2, OSH_SHAPE_INVOKE, "us.meta.llama3-8b-instruct-v1:0", "" },
		{ "{\"max_tokens\":3,\"max_gen_len\":2}", 3, OSH_SHAPE_INVOKE, "meta.llama3-8b-instruct-v1:0", "" },
		{ "{\"max_gen_len\":1}", GUESS_UNSAID, OSH_SHAPE_INVOKE, "mistral.mistral-large-2402-v1:0", "" },
		{ "{\"max_tokens\":1}", GUESS_UNSAID, OSH_SHAPE_INVOKE, "openai.gpt-oss-20b-1:0", "" },
		{ "{\"max_completion_tokens\":1}", 1, OSH_SHAPE_INVOKE, "openai.gpt-oss-20b-1:0", "" },
		{ "{\"inferenceConfig\":{\"max_new_tokens\":1}}", 1, OSH_SHAPE_INVOKE, "apac.amazon.nova-lite-v1:0", "" },
		{ "{\"inferenceConfig\":{\"max_new_tokens\":1}}", GUESS_UNSAID, OSH_SHAPE_INVOKE, "amazon.titan-text-lite-v1", "" },
		{ "{\"textGenerationConfig\":{\"maxTokenCount\":1}}", 1, OSH_SHAPE_INVOKE, "amazon.titan-text-lite-v1", "" },
		{ "{\"max_tokens\":1,\"max_gen_len\":1,\"maxTokens\":1}", GUESS_UNSAID, OSH_SHAPE_INVOKE,
		  "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc123", "" },
		{ "{\"max_tokens\":1,\"max_gen_len\":1,\"maxTokens\":1}", GUESS_UNSAID, OSH_SHAPE_INVOKE },
	};

	(void)state;
	check_guesses(all, ARRAY_SIZE(all));
}

/* Who gets how many of n calls, one after another, of which `of` may take each. */
static void spread(const struct bundle *b, struct balance *s, uint64_t of, unsigned n, unsigned got[4])
{
	memset(got, 0, 4 * sizeof(*got));
	while (n--) {
		uint32_t route = balance_pick(b, s, of);

		assert_true(route && (of >> (route - 1) & 1));
		balance_took(b, s, route);
		got[route - 1]++;
	}
}

static void test_balance(void **state)
{
	static const struct osh_b_route routes[4] = { { .weight = 0 }, { .weight = 3 }, { .weight = 1 }, { .weight = 100 } };
	struct osh_b_inference turns = { .fallback = OSH_FALLBACK_ROUND_ROBIN }, busy = { .fallback = OSH_FALLBACK_LEAST_BUSY };
	struct bundle b = { .routes = routes, .n_routes = 4, .inference = &turns };
	struct balance s = { 0 };
	unsigned got[4];

	(void)state;
	assert_int_equal(balance_pick(&b, &s, 0), 0);
	spread(&b, &s, 7, 500, got);
	assert_true(got[0] == 100 && got[1] == 300 && got[2] == 100 && !got[3]);
	spread(&b, &s, 15, 1050, got);
	assert_true(got[0] >= 9 && got[0] <= 11 && got[1] >= 29 && got[1] <= 31 && got[3] >= 998 && got[3] <= 1002);
	/* Away for long: its share from now on, and nothing of what it missed. */
	spread(&b, &s, 6, 4000, got);
	assert_true(got[1] == 3000 && got[2] == 1000);
	spread(&b, &s, 7, 50, got);
	assert_true(got[0] >= 9 && got[0] <= 11 && got[1] >= 29 && got[1] <= 31);
	b.inference = &busy;
	s.busy[0] = 1;
	s.busy[1] = 2;			/* of weight 3: fewer than one of weight 1 */
	s.busy[2] = 1;
	spread(&b, &s, 7, 10, got);
	assert_true(got[1] == 10);
	s.busy[1] = 3;
	spread(&b, &s, 7, 50, got);	/* alike: by turns */
	assert_true(got[0] >= 9 && got[0] <= 11 && got[1] >= 29 && got[1] <= 31);
	s.busy[1] = 1u << 31;
	s.busy[0] = s.busy[2] = UINT32_MAX;
	assert_int_equal(balance_pick(&b, &s, 7), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shapes), cmocka_unit_test(test_paths), cmocka_unit_test(test_top),
		cmocka_unit_test(test_deep),   cmocka_unit_test(test_usage), cmocka_unit_test(test_guess_sent),
		cmocka_unit_test(test_guess_answer), cmocka_unit_test(test_guess_veiled),
		cmocka_unit_test(test_guess_readers), cmocka_unit_test(test_balance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
