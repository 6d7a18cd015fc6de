/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A provider record: where a credential may go and how it is put there. Strict: an unknown key refuses
 * the record. The record itself holds no secret.
 *
 *   {"hosts": ["api.example.com", "*.example.com"], "ports": [443], "methods": ["GET"], "paths": ["/v1/items"],
 *    "placement": {"header": "authorization", "prefix": "Bearer "},
 *    "env": ["EXAMPLE_API_KEY"], "shape": "sk-{}", "secret_file": "~/.example/key",
 *    "refresh": {...}}
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "slice.h"

enum placement {
	PLACE_HEADER,			/* name: prefix + secret */
	PLACE_BASIC,			/* authorization: Basic base64(user:secret) */
	PLACE_QUERY,			/* name=secret */
	PLACE_PATH,			/* where the placeholder stands in the path */
	PLACE_BODY,			/* where it stands in the body */
	PLACE_SIGV4,			/* the request is signed; the secret is {"access_key_id", "secret_access_key"[, "session_token"]} */
};

enum refresh_grant { REFRESH_NONE, REFRESH_TOKEN, REFRESH_CLIENT };

#define PROVIDER_HOSTS 32
#define PROVIDER_LIST 16
#define PROVIDER_SERVICE_AUTO "auto"	/* SIGV4: by the host, of AWS' own names */

struct provider {
	struct json_t *json;		/* owns every text below */
	const char *hosts[PROVIDER_HOSTS + 1], *methods[PROVIDER_LIST + 1], *paths[PROVIDER_LIST + 1];
	const char *env[PROVIDER_LIST + 1];
	uint16_t ports[PROVIDER_LIST];
	unsigned n_ports;		/* 0 = 443 alone */
	enum placement placement;
	const char *name;		/* of the header or the query parameter; user of BASIC; service of SIGV4 */
	const char *prefix;		/* HEADER */
	const char *region;		/* SIGV4; NULL = from the host name */
	bool sign_body;			/* SIGV4: the body's hash is signed; without a word, everywhere but at s3 */
	bool sign_said;
	const char *shape;		/* of the placeholder; NULL = plain */
	const char *secret_file;
	enum refresh_grant grant;
	const char *token_url, *scope;
	bool post_client;		/* client id and secret in the form, not in Basic */
	unsigned before_s;		/* refreshed that long before it expires */
};

int provider_read(struct provider *p, struct slice json, struct err *e);
bool provider_same(const struct provider *a, const struct provider *b);	/* as they were written */
void provider_done(struct provider *p);
