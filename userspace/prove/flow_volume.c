/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "flow.h"

/* What a mount gets: absolute, each name once, no step up, no slash at the end. */
static bool is_plain(const char *path)
{
	if (*path != '/' || !path[1])
		return false;
	while (*path) {
		size_t n = strcspn(++path, "/");

		if (!n || (n == 1 && *path == '.') || (n == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		path += n;
	}
	return true;
}

bool flow_volume(struct arena *a, const char *text, struct flow_volume *ret)
{
	const char *colon = strchr(text, ':');
	size_t n = strlen(text);

	if (!colon || colon == text)
		return false;
	ret->read_only = n > 3 && !strcmp(text + n - 3, ":ro") && text + n - 3 > colon;
	n -= ret->read_only ? 3 : 0;
	ret->name = arena_text(a, text, (size_t)(colon - text));
	ret->path = arena_text(a, colon + 1, (size_t)(text + n - colon - 1));
	return ret->name && ret->path && is_plain(ret->path);
}
