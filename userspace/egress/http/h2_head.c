/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h2_head.h"

#include <stdio.h>

#include "buf.h"
#include "http/chars.h"

enum { METHOD = 1, SCHEME = 2, AUTHORITY = 4, PATH = 8, STATUS = 16, PROTOCOL = 32 };

static const struct {
	const char *name;
	uint32_t bit;
	enum h2_kind kind;
} pseudo[] = {
	{ ":method", METHOD, H2_REQUEST },	 { ":scheme", SCHEME, H2_REQUEST },
	{ ":authority", AUTHORITY, H2_REQUEST }, { ":path", PATH, H2_REQUEST },
	{ ":protocol", PROTOCOL, H2_REQUEST },	 { ":status", STATUS, H2_RESPONSE },
};

/* They speak of one connection, and HTTP/2 has other means for that: never taken, never sent. */
static const char *const hop[] = {
	"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "http2-settings",
};

/*
 * The fields that may enter the compression table of an upstream. Everything else, known to be a
 * secret or not, is sent as never indexed: no table keeps it and no other request is compressed with it.
 */
static const char *const plain[] = {
	"accept",	   "accept-encoding", "accept-language", "cache-control", "content-type",
	"grpc-accept-encoding", "grpc-encoding", "te",		 "user-agent",	  "content-encoding",
	"server",	   "vary",	      "date",
};

static bool among(struct slice name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (slice_is(name, list[i]))
			return true;
	}
	return false;
}

#define AMONG(name, list) among(name, list, sizeof(list) / sizeof(*(list)))

/* Some servers take '_' for '-': behind a translation to HTTP/1.1 such a twin would frame the message. */
static bool is_twin(struct slice name)
{
	static const char *const frames[] = { "content-length" };
	char dashed[32];

	if (name.n > sizeof(dashed) || !memchr(name.p, '_', name.n))
		return false;
	for (size_t i = 0; i < name.n; i++)
		dashed[i] = name.p[i] == '_' ? '-' : name.p[i];
	return AMONG(((struct slice){ dashed, name.n }), frames) || AMONG(((struct slice){ dashed, name.n }), hop);
}

void h2_reading_start(struct h2_reading *r, enum h2_kind kind)
{
	struct head h = r->head;

	head_reset(&h);
	*r = (struct h2_reading){ .head = h, .kind = kind };
	r->head.version = 20;
}

void h2_reading_done(struct h2_reading *r)
{
	head_done(&r->head);
}

void h2_reading_refuse(struct h2_reading *r, const char *why)
{
	if (!r->bad)
		r->bad = why;
}

/* No control bytes but a tab, no white space at the ends: nothing that a trim would change. */
static bool value_ok(struct slice s)
{
	return chars_all(s, CH_VALUE) && chars_trim(s).n == s.n;
}

static bool name_ok(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (chars_lower(s.p[i]) != s.p[i])
			return false;
	}
	return s.n && chars_all(s, CH_TOKEN);
}

static bool target_ok(struct slice s)
{
	return s.n && chars_all(s, CH_TARGET);
}

/* In lower case, as every reader of requests gives it. */
static uint32_t take_authority(struct head *h, struct slice v)
{
	uint32_t at = head_text(h, v);

	for (char *p = at ? h->text + at : NULL; p && *p; p++)
		*p = chars_lower(*p);
	return at;
}

static void take_status(struct h2_reading *r, struct slice v)
{
	if (v.n != 3 || !chars_all(v, CH_DIGIT) || v.p[0] < '1' || v.p[0] > '5')
		h2_reading_refuse(r, "a status that is no number from 100 to 599");
	else
		r->head.status = (uint16_t)((v.p[0] - '0') * 100 + (v.p[1] - '0') * 10 + v.p[2] - '0');
}

static void take_pseudo(struct h2_reading *r, struct slice name, struct slice v)
{
	struct head *h = &r->head;
	uint32_t bit = 0;

	for (size_t i = 0; i < sizeof(pseudo) / sizeof(*pseudo); i++) {
		if (slice_is(name, pseudo[i].name) && pseudo[i].kind == r->kind)
			bit = pseudo[i].bit;
	}
	if (!bit || r->seen & bit || h->n_fields || r->hosts) {
		h2_reading_refuse(r, "a pseudo field that is unknown, twice there, or behind others");
		return;
	}
	r->seen |= bit;
	if (bit == STATUS)
		take_status(r, v);
	else if (bit == PROTOCOL)
		r->extended = true;
	else if (bit == METHOD && (!v.n || !chars_all(v, CH_TOKEN)))
		h2_reading_refuse(r, "a method that is no token");
	else if (bit != METHOD && !target_ok(v))
		h2_reading_refuse(r, "a pseudo field with bytes that have no place in it");
	else if (bit == METHOD)
		h->method = head_text(h, v);
	else if (bit == SCHEME)
		h->scheme = head_text(h, v);
	else if (bit == AUTHORITY)
		h->authority = take_authority(h, v);
	else
		h->target = head_text(h, v);
}

/* One number. It stays a field: that is how a length crosses an exchange. */
static void take_length(struct h2_reading *r, struct slice v)
{
	if (r->lengths++ || !v.n || v.n > 18 || !chars_all(v, CH_DIGIT))
		h2_reading_refuse(r, "a content-length that is no number, huge, or twice there");
	else
		(void)head_put(&r->head, SLICE("content-length"), v);
}

/* A host field says what :authority says, or stands in for it where there is none. */
static void take_host(struct h2_reading *r, struct slice v)
{
	struct head *h = &r->head;

	if (r->hosts++ || !target_ok(v))
		h2_reading_refuse(r, "a host field that is empty, or twice there");
	else if (!h->authority)
		h->authority = take_authority(h, v);
	else if (!chars_same(v, slice_of(head_str(h, h->authority))))
		h2_reading_refuse(r, "host is not what :authority is");
}

bool h2_reading_field(struct h2_reading *r, struct slice name, struct slice v)
{
	struct head *h = &r->head;

	r->n++;
	r->bytes += (uint32_t)(name.n + v.n) + 32;
	if (r->n > 2 * HEAD_FIELDS || r->bytes > 2 * H2_LIST_BYTES)
		return false;
	if (r->bad)
		return true;
	if (r->n > HEAD_FIELDS || r->bytes > H2_LIST_BYTES)
		h->too_big = true;
	else if (!value_ok(v))
		h2_reading_refuse(r, "a field value with control bytes, or white space at its ends");
	else if (name.n && name.p[0] == ':')
		take_pseudo(r, name, v);
	else if (!name_ok(name))
		h2_reading_refuse(r, "a field name with upper case, or that is no token");
	else if (is_twin(name))
		h2_reading_refuse(r, "a field name that could pass for another");
	else if (AMONG(name, hop) || (slice_is(name, "te") && !slice_is(v, "trailers")))
		h2_reading_refuse(r, "a field of HTTP/1.1 connections");
	else if (r->kind == H2_TRAILERS && !head_trailer_allowed(name))
		return true;		/* no peer may act on it: it goes no further */
	else if (slice_is(name, "content-length"))
		take_length(r, v);
	else if (slice_is(name, "host") && r->kind == H2_REQUEST)
		take_host(r, v);
	else {
		r->cookies += slice_is(name, "cookie");
		(void)head_put(h, name, v);	/* latches */
	}
	return true;
}

/* HTTP/2 may send a cookie field for every cookie; it is one field everywhere else. */
static void join_cookies(struct head *h)
{
	struct buf b = { .limit = HEAD_BYTES };
	const struct field *f;

	for (uint32_t i = 0; (f = head_find(h, "cookie", i)); i++) {
		struct slice v = head_value(h, f);

		if (i)
			buf_str(&b, "; ");
		buf_put(&b, v.p, v.n);
	}
	if (!buf_ok(&b) || !head_set(h, "cookie", (struct slice){ b.p, b.n }))
		h->too_big = true;
	buf_done(&b);
}

static int end_request(struct h2_reading *r, const char *scheme, const char **why)
{
	struct head *h = &r->head;
	const char *target, *method;

	*why = "CONNECT";
	if (r->extended || slice_is(slice_of(head_str(h, h->method)), "CONNECT"))
		return 501;
	*why = "a pseudo field is missing";
	if (!h->method || !h->scheme || !h->authority || !h->target)
		return 400;
	*why = "a scheme that this connection does not have";
	if (strcmp(head_str(h, h->scheme), scheme) != 0)
		return 400;
	*why = "user information in :authority";
	if (strchr(head_str(h, h->authority), '@'))
		return 400;
	target = head_str(h, h->target);
	method = head_str(h, h->method);
	*why = "a target that is no path";
	if (target[0] != '/' && !(slice_is(slice_of(target), "*") && slice_is(slice_of(method), "OPTIONS")))
		return 400;
	*why = "a target that is too long";
	if (strlen(target) > TARGET_BYTES)
		return 414;
	return 0;
}

int h2_reading_end(struct h2_reading *r, const char *scheme, const char **why)
{
	struct head *h = &r->head;

	*why = r->bad;
	if (r->bad)
		return 400;
	if (r->cookies > 1)
		join_cookies(h);
	*why = "a head that is too large";
	if (h->too_big)
		return 431;
	*why = "an answer without a status, or one that only HTTP/1.1 has";
	if (r->kind == H2_RESPONSE && (!h->status || h->status == 101))
		return 400;
	return r->kind == H2_REQUEST ? end_request(r, scheme, why) : 0;
}

static nghttp2_nv nv(struct slice name, struct slice value, uint8_t flags)
{
	return (nghttp2_nv){ (uint8_t *)(uintptr_t)name.p, (uint8_t *)(uintptr_t)value.p, name.n, value.n, flags };
}

static size_t put_pseudo(const struct head *h, enum h2_kind kind, char status[4], nghttp2_nv *to)
{
	if (kind == H2_TRAILERS)
		return 0;
	if (kind == H2_RESPONSE) {
		snprintf(status, 4, "%03u", h->status % 1000u);
		to[0] = nv(SLICE(":status"), slice_of(status), 0);
		return 1;
	}
	to[0] = nv(SLICE(":method"), slice_of(head_str(h, h->method)), 0);
	to[1] = nv(SLICE(":scheme"), slice_of(head_str(h, h->scheme)), 0);
	to[2] = nv(SLICE(":authority"), slice_of(head_str(h, h->authority)), 0);
	to[3] = nv(SLICE(":path"), slice_of(head_str(h, h->target)), NGHTTP2_NV_FLAG_NO_INDEX);
	return 4;
}

size_t h2_head_nvs(const struct head *h, enum h2_kind kind, char status[4], nghttp2_nv *nvs)
{
	size_t n = put_pseudo(h, kind, status, nvs);

	if (h->n_fields > H2_NVS - 4)
		return 0;
	for (uint32_t i = 0; i < h->n_fields; i++) {
		const struct field *f = &h->fields[i];
		struct slice name = head_name(h, f), value = head_value(h, f);

		if (AMONG(name, hop) || slice_is(name, "host") || !name.n || name.p[0] == ':' ||
		    (slice_is(name, "te") && !slice_is(value, "trailers")))
			continue;
		nvs[n++] = nv(name, value, AMONG(name, plain) ? 0 : NGHTTP2_NV_FLAG_NO_INDEX);
	}
	return n;
}
