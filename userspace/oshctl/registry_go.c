/* SPDX-License-Identifier: Apache-2.0 */
/* go: GOPROXY and GOSUMDB, as variables or in go's own file. */
#include <stdio.h>
#include <string.h>

#include "registry.h"

/* The caller's variable, else the line of go's own file. */
static const char *go_value(const struct client *c, const char *name, struct ini *it, const char **from)
{
	const char *v = client_env(c, name);

	it->line = 0;
	*from = name;
	if (v)
		return v;
	*from = "~/.config/go/env";
	if (client_ini(c, *from, false, false, it))
		while (ini_next(it))
			if (!strcmp(it->key, name) && *it->value)
				return it->value;
	return NULL;
}

static void go_proxies(struct registries *r, const char *text, const char *from, unsigned line)
{
	char copy[INI_TEXT], used[INI_TEXT] = "", *save = NULL;

	if (strlen(text) >= sizeof(copy)) {
		registry_warn(r, from, line, "GOPROXY is too long; it is not used");
		return;
	}
	strcpy(copy, text);
	for (char *url = strtok_r(copy, ",| ", &save); url; url = strtok_r(NULL, ",| ", &save)) {
		if (!strcmp(url, "direct") || !strcmp(url, "off") || !registry_add(r, url, from, line))
			continue;
		sprintf(used + strlen(used), "%s%s", *used ? "," : "", url);
	}
	registry_env(r, "GOPROXY", *used ? used : "off");
}

/* "off", "NAME", "NAME+KEY" or "NAME+KEY URL". */
static void go_sums(struct registries *r, const char *text, const char *from, unsigned line)
{
	const char *space = strchr(text, ' ');
	char url[INI_TEXT + 8];

	if (strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+/=:_ -") != strlen(text)) {
		registry_warn(r, from, line, "GOSUMDB holds other characters than its names have; it is not used");
		return;
	}
	if (strcmp(text, "off")) {
		if (space)
			snprintf(url, sizeof(url), "%s", space + 1 + strspn(space + 1, " "));
		else
			snprintf(url, sizeof(url), "https://%.*s", (int)strcspn(text, "+"), text);
		if (!registry_add(r, url, from, line))
			return;
	}
	registry_env(r, "GOSUMDB", text);
}

void registry_go(struct registries *r, const struct client *c)
{
	const char *from, *text;
	struct ini it = { 0 };

	text = go_value(c, "GOPROXY", &it, &from);
	if (text)
		go_proxies(r, text, from, it.line);
	else
		registry_add_default(r, "proxy.golang.org", "");
	text = go_value(c, "GOSUMDB", &it, &from);
	if (text)
		go_sums(r, text, from, it.line);
	else
		registry_add_default(r, "sum.golang.org", "");
}
