/* SPDX-License-Identifier: Apache-2.0 */
/* JSON-RPC messages of a request's body. Jansson reads; what it would let pass twice is refused. */
#include <jansson.h>
#include <strings.h>

#include "own.h"
#include "parts.h"

static struct slice text_of(const json_t *v)
{
	return json_is_string(v) ? (struct slice){ json_string_value(v), json_string_length(v) }
				 : (struct slice){ NULL, 0 };
}

/* Some servers decode what they are told, UTF-7 included, in which a text may mean another. */
bool type_is_utf8(struct slice type)
{
	static const char *const names[] = { "charset=utf-8", "charset=\"utf-8\"", "charset=utf8" };
	bool seen = false;

	for (size_t i = 0; i + 7 <= type.n; i++) {
		bool good = false;

		if (strncasecmp(type.p + i, "charset", 7))
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
			size_t n = strlen(names[k]);

			good |= i + n <= type.n && !strncasecmp(type.p + i, names[k], n) &&
				(i + n == type.n || strchr("; \t", type.p[i + n]));
		}
		if (!good || seen)
			return false;
		seen = true;
	}
	return true;
}

void calls_read(struct calls *ret, const struct rules_request *q)
{
	json_error_t why;

	*ret = (struct calls){ .n = 1 };
	if (!q->body.n && strcasecmp(q->method, "POST"))
		return;			/* call_get() says what it is */
	if (type_is_utf8(q->content_type))
		ret->json = json_loadb(q->body.p ? q->body.p : "", q->body.n, JSON_REJECT_DUPLICATES, &why);
	ret->bad = !ret->json;
	if (json_is_array((json_t *)ret->json))
		ret->n = (uint32_t)json_array_size(ret->json);
}

void calls_done(struct calls *c)
{
	json_decref(c->json);
}

/* A request has a method, an answer has a result or an error; both at once is told apart by nobody. */
static void read_message(const json_t *o, struct call *ret)
{
	static const char *const names[] = { "jsonrpc", "method", "params", "result", "error" };
	static const char *const inner[] = { "name" };
	const json_t *method = json_object_get(o, "method"), *params = json_object_get(o, "params");

	ret->error = !json_is_object(o) || keys_misleading(o, names, ARRAY_SIZE(names)) ||
		     (json_is_object(params) && keys_misleading(params, inner, 1)) ||
		     !slice_is(text_of(json_object_get(o, "jsonrpc")), "2.0") ||
		     (method && !json_string_length(method));
	if (ret->error)
		return;
	ret->method = text_of(method);
	ret->tool = text_of(json_object_get(params, "name"));
	ret->response = json_object_get(o, "result") || json_object_get(o, "error");
	ret->error = !method && !ret->response;
}

void call_get(const struct calls *c, uint32_t i, struct call *ret)
{
	*ret = (struct call){ .error = c->bad, .stream = !c->json && !c->bad };
	if (c->json)
		read_message(json_is_array((json_t *)c->json) ? json_array_get(c->json, i) : c->json, ret);
}
