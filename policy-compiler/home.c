/* SPDX-License-Identifier: Apache-2.0 */
#include "home.h"

#include <string.h>

#include "path.h"

static char home[OSH_PATH_MAX];		/* "" = none */

bool policy_home(const char *path)
{
	struct arena a = { 0 };
	const char *clean = NULL;
	bool ok = path && path_clean(&a, path, sizeof(home), false, &clean) == PATH_OK;

	*home = 0;
	if (ok)
		strcpy(home, clean);
	arena_done(&a);
	return ok;
}

const char *home_expand(struct reader *r, const struct node *n, const char *text, enum diag_code code)
{
	if (*text != '~' || (text[1] && text[1] != '/'))
		return text;
	if (!*home) {
		diag_add(r->d, code, n->at, "write the path out", "whose home '~' means is not known here");
		return NULL;
	}
	/* What is a pattern elsewhere in the path would be one in here too. */
	if (strpbrk(home, "*?[]{}\\")) {
		diag_add(r->d, code, n->at, "write the path out",
			 "the home that '~' means holds characters of patterns: %.120s", home);
		return NULL;
	}
	return text[1] ? arena_printf(r->a, "%s%s", home, text + 1) : home;
}
