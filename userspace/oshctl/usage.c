/* SPDX-License-Identifier: Apache-2.0 */
#include "usage.h"

#include <string.h>

#include "say.h"

/* The n-th of words, from 0; its length, 0 = there are not so many. */
static int word(const char *words, int n, const char **ret)
{
	for (*ret = words; n > 0 && **ret; n--) {
		*ret += strcspn(*ret, " ");
		*ret += strspn(*ret, " ");
	}
	return (int)strcspn(*ret, ". ");
}

bool usage_operands(int argc, char **argv, const char *names)
{
	int have = argc - optind, most = 0, n;
	const char *name;

	while (word(names, most, &name))
		most++;
	n = have < most ? word(names, have, &name) : 0;
	if (n)
		say_error("%.*s is missing", n, name);
	else if (have > most && !strstr(names, "..."))
		say_error("'%s' is one word too many", argv[optind + most]);
	else
		return true;
	return false;
}

bool usage_stray(int c, const struct option *options)
{
	for (; c != '?' && options->name; options++)
		if (options->val == c)
			say_error("--%s is no option of this verb", options->name);
	return false;
}

bool usage_path(const char *option, const char *value)
{
	if (*value == '/')
		return true;
	say_error("%s wants an absolute path, not '%s'", option, value);
	return false;
}
