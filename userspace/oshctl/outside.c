/* SPDX-License-Identifier: Apache-2.0 */
#include "outside.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "embed.h"
#include "own.h"
#include "say.h"

static bool runs(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* As a shell of the caller's finds it. */
static bool find(const char *program, char path[PATH_MAX])
{
	const char *dir = getenv("PATH");

	if (strchr(program, '/'))
		return *program == '/' && snprintf(path, PATH_MAX, "%s", program) < PATH_MAX && runs(path);
	for (; dir && *dir; dir += strcspn(dir, ":"), dir += *dir == ':')
		if (*dir == '/' && snprintf(path, PATH_MAX, "%.*s/%s", (int)strcspn(dir, ":"), dir, program) < PATH_MAX && runs(path))
			return true;
	return false;
}

/* The directory of a file, or the file alone where the directory is a whole home, or more. */
static void place(char *path)
{
	const char *home = getenv("HOME");
	char *slash = strrchr(path, '/');

	*slash = '\0';
	if (!*path || (home && !strncmp(home, path, strlen(path)) && strchr("/", home[strlen(path)])))
		*slash = '/';
}

/* The preset whose rules name a program of that name. */
static const char *preset_of(const char *program)
{
	_free_ char *end = NULL;
	const char *name;

	if (asprintf(&end, "/bin/%s}", program) < 0) {
		end = NULL;
		return NULL;
	}
	for (size_t i = 0; (name = embed_preset_name(i)); i++) {
		struct slice text = embed_preset(name);

		if (memmem(text.p, text.n, end, strlen(end)))
			return name;
	}
	return NULL;
}

void outside_say(const char *program, const char *policy)
{
	char path[PATH_MAX], real[PATH_MAX], at[PATH_MAX], to[PATH_MAX];
	const char *preset = preset_of(program);

	if (!find(program, path) || !realpath(path, real))
		return;
	snprintf(at, sizeof(at), "%s", path);
	snprintf(to, sizeof(to), "%s", real);
	place(at);
	place(to);
	say_error("outside the sandbox it is %s. A policy shows it by", path);
	say_error("  filesystem_policy: {read_only: [%s%s%s]}", at, strcmp(at, to) ? ", " : "", strcmp(at, to) ? to : "");
	say_error("then run it by that path, or with `-e PATH`; in `binaries` it is {path: %s}", real);
	if (!policy || !strncmp(policy, "preset:", 7))
		say_error("a policy to begin with: oshctl policy preset %s >policy.yaml",
			  policy ? policy + 7 : preset ? preset : "default");
}
