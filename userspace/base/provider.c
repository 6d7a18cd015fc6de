/* SPDX-License-Identifier: Apache-2.0 */
#include "provider.h"

#include <jansson.h>
#include <stdint.h>
#include <strings.h>

#define WORD 256			/* longest text of a record */

/* A text of printable ASCII; nothing of it may end a header line. */
static int text(json_t *v, const char *key, const char **ret, struct err *e)
{
	const char *s = json_string_value(v);

	if (!s || !*s || json_string_length(v) > WORD)
		return fail(e, EINVAL, "'%s' wants a text of 1 to %d bytes", key, WORD);
	for (const char *c = s; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			return fail(e, EINVAL, "'%s' holds a byte that is not printable ASCII", key);
	if (strlen(s) != json_string_length(v))
		return fail(e, EINVAL, "'%s' holds a NUL", key);
	*ret = s;
	return 0;
}

static int texts(json_t *v, const char *key, const char **ret, size_t most, struct err *e)
{
	size_t i;
	json_t *one;

	if (!json_is_array(v) || !json_array_size(v) || json_array_size(v) > most)
		return fail(e, EINVAL, "'%s' wants a list of 1 to %zu texts", key, most);
	json_array_foreach(v, i, one) {
		int r = text(one, key, &ret[i], e);

		if (r < 0)
			return r;
	}
	return 0;
}

static int read_ports(struct provider *p, json_t *v, struct err *e)
{
	size_t i;
	json_t *one;

	if (!json_is_array(v) || !json_array_size(v) || json_array_size(v) > PROVIDER_LIST)
		return fail(e, EINVAL, "'ports' wants a list of 1 to %d numbers", PROVIDER_LIST);
	json_array_foreach(v, i, one) {
		json_int_t port = json_integer_value(one);

		if (port < 1 || port > 65535)
			return fail(e, EINVAL, "'ports' wants numbers from 1 to 65535");
		p->ports[p->n_ports++] = (uint16_t)port;
	}
	return 0;
}

static bool is_token(const char *s)
{
	return s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~")] == 0;
}

/* Headers that say where a request goes or how it is framed are no place for a secret. */
static bool is_reserved(const char *name)
{
	static const char *const no[] = { "host", "connection", "content-length", "transfer-encoding", "te",
					  "trailer", "upgrade", "keep-alive", "expect", "accept-encoding" };

	for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++)
		if (!strcasecmp(no[i], name))
			return true;
	return !strncasecmp(name, "proxy-", 6);
}

static int place_header(struct provider *p, json_t *v, struct err *e)
{
	int r = text(v, "header", &p->name, e);

	p->placement = PLACE_HEADER;
	if (r == 0 && (!is_token(p->name) || is_reserved(p->name)))
		return fail(e, EINVAL, "'%s' is no header that may carry a credential", p->name);
	return r;
}

static int place_basic(struct provider *p, json_t *v, struct err *e)
{
	int r = text(v, "basic", &p->name, e);

	p->placement = PLACE_BASIC;
	return r == 0 && strchr(p->name, ':') ? fail(e, EINVAL, "a user name of Basic holds no ':'") : r;
}

static int place_query(struct provider *p, json_t *v, struct err *e)
{
	p->placement = PLACE_QUERY;
	return text(v, "query", &p->name, e);
}

static int place_flag(struct provider *p, json_t *v, enum placement where, struct err *e)
{
	p->placement = where;
	return json_is_true(v) ? 0 : fail(e, EINVAL, "'path' and 'body' want true");
}

static int place_path(struct provider *p, json_t *v, struct err *e)
{
	return place_flag(p, v, PLACE_PATH, e);
}

static int place_body(struct provider *p, json_t *v, struct err *e)
{
	return place_flag(p, v, PLACE_BODY, e);
}

static int place_sigv4(struct provider *p, json_t *v, struct err *e)
{
	p->placement = PLACE_SIGV4;
	return text(v, "sigv4", &p->name, e);
}

static int read_prefix(struct provider *p, json_t *v, struct err *e)
{
	return text(v, "prefix", &p->prefix, e);
}

static int read_region(struct provider *p, json_t *v, struct err *e)
{
	return text(v, "region", &p->region, e);
}

static int read_sign_body(struct provider *p, json_t *v, struct err *e)
{
	p->sign_body = json_is_true(v);
	p->sign_said = true;
	return json_is_boolean(v) ? 0 : fail(e, EINVAL, "'sign_body' wants true or false");
}

struct key {
	const char *name;
	int (*read)(struct provider *p, json_t *v, struct err *e);
	bool where;			/* of a placement: exactly one of these */
};

static int read_keys(struct provider *p, json_t *obj, const struct key *keys, const char *what, struct err *e)
{
	const char *name;
	json_t *v;

	if (!json_is_object(obj))
		return fail(e, EINVAL, "%s wants an object", what);
	json_object_foreach(obj, name, v) {
		const struct key *k = keys;
		int r;

		while (k->name && strcmp(k->name, name))
			k++;
		if (!k->name)
			return fail(e, EINVAL, "%s: unknown key '%.40s'", what, name);
		r = k->read(p, v, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_placement(struct provider *p, json_t *v, struct err *e)
{
	static const struct key keys[] = {
		{ "header", place_header, true }, { "basic", place_basic, true },
		{ "query", place_query, true },	  { "path", place_path, true },
		{ "body", place_body, true },	  { "sigv4", place_sigv4, true },
		{ "prefix", read_prefix, false }, { "region", read_region, false },
		{ "sign_body", read_sign_body, false }, { 0 },
	};
	unsigned places = 0;
	int r = read_keys(p, v, keys, "'placement'", e);

	for (const struct key *k = keys; r == 0 && k->name; k++)
		places += k->where && json_object_get(v, k->name);
	if (r == 0 && places != 1)
		return fail(e, EINVAL, "'placement' wants exactly one of header, basic, query, path, body, sigv4");
	if (p->placement == PLACE_SIGV4 && !p->sign_said)
		p->sign_body = p->name && strcmp(p->name, "s3") != 0;
	if (r == 0 && p->prefix && p->placement != PLACE_HEADER)
		return fail(e, EINVAL, "'prefix' belongs to a header");
	return r;
}

static int read_grant(struct provider *p, json_t *v, struct err *e)
{
	const char *s = json_string_value(v);

	p->grant = !s ? REFRESH_NONE : !strcmp(s, "refresh_token") ? REFRESH_TOKEN :
		   !strcmp(s, "client_credentials") ? REFRESH_CLIENT : REFRESH_NONE;
	return p->grant ? 0 : fail(e, EINVAL, "'grant' is refresh_token or client_credentials");
}

static int read_token_url(struct provider *p, json_t *v, struct err *e)
{
	int r = text(v, "token_url", &p->token_url, e);

	if (r == 0 && strncmp(p->token_url, "https://", 8))
		return fail(e, EINVAL, "'token_url' wants https://");
	return r;
}

static int read_scope(struct provider *p, json_t *v, struct err *e)
{
	return text(v, "scope", &p->scope, e);
}

static int read_client_auth(struct provider *p, json_t *v, struct err *e)
{
	const char *s = json_string_value(v);

	p->post_client = s && !strcmp(s, "post");
	return s && (p->post_client || !strcmp(s, "basic")) ? 0 : fail(e, EINVAL, "'client_auth' is basic or post");
}

static int read_before(struct provider *p, json_t *v, struct err *e)
{
	json_int_t s = json_integer_value(v);

	p->before_s = (unsigned)s;
	return json_is_integer(v) && s >= 0 && s <= 86400 ? 0 : fail(e, EINVAL, "'before_s' wants 0 to 86400 seconds");
}

static int read_refresh(struct provider *p, json_t *v, struct err *e)
{
	static const struct key keys[] = {
		{ "grant", read_grant, false },	{ "token_url", read_token_url, false },
		{ "scope", read_scope, false },	{ "client_auth", read_client_auth, false },
		{ "before_s", read_before, false }, { 0 },
	};
	int r = read_keys(p, v, keys, "'refresh'", e);

	if (r == 0 && (!p->grant || !p->token_url))
		return fail(e, EINVAL, "'refresh' wants grant and token_url");
	return r;
}

static int read_hosts(struct provider *p, json_t *v, struct err *e)
{
	return texts(v, "hosts", p->hosts, PROVIDER_HOSTS, e);
}

static int read_methods(struct provider *p, json_t *v, struct err *e)
{
	return texts(v, "methods", p->methods, PROVIDER_LIST, e);
}

static int read_paths(struct provider *p, json_t *v, struct err *e)
{
	int r = texts(v, "paths", p->paths, PROVIDER_LIST, e);

	for (size_t i = 0; r == 0 && p->paths[i]; i++)
		if (p->paths[i][0] != '/' || strpbrk(p->paths[i], "[]{}\\?"))
			r = fail(e, EINVAL, "'paths' wants texts like /v1/**, with no wildcard but '*' and '**'");
	return r;
}

static int read_env(struct provider *p, json_t *v, struct err *e)
{
	int r = texts(v, "env", p->env, PROVIDER_LIST, e);

	for (size_t i = 0; r == 0 && p->env[i]; i++)
		if (strchr(p->env[i], '='))
			r = fail(e, EINVAL, "'env' wants names of variables");
	return r;
}

static int read_shape(struct provider *p, json_t *v, struct err *e)
{
	int r = text(v, "shape", &p->shape, e);
	const char *hole = r == 0 ? strstr(p->shape, "{}") : NULL;

	if (r == 0 && (!hole || strlen(p->shape) > 64))
		return fail(e, EINVAL, "'shape' wants at most 64 bytes with {} in them");
	return r;
}

static int read_secret_file(struct provider *p, json_t *v, struct err *e)
{
	return text(v, "secret_file", &p->secret_file, e);
}

static int read_note(struct provider *p, json_t *v, struct err *e)
{
	const char *ignored;

	(void)p;
	return text(v, "description", &ignored, e);
}

int provider_read(struct provider *p, struct slice json, struct err *e)
{
	static const struct key keys[] = {
		{ "hosts", read_hosts, false },	  { "ports", read_ports, false },
		{ "methods", read_methods, false }, { "paths", read_paths, false },
		{ "placement", read_placement, false }, { "env", read_env, false },
		{ "shape", read_shape, false },	  { "secret_file", read_secret_file, false },
		{ "refresh", read_refresh, false }, { "description", read_note, false }, { 0 },
	};
	json_error_t je;
	int r;

	*p = (struct provider){ .before_s = 60 };
	p->json = json_loadb(json.p, json.n, JSON_REJECT_DUPLICATES, &je);
	if (!p->json)
		return fail(e, EINVAL, "provider record: %d:%d: %s", je.line, je.column, je.text);
	r = read_keys(p, p->json, keys, "provider record", e);
	if (r == 0 && (!p->hosts[0] || !json_object_get(p->json, "placement")))
		r = fail(e, EINVAL, "provider record wants 'hosts' and 'placement'");
	if (r == 0 && !p->n_ports)
		p->ports[p->n_ports++] = 443;
	if (r < 0)
		provider_done(p);
	return r;
}

bool provider_same(const struct provider *a, const struct provider *b)
{
	return json_equal(a->json, b->json);
}

void provider_done(struct provider *p)
{
	json_decref(p->json);
	*p = (struct provider){ 0 };
}
