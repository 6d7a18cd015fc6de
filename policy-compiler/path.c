/* SPDX-License-Identifier: Apache-2.0 */
#include "path.h"

#include <string.h>

enum path_error path_clean(struct arena *a, const char *text, size_t max, bool relative,
			   const char **ret)
{
	size_t len = strlen(text), n = 0;
	char *out;

	if (!len || (*text != '/' && !relative))
		return PATH_RELATIVE;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return PATH_CONTROL;
	out = arena_zalloc(a, len + 2);
	if (!out)
		return PATH_LONG;
	for (const char *p = text; *p;) {
		size_t seg = strcspn(p, "/");

		if (seg == 2 && p[0] == '.' && p[1] == '.')
			return PATH_DOTDOT;
		if (seg && !(seg == 1 && *p == '.')) {
			if (n || *text == '/')
				out[n++] = '/';
			memcpy(out + n, p, seg);
			n += seg;
		}
		p += seg + (p[seg] == '/');
	}
	if (!n && *text == '/')
		out[n++] = '/';
	if (!n)
		return PATH_RELATIVE;
	if (n >= max)
		return PATH_LONG;
	*ret = out;
	return PATH_OK;
}
