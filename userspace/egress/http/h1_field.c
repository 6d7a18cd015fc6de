/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields that decide about a message of HTTP/1.1: whose it is, where it ends, what becomes of the
 * connection. They are consumed as they are met, and judged together at the end of the head.
 */
#include "http/h1_reader.h"

#include "http/chars.h"
#include "http/h1_line.h"
#include "own.h"

#define HOST_MOST 262			/* a name of 255 and a port */

bool h1_refuse(struct h1_reader *r, int status, const char *why)
{
	r->status = status;
	r->why = why;
	return false;
}

/* NAME, NAME:PORT, [ADDRESS] or [ADDRESS]:PORT, and nothing that could be read as something else. */
bool h1_authority_good(struct slice s)
{
	size_t i = 0, digits = 0;
	unsigned port = 0;

	if (!s.n || s.n > HOST_MOST)
		return false;
	if (s.p[0] == '[') {
		for (i = 1; i < s.n && (http_chars[(uint8_t)s.p[i]] & CH_HEX || s.p[i] == ':' || s.p[i] == '.'); i++)
			;
		if (i < 3 || i == s.n || s.p[i++] != ']')
			return false;
	} else {
		while (i < s.n && http_chars[(uint8_t)s.p[i]] & CH_HOST)
			i++;
	}
	if (!i || i == s.n)
		return i != 0;
	if (s.p[i++] != ':')
		return false;
	for (; i < s.n && http_chars[(uint8_t)s.p[i]] & CH_DIGIT && digits < 5; i++, digits++)
		port = port * 10 + (unsigned)(s.p[i] - '0');
	return i == s.n && digits && port && port <= 65535;
}

bool h1_put_authority(struct h1_reader *r, struct slice s)
{
	struct head *h = r->h;

	h->authority = head_text(h, s);
	if (!h->authority)
		return h1_refuse(r, 431, "the head is larger than the limit");
	for (char *p = h->text + h->authority; *p; p++)
		*p = chars_lower(*p);
	return true;
}

static bool take_host(struct h1_reader *r, struct slice v)
{
	const struct head *h = r->h;

	if (!r->request)
		return true;
	if (r->host)
		return h1_refuse(r, 400, "several Host fields");
	r->host = true;
	if (!h1_authority_good(v))
		return h1_refuse(r, 400, "the Host field is malformed");
	if (h->authority)
		return chars_same(v, slice_of(head_str(h, h->authority))) ||
		       h1_refuse(r, 400, "the Host field contradicts the target");
	return h1_put_authority(r, v);
}

bool h1_length(struct slice v, uint64_t *ret)
{
	uint64_t n = 0;

	if (!v.n || v.n > 18 || (v.n > 1 && v.p[0] == '0'))
		return false;
	for (size_t i = 0; i < v.n; i++) {
		if (!(http_chars[(uint8_t)v.p[i]] & CH_DIGIT))
			return false;
		n = n * 10 + (uint64_t)(v.p[i] - '0');
	}
	*ret = n;
	return true;
}

static bool take_length(struct h1_reader *r, struct slice v)
{
	if (r->length)
		return h1_refuse(r, 400, "several Content-Length fields");
	r->length = true;
	if (!h1_length(v, &r->m->length))
		return h1_refuse(r, 400, "the Content-Length is no plain number");
	return head_put(r->h, SLICE("content-length"), v) ||
	       h1_refuse(r, 431, "the head is larger than the limit");
}

/* A request says `chunked` as everybody writes it; an answer may differ in case. */
static bool take_coding(struct h1_reader *r, struct slice v)
{
	if (r->coding)
		return h1_refuse(r, 400, "several Transfer-Encoding fields");
	r->coding = true;
	if (!slice_is(v, "chunked") && (r->request || !chars_same(v, SLICE("chunked"))))
		return h1_refuse(r, 400, "a Transfer-Encoding other than chunked");
	return true;
}

#define NAME(lit) { lit, sizeof(lit) - 1 }

/* What `connection` names is dropped; what a message depends on cannot be named away. */
static bool take_connection(struct h1_reader *r, struct slice v)
{
	static const struct slice known[] = {
		NAME("keep-alive"), NAME("te"), NAME("trailer"), NAME("trailers"),
		NAME("http2-settings"), NAME("proxy-connection"),
	};
	static const struct slice needed[] = {
		NAME("host"), NAME("content-length"), NAME("transfer-encoding"), NAME("expect"),
		NAME("authorization"), NAME("cookie"), NAME("set-cookie"), NAME("content-type"),
		NAME("content-encoding"), NAME("location"), NAME("connection"),
	};
	struct slice one;

	while (chars_list(&v, &one)) {
		bool is_known = false;

		if (!chars_all(one, CH_TOKEN))
			return h1_refuse(r, 400, "the Connection field is malformed");
		if (chars_same(one, SLICE("close"))) {
			r->close = true;
			continue;
		}
		if (chars_same(one, SLICE("upgrade"))) {
			r->wants_upgrade = true;
			continue;
		}
		for (size_t i = 0; i < ARRAY_SIZE(known); i++)
			is_known |= chars_same(one, known[i]);
		for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
			if (chars_same(one, needed[i]))
				return h1_refuse(r, 400, "the Connection field names a field that is not its own");
		if (is_known)
			continue;
		if (r->n_listed >= H1_LISTED_MOST)
			return h1_refuse(r, 400, "the Connection field names too many fields");
		r->listed[r->n_listed++] = one;
	}
	return true;
}

static bool take_te(struct h1_reader *r, struct slice v)
{
	struct slice one;

	while (chars_list(&v, &one))
		r->te_trailers |= chars_same(one, SLICE("trailers"));
	return true;
}

static bool take_upgrade(struct h1_reader *r, struct slice v)
{
	if (r->upgrade.p && r->request)
		return h1_refuse(r, 400, "several Upgrade fields");
	r->upgrade = v;
	return true;
}

static bool take_expect(struct h1_reader *r, struct slice v)
{
	if (!r->request)
		return true;
	if (r->expect || !chars_same(v, SLICE("100-continue")))
		return h1_refuse(r, 417, "an Expect field other than 100-continue");
	r->expect = true;
	return true;
}

static bool take_nothing(struct h1_reader *r, struct slice v)
{
	(void)r;
	(void)v;
	return true;
}

static const struct special {
	struct slice name;
	bool (*take)(struct h1_reader *r, struct slice value);
} specials[] = {
	{ NAME("host"), take_host },
	{ NAME("content-length"), take_length },
	{ NAME("transfer-encoding"), take_coding },
	{ NAME("connection"), take_connection },
	{ NAME("te"), take_te },
	{ NAME("upgrade"), take_upgrade },
	{ NAME("expect"), take_expect },
	{ NAME("keep-alive"), take_nothing },
	{ NAME("trailer"), take_nothing },
	{ NAME("http2-settings"), take_nothing },
};

/* Some servers take '_' for '-': such a twin of a field that decides is never passed on. */
static bool is_special(struct slice name, const struct special *s, bool *twin)
{
	*twin = false;
	for (size_t i = 0; i < name.n; i++) {
		char c = chars_lower(name.p[i]);

		if (c == '_' && s->name.p[i] == '-')
			*twin = true;
		else if (c != s->name.p[i])
			return false;
	}
	return true;
}

bool h1_take_field(struct h1_reader *r, struct slice name, struct slice value)
{
	if (name.n > 6 && chars_same((struct slice){ name.p, 6 }, SLICE("proxy-")))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(specials); i++) {
		bool twin;

		if (specials[i].name.n != name.n || !is_special(name, &specials[i], &twin))
			continue;
		if (twin)
			return h1_refuse(r, 400, "a field name that could pass for another");
		return specials[i].take(r, value);
	}
	return head_put(r->h, name, value) || h1_refuse(r, 431, "the head is larger than the limit");
}

/* Fields that `connection` named go, and what is known of this hop is said in our own words. */
static bool settle_hop(struct h1_reader *r)
{
	for (uint32_t i = 0; i < r->n_listed; i++) {
		char name[64];
		size_t n = r->listed[i].n;

		if (n >= sizeof(name))
			return h1_refuse(r, 400, "the Connection field names a field too long");
		for (size_t k = 0; k < n; k++)
			name[k] = chars_lower(r->listed[i].p[k]);
		name[n] = 0;
		head_drop(r->h, name);
	}
	if (r->te_trailers && r->request && !head_put(r->h, SLICE("te"), SLICE("trailers")))
		return h1_refuse(r, 431, "the head is larger than the limit");
	r->m->keep_alive = r->h->version == 11 && !r->close;
	return true;
}

static bool settle_upgrade(struct h1_reader *r)
{
	if (!r->wants_upgrade || !chars_same(r->upgrade, SLICE("websocket")))
		return h1_refuse(r, 400, "an Upgrade to something other than websocket");
	r->m->upgrade = true;
	return head_put(r->h, SLICE("upgrade"), SLICE("websocket")) ||
	       h1_refuse(r, 431, "the head is larger than the limit");
}

bool h1_settle_request(struct h1_reader *r)
{
	struct head *h = r->h;
	const char *method = head_str(h, h->method);

	if (!r->host && (h->version == 11 || h->authority))
		return h1_refuse(r, 400, "no Host field");
	if (r->coding && r->length)
		return h1_refuse(r, 400, "Content-Length beside Transfer-Encoding");
	if (r->coding && h->version == 10)
		return h1_refuse(r, 400, "Transfer-Encoding in HTTP/1.0");
	r->m->framing = r->coding ? H1_CHUNKED : r->length ? H1_LENGTH : H1_NONE;
	if (r->m->framing != H1_NONE && !strcmp(method, "TRACE"))
		return h1_refuse(r, 400, "TRACE with a body");
	if (!settle_hop(r))
		return false;
	if (r->expect && h->version == 11) {
		r->m->expect_continue = true;
		if (!head_put(h, SLICE("expect"), SLICE("100-continue")))
			return h1_refuse(r, 431, "the head is larger than the limit");
	}
	if (!r->upgrade.p)
		return true;
	if (h->version != 11 || strcmp(method, "GET") || r->m->framing != H1_NONE)
		return h1_refuse(r, 400, "an Upgrade where none can be");
	return settle_upgrade(r);
}

bool h1_settle_response(struct h1_reader *r, const char *method)
{
	struct head *h = r->h;
	bool bodiless = h->status < 200 || h->status == 204;

	if (r->coding && (r->length || h->version == 10))
		return h1_refuse(r, 502, "Transfer-Encoding beside Content-Length, or in HTTP/1.0");
	if (bodiless && (r->coding || (r->length && r->m->length)))
		return h1_refuse(r, 502, "a body where the status allows none");
	if (bodiless)
		head_drop(h, "content-length");
	if (!settle_hop(r))
		return false;
	if (h->status == 101 && !settle_upgrade(r))
		return false;
	if (bodiless || h->status == 304 || !strcmp(method, "HEAD"))
		r->m->framing = H1_NONE;
	else
		r->m->framing = r->coding ? H1_CHUNKED : r->length ? H1_LENGTH : H1_UNTIL_CLOSE;
	if (r->m->framing == H1_UNTIL_CLOSE || h->status == 101)
		r->m->keep_alive = false;
	return true;
}
