/* SPDX-License-Identifier: Apache-2.0 */
#include "input.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "own.h"
#include "osh/limits.h"

static bool read_all(int fd, struct buf *b)
{
	char part[16384];
	ssize_t n;

	b->limit = OSH_POLICY_BYTES + sizeof(part);
	while ((n = read(fd, part, sizeof(part))) > 0 && b->n <= OSH_POLICY_BYTES)
		buf_put(b, part, (size_t)n);
	return n == 0 && buf_ok(b);
}

bool input_policy(struct input *in, int fd, const char *name)
{
	struct slice text;
	int r;

	*in = (struct input){ .name = name };
	if (!read_all(fd, &in->text)) {
		fprintf(stderr, "oshctl: cannot read policy '%s'\n", name);
		return false;
	}
	text = (struct slice){ in->text.p, in->text.n };
	r = policy_read(&in->p, text, &in->d);
	diags_sort(&in->d);
	if (r < 0)
		diags_print(&in->d, stderr, name, text, false);
	return r == 0;
}

void input_done(struct input *in)
{
	policy_done(&in->p);
	diags_done(&in->d);
	buf_done(&in->text);
}

static const char *text_at(struct arena *a, json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? arena_printf(a, "%s", text) : NULL;
}

static bool read_hosts(struct arena *a, json_t *list, struct list *ret)
{
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v) {
		struct host *slot = list_push(a, ret, sizeof(*slot));

		if (!slot || !json_is_string(v) || host_parse(a, json_string_value(v), slot) != HOST_OK)
			return false;
	}
	return ret->n > 0;
}

static bool read_one(struct arena *a, json_t *o, struct list *ret)
{
	struct credential_in *c = list_push(a, ret, sizeof(*c));
	json_t *hosts = json_object_get(o, "target_hosts"), *v;
	size_t i;

	if (!c)
		return false;
	*c = (struct credential_in){ .name = text_at(a, o, "name"), .type = text_at(a, o, "type"),
				     .env = text_at(a, o, "injected_via") };
	json_array_foreach(json_object_get(o, "scopes"), i, v) {
		text_of *slot = list_push(a, &c->scopes, sizeof(*slot));

		if (!slot || !json_is_string(v))
			return false;
		*slot = arena_printf(a, "%s", json_string_value(v));
	}
	return c->name && read_hosts(a, hosts ? hosts : json_object_get(o, "hosts"), &c->hosts);
}

/* A day that there is: what is wrong must not be read as one that is far away. */
static bool is_date(const char *text)
{
	static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int month, day;

	if (!text || strlen(text) != 10 || strspn(text, "0123456789") != 4 || text[4] != '-' ||
	    strspn(text + 5, "0123456789") != 2 || text[7] != '-' || strspn(text + 8, "0123456789") != 2)
		return false;
	month = (text[5] - '0') * 10 + text[6] - '0';
	day = (text[8] - '0') * 10 + text[9] - '0';
	return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1];
}

/* A key that is misspelt would widen what is accepted; so would a value that is no text. */
static bool only_texts(json_t *o)
{
	static const char *const keys[] = { "category", "where", "program", "reason", "expires" };
	const char *key;
	json_t *v;

	json_object_foreach(o, key, v) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			known |= !strcmp(keys[i], key);
		if (!known || !json_is_string(v))
			return false;
	}
	return json_is_object(o);
}

static bool read_accept(struct arena *a, json_t *o, struct list *ret)
{
	struct accepted *x = only_texts(o) ? list_push(a, ret, sizeof(*x)) : NULL;

	if (!x)
		return false;
	*x = (struct accepted){ text_at(a, o, "category"), text_at(a, o, "where"), text_at(a, o, "program"),
				text_at(a, o, "reason"), text_at(a, o, "expires"), false };
	return x->category && x->reason && strspn(x->reason, " \t\n") < strlen(x->reason) && is_date(x->expires);
}

/* A list, or an object that has it under `key`. */
static bool read_list(struct arena *a, int fd, const char *key, bool (*one)(struct arena *, json_t *, struct list *),
		      struct list *ret)
{
	struct buf b = { 0 };
	bool ok = read_all(fd, &b);
	json_t *root = ok ? json_loadb(b.p ? b.p : "", b.n, JSON_REJECT_DUPLICATES, NULL) : NULL, *list, *v;
	size_t i;

	list = json_is_object(root) ? json_object_get(root, key) : root;
	ok = json_is_array(list);
	json_array_foreach(list, i, v)
		ok = ok && one(a, v, ret);
	json_decref(root);
	buf_done(&b);
	return ok;
}

bool input_accepts(struct arena *a, int fd, struct list *ret)
{
	bool ok = read_list(a, fd, "accepted", read_accept, ret);

	if (!ok)
		fputs("oshctl: accepted risks: not a list of {\"category\", \"reason\", \"expires\": \"YYYY-MM-DD\", "
		      "\"where\", \"program\"}; the last two may be left out\n", stderr);
	return ok;
}

bool input_credentials(struct arena *a, int fd, struct list *ret)
{
	bool ok = read_list(a, fd, "credentials", read_one, ret);

	if (!ok)
		fputs("oshctl: credentials: not a list of {\"name\", \"target_hosts\": [HOST], \"type\", \"scopes\", "
		      "\"injected_via\"}\n", stderr);
	return ok;
}
