/* SPDX-License-Identifier: Apache-2.0 */
#include "http/request.h"

#include <stdio.h>

#include "hosts.h"

static bool digits(struct slice s, uint32_t *ret)
{
	uint32_t v = 0;

	if (!s.n || s.n > 5 || *s.p == '0')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (uint32_t)(s.p[i] - '0');
	}
	*ret = v;
	return v < 65536;
}

/* host, host:port or [v6]:port, split. User information has no place in it. */
static bool split(struct slice a, struct slice *host, struct slice *port)
{
	const char *end = a.p + a.n, *at;

	*port = (struct slice){ NULL, 0 };
	if (a.n && *a.p == '[') {
		at = memchr(a.p, ']', a.n);
		if (!at)
			return false;
		*host = (struct slice){ a.p + 1, (size_t)(at - a.p) - 1 };
		at++;
	} else {
		at = memchr(a.p, ':', a.n);
		at = at ? at : end;
		*host = (struct slice){ a.p, (size_t)(at - a.p) };
	}
	if (at < end) {
		if (*at != ':')
			return false;
		*port = (struct slice){ at + 1, (size_t)(end - at) - 1 };
		return port->n > 0;
	}
	return true;
}

static bool authority_is(struct head *h, const struct conn *c)
{
	char want[OSH_NAME_MAX], name[OSH_NAME_MAX], text[OSH_NAME_MAX + 16];
	struct slice host, port, all = slice_of(head_str(h, h->authority));
	uint32_t number = c->tls ? 443 : 80;
	const struct target *t = &c->grant->target;
	bool v6 = t->literal && !ip_is4(&t->addr);

	target_text(t, want);
	if (!split(all, &host, &port) || (port.n && !digits(port, &number)) || number != t->port)
		return false;
	if (v6 ? !slice_is(host, want) : !hosts_name(host, name) || strcmp(name, want))
		return false;
	if (v6)
		return true;
	snprintf(text, sizeof(text), port.n ? "%s:%u" : "%s", want, number);
	if (slice_is(all, text))
		return true;
	h->authority = head_text(h, slice_of(text));
	return h->authority != 0;
}

bool request_upgrades(const struct head *h)
{
	return head_find(h, "upgrade", 0) != NULL;
}

enum osh_reason request_check(struct head *h, const struct conn *c, const char **detail)
{
	const char *method = head_str(h, h->method), *scheme = head_str(h, h->scheme);
	const struct field *up = head_find(h, "upgrade", 0);

	*detail = "";
	if (!method[0] || !h->target)
		return OSH_WHY_HTTP_BAD;
	if (!authority_is(h, c))
		return OSH_WHY_AUTHORITY;
	if (scheme[0] && strcmp(scheme, c->tls ? "https" : "http")) {
		*detail = "the scheme is not the connection's";
		return OSH_WHY_AUTHORITY;
	}
	if (!strcmp(method, "CONNECT") || !strcmp(method, "TRACE")) {
		*detail = "CONNECT and TRACE are never sent on";
		return OSH_WHY_PROTOCOL;
	}
	if (up && (head_find(h, "upgrade", 1) || strcasecmp(h->text + up->value, "websocket"))) {
		*detail = "upgrade to another protocol than WebSocket";
		return OSH_WHY_PROTOCOL;
	}
	return OSH_WHY_ALLOWED;
}

bool request_target(struct head *h, const char *path, struct slice query)
{
	static char text[4096 + 1 + TARGET_BYTES + 1];
	size_t n = strlen(path);

	if (n + 1 + query.n >= sizeof(text))
		return false;
	memcpy(text, path, n);
	if (query.p) {
		text[n++] = '?';
		memcpy(text + n, query.p, query.n);
		n += query.n;
	}
	text[n] = 0;
	if (!strcmp(head_str(h, h->target), text))
		return true;
	h->target = head_text(h, (struct slice){ text, n });
	return h->target != 0;
}

#define NAME(s) { s, sizeof(s) - 1 }
static const struct slice request_never[] = {
	NAME("connection"), NAME("proxy-connection"), NAME("keep-alive"), NAME("transfer-encoding"),
	NAME("proxy-authorization"), NAME("http2-settings"), NAME("host"), NAME("alt-used"),
	/* The method that was judged is the method that the server shall see. */
	NAME("x-http-method-override"), NAME("x-http-method"), NAME("x-method-override"),
	/* And the path likewise. */
	NAME("x-original-url"), NAME("x-rewrite-url"),
};
static const struct slice answer_never[] = {
	NAME("connection"), NAME("proxy-connection"), NAME("keep-alive"), NAME("transfer-encoding"),
	NAME("proxy-authenticate"),
	/* Another way to the host, which the sandbox does not have. */
	NAME("alt-svc"),
};

/* Many servers hand on `_` and `-` in a name as one and the same. */
static bool same_name(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i] && !(a[i] == '_' && b[i] == '-'))
			return false;
	return true;
}

static bool listed(const struct head *h, const struct field *f, const struct slice *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].n == f->name_len && same_name(h->text + f->name, list[i].p, list[i].n))
			return true;
	return false;
}

static void drop_listed(struct head *h, const struct slice *list, size_t n)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < h->n_fields; i++)
		if (!listed(h, &h->fields[i], list, n))
			h->fields[kept++] = h->fields[i];
	h->n_fields = kept;
}

void request_clean(struct head *h, bool upgrade)
{
	const struct field *te = head_find(h, "te", 0);
	bool trailers = te && !strcasecmp(h->text + te->value, "trailers");

	drop_listed(h, request_never, sizeof(request_never) / sizeof(request_never[0]));
	if (te && (!trailers || head_find(h, "te", 1)))
		head_drop(h, "te");
	if (!upgrade && request_upgrades(h))
		head_drop(h, "upgrade");
}

void answer_clean(struct head *h)
{
	drop_listed(h, answer_never, sizeof(answer_never) / sizeof(answer_never[0]));
	if (h->status != 101 && request_upgrades(h))
		head_drop(h, "upgrade");
}

void trailers_clean(struct head *h)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < h->n_fields; i++)
		if (head_trailer_allowed(head_name(h, &h->fields[i])) &&
		    !listed(h, &h->fields[i], request_never, sizeof(request_never) / sizeof(request_never[0])))
			h->fields[kept++] = h->fields[i];
	h->n_fields = kept;
}
