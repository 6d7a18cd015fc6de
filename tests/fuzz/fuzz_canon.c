/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any request target: refused, or a path that begins with '/', has no dot segment, empty segment or
 * byte that a server could read differently, and is its own canonical form.
 */
#include <stdint.h>
#include <string.h>

#include "canon.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(int ok)
{
	if (!ok)
		__builtin_trap();
}

static void check_form(const char *path, const struct canon_options *o)
{
	must(*path == '/' && !strstr(path, "//"));
	for (const char *p = path; *p; p++) {
		must(*p > 0x20 && *p < 0x7f && !strchr("?#\"<>\\^`{|}[]", *p));
		must(*p != ';' || o->keep_params);
		if (*p != '%')
			continue;
		must(p[1] >= '0' && p[1] <= 'F' && p[2] >= '0' && p[2] <= 'F');
		must(o->encoded_slash || strncmp(p, "%2F", 3));
		must(strncmp(p, "%2E", 3) && strncmp(p, "%00", 3));
	}
	for (const char *s = path; s; s = strchr(s + 1, '/')) {
		size_t len = strcspn(s + 1, "/");

		must(!(len == 1 && s[1] == '.') && !(len == 2 && s[1] == '.' && s[2] == '.'));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char path[CANON_MAX + 1], again[CANON_MAX + 1];
	struct canon_options o;

	if (!n)
		return 0;
	o = (struct canon_options){ .encoded_slash = data[0] & 1, .keep_params = data[0] & 2 };
	if (canon_path((struct slice){ (const char *)data + 1, n - 1 }, &o, path) != CANON_OK)
		return 0;
	check_form(path, &o);
	must(canon_path(slice_of(path), &o, again) == CANON_OK);
	must(!strcmp(path, again));
	return 0;
}
