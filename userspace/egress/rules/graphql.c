/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GraphQL of a request: the body of a POST, the parameters of a GET, a message of a websocket. Where a
 * server could take the operation from a second place as well, the request is not read at all.
 */
#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <strings.h>

#include "hash.h"
#include "own.h"
#include "parts.h"

/* Keys by which servers find the operation; those from "id" on are known to some servers only. */
static const char *const keys[] = {
	"query", "operationName", "variables", "extensions",
	"id", "documentId", "queryId", "doc_id", "queryHash", "hash", "persistedQuery", "document",
};
#define KEYS_COMMON 4

static struct slice text_of(const json_t *v)
{
	return (struct slice){ json_string_value(v), json_string_length(v) };
}

static bool absent(const json_t *v)
{
	return !v || json_is_null(v);
}

/* extensions.persistedQuery.sha256Hash; absent gives n == 0. False: it is there and is no text. */
static bool read_hash(const json_t *extensions, struct slice *ret)
{
	static const char *const outer[] = { "persistedQuery" };
	static const char *const inner[] = { "sha256Hash" };
	const json_t *persisted, *hash;

	*ret = (struct slice){ "", 0 };
	if (absent(extensions))
		return true;
	if (!json_is_object(extensions) || keys_misleading(extensions, outer, 1))
		return false;
	persisted = json_object_get(extensions, "persistedQuery");
	if (absent(persisted))
		return true;
	hash = json_object_get(persisted, "sha256Hash");
	if (!json_is_object(persisted) || keys_misleading(persisted, inner, 1) || !json_string_length(hash))
		return false;
	*ret = text_of(hash);
	return true;
}

/* A document that comes with a hash must be the one that the hash means. */
static bool hash_fits(struct slice hash, struct slice document)
{
	uint8_t digest[HASH_LEN];
	char hex[2 * HASH_LEN + 1];

	if (!hash.n)
		return true;
	if (hash_bytes(document.p, document.n, digest) < 0)
		return false;
	hash_hex(digest, hex);
	return hash.n == 2 * HASH_LEN && !strncasecmp(hash.p, hex, hash.n);
}

/* document.p NULL = none was sent. */
static bool add(struct graphql *to, struct slice document, struct slice name, struct slice hash)
{
	if (document.p)
		return hash_fits(hash, document) && document_read(document, name, to);
	if (!hash.n || to->n == OPERATIONS_MAX)
		return false;
	to->ops[to->n++] = (struct gql_op){ .name = name, .hash = hash, .persisted = true };
	return true;
}

static bool read_object(struct graphql *to, const json_t *o)
{
	const json_t *query = json_object_get(o, "query"), *name = json_object_get(o, "operationName");
	const json_t *variables = json_object_get(o, "variables");
	struct slice hash;

	if (!json_is_object(o) || keys_misleading(o, keys, ARRAY_SIZE(keys)))
		return false;
	for (size_t i = KEYS_COMMON; i < ARRAY_SIZE(keys); i++)
		if (json_object_get(o, keys[i]))
			return false;
	if ((!absent(query) && !json_is_string(query)) || (!absent(name) && !json_is_string(name)) ||
	    (!absent(variables) && !json_is_object(variables)) ||
	    !read_hash(json_object_get(o, "extensions"), &hash))
		return false;
	return add(to, absent(query) ? (struct slice){ NULL, 0 } : text_of(query),
		   absent(name) ? (struct slice){ "", 0 } : text_of(name), hash);
}

static bool read_json(struct graphql *to, const json_t *root)
{
	if (!json_is_array(root))
		return read_object(to, root);
	for (size_t i = 0; i < json_array_size(root); i++)
		if (!read_object(to, json_array_get(root, i)))
			return false;
	return true;
}

static bool is_one_of(struct slice s, const char *const words[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s.n == strlen(words[i]) && !strncasecmp(s.p, words[i], s.n))
			return true;
	return false;
}

/* JSON in UTF-8, the only thing that all servers read alike. */
static bool is_json(struct slice type)
{
	static const char *const types[] = { "application/json", "application/graphql+json",
					     "application/graphql-response+json" };
	static const char *const charsets[] = { "charset=utf-8", "charset=\"utf-8\"", "charset=utf8" };
	const char *semi = memchr(type.p ? type.p : "", ';', type.n);
	struct slice rest, media = { type.p, semi ? (size_t)(semi - type.p) : type.n };

	while (media.n && isspace((unsigned char)media.p[media.n - 1]))
		media.n--;
	if (!is_one_of(media, types, ARRAY_SIZE(types)))
		return false;
	if (!semi)
		return true;
	rest = (struct slice){ semi + 1, type.n - (size_t)(semi + 1 - type.p) };
	while (rest.n && isspace((unsigned char)*rest.p)) {
		rest.p++;
		rest.n--;
	}
	return !rest.n || is_one_of(rest, charsets, ARRAY_SIZE(charsets));
}

/* Which of `keys` a parameter is, or -1. Keys of a URL are told apart by case everywhere. */
static int key_of(struct slice key)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (param_is(key, keys[i]))
			return (int)i;
	return -1;
}

/* A POST whose URL names an operation too has two. */
static bool read_post(struct graphql *to, const struct rules_request *q, struct slice query)
{
	struct param p;

	while (param_next(&query, &p))
		if (key_of(p.key) >= 0)
			return false;
	if (!is_json(q->content_type))
		return false;
	to->json = json_loadb(q->body.p ? q->body.p : "", q->body.n, JSON_REJECT_DUPLICATES, NULL);
	return to->json && read_json(to, to->json);
}

/* Decoded parameters lie in one block, which is never longer than the query. */
static bool read_get(struct graphql *to, const struct rules_request *q, struct slice query)
{
	struct slice found[KEYS_COMMON] = { 0 }, hash;
	size_t n = 0;
	struct param p;

	to->text = malloc(query.n + 1);
	if (!to->text || q->body.n)
		return false;
	while (param_next(&query, &p)) {
		int k = key_of(p.key);

		if (k >= KEYS_COMMON || (k >= 0 && found[k].p))
			return false;
		if (k < 0)
			continue;
		found[k] = (struct slice){ to->text + n, param_decode(p.value, to->text + n) };
		n += found[k].n;
	}
	if (found[3].p) {
		to->json = json_loadb(found[3].p, found[3].n, JSON_REJECT_DUPLICATES, NULL);
		if (!to->json)
			return false;
	}
	if (!found[1].p)
		found[1] = SLICE("");
	return read_hash(to->json, &hash) && add(to, found[0], found[1], hash);
}

/* graphql-transport-ws, and the older graphql-ws. */
static bool read_message(struct graphql *to, const struct rules_request *q)
{
	static const char *const control[] = { "connection_init", "ping", "pong", "complete", "stop",
					       "connection_terminate" };
	static const char *const names[] = { "type", "payload" };
	struct slice type;

	to->json = json_loadb(q->body.p ? q->body.p : "", q->body.n, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object((json_t *)to->json) || keys_misleading(to->json, names, ARRAY_SIZE(names)))
		return false;
	type = text_of(json_object_get(to->json, "type"));
	for (size_t i = 0; type.p && i < ARRAY_SIZE(control); i++)
		to->control |= slice_is(type, control[i]);
	if (to->control)
		return true;
	return type.p && (slice_is(type, "subscribe") || slice_is(type, "start")) &&
	       read_object(to, json_object_get(to->json, "payload"));
}

void graphql_read(struct graphql *ret, const struct rules_request *q, struct slice query)
{
	bool ok;

	ret->n = ret->n_fields = 0;
	ret->control = false;
	ret->json = NULL;
	ret->text = NULL;
	if (q->message)
		ok = read_message(ret, q);
	else if (!params_readable(query))
		ok = false;
	else
		ok = strcasecmp(q->method, "GET") ? read_post(ret, q, query) : read_get(ret, q, query);
	ret->bad = !ok;
	if (!ok)
		ret->n = 0;
}

void graphql_done(struct graphql *g)
{
	json_decref(g->json);
	free(g->text);
}
