/* SPDX-License-Identifier: Apache-2.0 */
#include "input.h"

#include <string.h>
#include <unistd.h>

#include "entries.h"
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

/* NULL, or what is wrong. */
static const char *read_hosts(struct arena *a, json_t *list, struct list *ret)
{
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v) {
		struct host *slot = list_push(a, ret, sizeof(*slot));

		if (!slot || !json_is_string(v))
			return slot ? "'target_hosts' wants texts" : "out of memory";
		if (host_parse(a, json_string_value(v), slot) != HOST_OK)
			return arena_printf(a, "'%.80s' is no host", json_string_value(v));
	}
	return ret->n ? NULL : "'target_hosts' is missing, or no list of hosts";
}

static const char *read_credential(struct arena *a, json_t *o, struct list *ret)
{
	struct credential_in *c = json_is_object(o) ? list_push(a, ret, sizeof(*c)) : NULL;
	json_t *hosts = json_object_get(o, "target_hosts"), *v;
	size_t i;

	if (!c)
		return json_is_object(o) ? "out of memory" : "not an object";
	*c = (struct credential_in){ .name = text_at(a, o, "name"), .type = text_at(a, o, "type"),
				     .env = text_at(a, o, "injected_via") };
	json_array_foreach(json_object_get(o, "scopes"), i, v) {
		text_of *slot = list_push(a, &c->scopes, sizeof(*slot));

		if (!slot || !json_is_string(v))
			return slot ? "'scopes' wants texts" : "out of memory";
		*slot = arena_printf(a, "%s", json_string_value(v));
	}
	return c->name ? read_hosts(a, hosts ? hosts : json_object_get(o, "hosts"), &c->hosts) : "'name' is missing, or no text";
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
static const char *only_texts(struct arena *a, json_t *o)
{
	static const char *const keys[] = { "category", "where", "program", "reason", "expires" };
	const char *key;
	json_t *v;

	json_object_foreach(o, key, v) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			known |= !strcmp(keys[i], key);
		if (!known || !json_is_string(v))
			return arena_printf(a, known ? "'%.40s' is no text" : "unknown key '%.40s'", key);
	}
	return json_is_object(o) ? NULL : "not an object";
}

static const char *read_accept(struct arena *a, json_t *o, struct list *ret)
{
	const char *why = only_texts(a, o);
	struct accepted *x = why ? NULL : list_push(a, ret, sizeof(*x));

	if (!x)
		return why ? why : "out of memory";
	*x = (struct accepted){ text_at(a, o, "category"), text_at(a, o, "where"), text_at(a, o, "program"),
				text_at(a, o, "reason"), text_at(a, o, "expires"), false };
	if (!x->category)
		return "'category' is missing";
	if (!x->reason || strspn(x->reason, " \t\n") == strlen(x->reason))
		return "'reason' is missing: why this one may stay";
	return is_date(x->expires) ? NULL : "'expires' is missing, or no day as YYYY-MM-DD";
}

static bool read_entries(struct arena *a, int fd, const struct entries *f, struct list *ret)
{
	struct buf b = { 0 };
	bool ok = read_all(fd, &b);

	if (!ok)
		fprintf(stderr, "oshctl: cannot read '%s', or it is longer than %u bytes\n", f->name, OSH_POLICY_BYTES);
	ok = ok && entries_read(a, f, (struct slice){ b.p, b.n }, ret);
	buf_done(&b);
	return ok;
}

bool input_accepts(struct arena *a, int fd, const char *name, struct list *ret)
{
	static const char hint[] = "each is {\"category\", \"reason\", \"expires\": \"YYYY-MM-DD\"}, and perhaps \"where\" and \"program\"";

	return read_entries(a, fd, &(struct entries){ name, "accepted", hint, read_accept }, ret);
}

bool input_credentials(struct arena *a, int fd, const char *name, struct list *ret)
{
	static const char hint[] = "each is {\"name\", \"target_hosts\": [HOST]}, and perhaps \"type\", \"scopes\" and \"injected_via\"";

	return read_entries(a, fd, &(struct entries){ name, "credentials", hint, read_credential }, ret);
}
