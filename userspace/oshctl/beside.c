/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "own.h"

#include "beside.h"

int beside(char path[PATH_MAX], const char *name, struct err *e)
{
	static const char *const places[] = { "", "../libexec/osh/" };
	char self[PATH_MAX - 64];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n <= 0)
		return fail(e, errno, "/proc/self/exe: %s", strerror(errno));
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return fail(e, ENOENT, "/proc/self/exe is no path");
	slash[1] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (snprintf(path, PATH_MAX, "%s%s%s", self, places[i], name) >= PATH_MAX)
			return fail(e, ENAMETOOLONG, "%s%s%s: too long", self, places[i], name);
		if (access(path, X_OK) == 0)
			return 0;
	}
	return fail(e, ENOENT, "%s is not installed beside oshctl (%s%s)", name, self, name);
}
