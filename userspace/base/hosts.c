/* SPDX-License-Identifier: Apache-2.0 */
#include "hosts.h"

#include <arpa/inet.h>
#include <stdlib.h>

static bool name_char(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool hosts_name(struct slice in, char out[OSH_NAME_MAX])
{
	size_t label = 0;

	if (in.n && in.p[in.n - 1] == '.')
		in.n--;
	if (!in.n || in.n > 253)
		return false;
	memset(out, 0, OSH_NAME_MAX);
	for (size_t i = 0; i < in.n; i++) {
		unsigned char c = (unsigned char)in.p[i];

		if (c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		if (c == '.' ? !label : !name_char(c))
			return false;
		label = c == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
		out[i] = (char)c;
	}
	return label > 0;
}

/* The next word of a line, or an empty slice. */
static struct slice word(struct slice *line)
{
	struct slice w;

	while (line->n && (*line->p == ' ' || *line->p == '\t' || *line->p == '\r'))
		line->p++, line->n--;
	w = (struct slice){ line->p, 0 };
	while (line->n && *line->p != ' ' && *line->p != '\t' && *line->p != '\r')
		line->p++, line->n--, w.n++;
	return w;
}

static bool port_of(struct slice s, uint16_t *ret)
{
	uint32_t v = 0;

	if (!s.n || s.n > 5)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (uint32_t)(s.p[i] - '0');
	}
	*ret = (uint16_t)v;
	return v > 0 && v < 65536;
}

static bool ip_of(struct slice s, struct ip *ret)
{
	char text[INET6_ADDRSTRLEN];
	struct in_addr four;

	if (!s.n || s.n >= sizeof(text) || memchr(s.p, 0, s.n))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = 0;
	if (inet_pton(AF_INET, text, &four) == 1) {
		*ret = ip_from4(&four);
		return true;
	}
	return inet_pton(AF_INET6, text, ret->b) == 1;
}

/* ADDR, ADDR4:PORT or [ADDR6]:PORT */
static bool where_of(struct slice w, struct hosts_entry *h)
{
	const char *colon;
	struct slice addr = w;

	if (w.n && *w.p == '[') {
		const char *end = memchr(w.p, ']', w.n);

		if (!end)
			return false;
		addr = (struct slice){ w.p + 1, (size_t)(end - w.p) - 1 };
		w.n -= (size_t)(end + 1 - w.p);
		w.p = end + 1;
		if (!memchr(addr.p, ':', addr.n) || !ip_of(addr, &h->addr))
			return false;
		return !w.n || (*w.p == ':' && port_of((struct slice){ w.p + 1, w.n - 1 }, &h->port));
	}
	colon = memchr(w.p, ':', w.n);
	if (colon && !memchr(colon + 1, ':', w.n - (size_t)(colon + 1 - w.p))) {
		size_t used = (size_t)(colon + 1 - w.p);

		if (!port_of((struct slice){ colon + 1, w.n - used }, &h->port))
			return false;
		addr.n = used - 1;
	}
	return ip_of(addr, &h->addr);
}

static int add(struct hosts *h, const struct hosts_entry *one)
{
	if (h->n == h->cap) {
		size_t cap = h->cap ? h->cap * 2 : 16;
		struct hosts_entry *more = reallocarray(h->e, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		h->e = more;
		h->cap = cap;
	}
	h->e[h->n++] = *one;
	return 0;
}

/* `@direct`: names, or suffixes that begin with a dot. */
static int parse_direct(struct hosts *h, struct slice line, unsigned n, struct err *e)
{
	struct slice w;
	bool named = false;

	if (!h->direct)
		h->direct = calloc(1, sizeof(*h->direct));
	if (!h->direct)
		return fail(e, ENOMEM, "out of memory");
	while ((w = word(&line)).n) {
		struct hosts_entry one = { 0 };
		bool suffix = *w.p == '.';
		char name[OSH_NAME_MAX];

		named = true;
		if (!hosts_name((struct slice){ w.p + suffix, w.n - suffix }, name) || h->direct->n >= HOSTS_ENTRIES)
			return fail(e, EINVAL, "%u: not a host name", n);
		snprintf(one.name, sizeof(one.name), "%s%.254s", suffix ? "." : "", name);
		if (add(h->direct, &one) < 0)
			return fail(e, ENOMEM, "out of memory");
	}
	return named ? 0 : fail(e, EINVAL, "%u: @direct without a name", n);
}

static int set_proxy(struct hosts *h, const struct hosts_entry *one, unsigned n, struct err *e)
{
	if (!one->port)
		return fail(e, EINVAL, "%u: @proxy wants ADDR:PORT", n);
	if (h->proxy.port)
		return fail(e, EINVAL, "%u: a second @proxy", n);
	h->proxy = *one;
	return 0;
}

static int parse_line(struct hosts *h, struct slice line, unsigned n, struct err *e)
{
	struct hosts_entry one = { 0 };
	const char *hash = memchr(line.p, '#', line.n);
	struct slice w;
	bool named = false;

	if (hash)
		line.n = (size_t)(hash - line.p);
	w = word(&line);
	if (!w.n)
		return 0;
	if (slice_is(w, "@direct"))
		return parse_direct(h, line, n, e);
	if (!where_of(w, &one))
		return fail(e, EINVAL, "%u: not ADDR, ADDR:PORT or [ADDR]:PORT", n);
	while ((w = word(&line)).n) {
		named = true;
		if (slice_is(w, "@proxy")) {
			int r = set_proxy(h, &one, n, e);

			if (r < 0)
				return r;
			continue;
		}
		if (!hosts_name(w, one.name))
			return fail(e, EINVAL, "%u: not a host name", n);
		if (h->n >= HOSTS_ENTRIES)
			return fail(e, E2BIG, "%u: more than %u names", n,
				    HOSTS_ENTRIES);
		if (add(h, &one) < 0)
			return fail(e, ENOMEM, "out of memory");
	}
	return named ? 0 : fail(e, EINVAL, "%u: address without a name", n);
}

int hosts_parse(struct hosts *h, struct slice text, struct err *e)
{
	unsigned n = 0;

	if (text.n > HOSTS_BYTES)
		return fail(e, E2BIG, "1: more than %u bytes", HOSTS_BYTES);
	while (text.n) {
		const char *end = memchr(text.p, '\n', text.n);
		struct slice line = { text.p, end ? (size_t)(end - text.p) : text.n };
		int r = parse_line(h, line, ++n, e);

		if (r < 0) {
			hosts_done(h);
			return r;
		}
		text.p += line.n + (end != NULL);
		text.n -= line.n + (end != NULL);
	}
	return 0;
}

void hosts_done(struct hosts *h)
{
	if (h->direct)
		free(h->direct->e);
	free(h->direct);
	free(h->e);
	*h = (struct hosts){ 0 };
}

const struct hosts_entry *hosts_next(const struct hosts *h, const char *name, size_t *at)
{
	while (*at < h->n) {
		const struct hosts_entry *e = &h->e[(*at)++];

		if (!strcmp(e->name, name))
			return e;
	}
	return NULL;
}

bool hosts_proxied(const struct hosts *h, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; h->direct && i < h->direct->n; i++) {
		const char *one = h->direct->e[i].name;
		size_t len = strlen(one);

		if (*one == '.' ? n > len && !strcmp(name + n - len, one) : !strcmp(name, one))
			return false;
	}
	return h->proxy.port != 0;
}
