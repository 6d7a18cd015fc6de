/* SPDX-License-Identifier: Apache-2.0 */
#include "registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "say.h"

#define URL_MAX 512

/* Segments of plain bytes, none of them "." or ".."; nothing that a pattern or YAML would read otherwise. */
static bool path_ok(const char *path)
{
	for (const char *p = path; *p;) {
		size_t n = strcspn(++p, "/");

		if (n && n <= 2 && strspn(p, ".") == n)
			return false;
		p += n;
	}
	return strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._~+@-") == strlen(path) &&
	       !strstr(path, "//");
}

static bool port_of(const char *text, unsigned *ret)
{
	size_t n = strspn(text, "0123456789");
	unsigned long v = n && n <= 5 && !text[n] ? strtoul(text, NULL, 10) : 0;

	*ret = (unsigned)v;
	return v >= 1 && v <= 65535;
}

const char *registry_parse(struct registries *r, const char *url, struct registry *ret)
{
	const char *rest, *slash, *colon;
	struct host host;
	char name[URL_MAX];
	size_t n;

	if (strncmp(url, "https://", 8))
		return "is no https URL";
	if (strlen(url) >= URL_MAX)
		return "is too long";
	rest = url + 8;
	if (strchr(url, '@') && strchr(url, '@') < rest + strcspn(rest, "/?#"))
		return "holds a user name: keep credentials out of URLs";
	if (strpbrk(rest, "?#"))
		return "has a query or fragment";
	slash = rest + strcspn(rest, "/");
	memcpy(name, rest, (size_t)(slash - rest));
	name[slash - rest] = 0;
	colon = strchr(name, ':');
	ret->port = 443;
	if (colon && !port_of(colon + 1, &ret->port))
		return "has no port that could be";
	name[colon ? (size_t)(colon - name) : strlen(name)] = 0;
	if (host_parse(&r->a, name, &host) != HOST_OK || host.kind != HOST_NAME)
		return "names no host by its name";
	n = strlen(slash);
	while (n && slash[n - 1] == '/')
		n--;
	ret->path = arena_text(&r->a, slash, n);
	ret->host = host.text;
	if (!ret->path || !path_ok(ret->path))
		return "has a path of other characters than letters, digits and . _ ~ + @ -";
	return NULL;
}

/* The value is not shown: it may hold a password. */
void registry_warn(const struct registries *r, const char *from, unsigned line, const char *what)
{
	if (r->quiet)
		return;
	if (line)
		say_error("%s:%u: %s", from, line, what);
	else
		say_error("%s: %s", from, what);
}

static bool push(struct registries *r, const struct registry *one)
{
	struct registry *to;

	for EACH (struct registry, v, &r->v)
		if (!strcmp(v->host, one->host) && v->port == one->port && !strcmp(v->path, one->path))
			return true;
	to = r->v.n < REGISTRIES_MAX ? list_push(&r->a, &r->v, sizeof(*to)) : NULL;
	if (to)
		*to = *one;
	return to;
}

bool registry_add(struct registries *r, const char *url, const char *from, unsigned line)
{
	struct registry one;
	const char *why = registry_parse(r, url, &one);
	char text[128];

	if (why) {
		snprintf(text, sizeof(text), "this registry %s; it is not used", why);
		registry_warn(r, from, line, text);
		return false;
	}
	if (push(r, &one))
		return true;
	registry_warn(r, from, line, "too many registries; this one is not used");
	return false;
}

void registry_add_default(struct registries *r, const char *host, const char *path)
{
	(void)push(r, &(struct registry){ host, 443, path });
}

void registry_env(struct registries *r, const char *name, const char *value)
{
	const char **to;

	if (strpbrk(value, "\"\\") || strlen(value) > 2 * URL_MAX)
		return;
	to = list_push(&r->a, &r->env, sizeof(*to));
	if (to)
		*to = arena_printf(&r->a, "%s: \"%s\"", name, value);
}

const char *client_env(const struct client *c, const char *name)
{
	const char *v = c->env ? c->env(c, name) : NULL;

	return v && *v ? v : NULL;
}

bool client_ini(const struct client *c, const char *path, bool project, bool folds, struct ini *ret)
{
	*ret = (struct ini){ .folds = folds };
	return c->file && c->file(c, path, project, &ret->rest);
}

void registries_done(struct registries *r)
{
	arena_done(&r->a);
	*r = (struct registries){ 0 };
}
