/* SPDX-License-Identifier: Apache-2.0 */
#include "question.h"

#include <string.h>

static const char *plain_text(const json_t *v)
{
	const char *s = json_string_value(v);

	return s && strlen(s) == json_string_length(v) ? s : NULL;
}

const char *member_text(const json_t *o, const char *key)
{
	return plain_text(json_object_get(o, key));
}

static bool absent(const json_t *v)
{
	return !v || json_is_null(v);
}

/* Text, copied; absent and null give NULL. */
static bool opt_text(struct arena *a, const json_t *o, const char *key, const char **ret)
{
	const json_t *v = json_object_get(o, key);
	const char *s = plain_text(v);

	*ret = s ? arena_text(a, s, strlen(s)) : NULL;
	return absent(v) || s;
}

bool member_texts(struct arena *a, const json_t *list, const char *const **ret, uint32_t *ret_n)
{
	size_t n = json_array_size(list);
	const char **v;

	*ret = NULL;
	*ret_n = 0;
	if (absent(list))
		return true;
	v = json_is_array(list) ? arena_zalloc(a, (n + 1) * sizeof(*v)) : NULL;
	if (!v)
		return false;
	for (size_t i = 0; i < n; i++) {
		const char *s = plain_text(json_array_get(list, i));

		if (!s)
			return false;
		v[i] = arena_text(a, s, strlen(s));
	}
	*ret = v;
	*ret_n = (uint32_t)n;
	return true;
}

bool question_connect(struct arena *a, const json_t *o, struct eval_connect *ret)
{
	const json_t *port = json_object_get(o, "port"), *tainted = json_object_get(o, "tainted");
	json_int_t v = json_integer_value(port);

	*ret = (struct eval_connect){ .tainted = json_is_true(tainted) };
	if (!json_is_integer(port) || v < 1 || v > 65535 || (!absent(tainted) && !json_is_boolean(tainted)))
		return false;
	ret->port = (uint32_t)v;
	return opt_text(a, o, "host", &ret->host) && ret->host &&
	       opt_text(a, o, "binary", &ret->binary) && opt_text(a, o, "sha256", &ret->sha256) &&
	       member_texts(a, json_object_get(o, "ancestors"), &ret->ancestors, &ret->n_ancestors);
}

/* key -> value or list of values. */
static bool read_query(struct arena *a, json_t *o, struct eval_request *ret)
{
	struct eval_param *p;
	const char *key;
	json_t *v;

	if (absent(o))
		return true;
	p = json_is_object(o) ? arena_zalloc(a, (json_object_size(o) + 1) * sizeof(*p)) : NULL;
	if (!p)
		return false;
	ret->query = p;
	json_object_foreach(o, key, v) {
		p->key = arena_text(a, key, strlen(key));
		if (!member_texts(a, v, &p->values, &p->n))
			return false;
		p++;
		ret->n_query++;
	}
	return true;
}

static bool read_operation(struct arena *a, const json_t *o, struct eval_operation *ret)
{
	ret->persisted = json_is_true(json_object_get(o, "persisted_query"));
	return json_is_object(o) && opt_text(a, o, "operation_type", &ret->type) &&
	       opt_text(a, o, "operation_name", &ret->name) &&
	       opt_text(a, o, "persisted_query_hash", &ret->hash) &&
	       member_texts(a, json_object_get(o, "fields"), &ret->fields, &ret->n_fields);
}

static bool read_graphql(struct arena *a, const json_t *o, struct eval_request *ret)
{
	const json_t *list = json_object_get(o, "operations");
	struct eval_operation *ops;
	struct eval_graphql *g;

	if (absent(o))
		return true;
	g = json_is_object(o) && (absent(list) || json_is_array(list)) ? arena_zalloc(a, sizeof(*g)) : NULL;
	ops = g ? arena_zalloc(a, (json_array_size(list) + 1) * sizeof(*ops)) : NULL;
	if (!ops)
		return false;
	*g = (struct eval_graphql){ .error = !absent(json_object_get(o, "error")), .operations = ops };
	for (; g->n < json_array_size(list); g->n++)
		if (!read_operation(a, json_array_get(list, g->n), &ops[g->n]))
			return false;
	ret->graphql = g;
	return true;
}

/* params.name is the tool; params of another shape have none. */
static bool read_call(struct arena *a, const json_t *o, struct eval_call *ret)
{
	const char *tool = member_text(json_object_get(o, "params"), "name");

	ret->error = !absent(json_object_get(o, "error"));
	ret->response = json_is_true(json_object_get(o, "has_response"));
	ret->stream = json_is_true(json_object_get(o, "receive_stream"));
	ret->tool = tool ? arena_text(a, tool, strlen(tool)) : NULL;
	return json_is_object(o) && opt_text(a, o, "method", &ret->method);
}

/* `jsonrpc`: one message or a list of them; `jsonrpc_batch`: the methods of a batch. */
static bool read_calls(struct arena *a, const json_t *o, struct eval_request *ret)
{
	const json_t *one = json_object_get(o, "jsonrpc"), *batch = json_object_get(o, "jsonrpc_batch");
	const char *const *methods;
	struct eval_call *calls;
	uint32_t n, n_methods;

	if (!member_texts(a, batch, &methods, &n_methods))
		return false;
	n = json_is_array(one) ? (uint32_t)json_array_size(one) : !absent(one);
	calls = arena_zalloc(a, ((size_t)n + n_methods + 1) * sizeof(*calls));
	if (!calls)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (!read_call(a, json_is_array(one) ? json_array_get(one, i) : one, &calls[i]))
			return false;
	for (uint32_t i = 0; i < n_methods; i++)
		calls[n + i].method = methods[i];
	ret->calls = calls;
	ret->n_calls = n + n_methods;
	return true;
}

bool question_request(struct arena *a, const json_t *o, struct eval_request *ret)
{
	*ret = (struct eval_request){ 0 };
	return question_connect(a, o, &ret->connect) && opt_text(a, o, "method", &ret->method) &&
	       ret->method && opt_text(a, o, "path", &ret->path) && ret->path &&
	       read_query(a, json_object_get(o, "query"), ret) &&
	       read_graphql(a, json_object_get(o, "graphql"), ret) && read_calls(a, o, ret);
}
