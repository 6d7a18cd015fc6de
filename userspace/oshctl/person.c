/* SPDX-License-Identifier: Apache-2.0 */
#include "person.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "own.h"

static void put_time(uint64_t us, char to[PERSON_MAX])
{
	time_t t = (time_t)(us / 1000000);
	struct tm tm;

	if (!localtime_r(&t, &tm) || !strftime(to, PERSON_MAX, "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(to, PERSON_MAX, "%llu us", (unsigned long long)us);
}

static void put_bytes(uint64_t n, char to[PERSON_MAX])
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double x = (double)n / 1024;
	size_t i = 0;

	for (; x >= 1024 && i + 1 < ARRAY_SIZE(units); i++)
		x /= 1024;
	snprintf(to, PERSON_MAX, "%.1f %s", x, units[i]);
}

static void put_microseconds(uint64_t n, char to[PERSON_MAX])
{
	snprintf(to, PERSON_MAX, "%.3f s", (double)n / 1e6);
}

static void put_seconds(uint64_t n, char to[PERSON_MAX])
{
	snprintf(to, PERSON_MAX, "%llu s", (unsigned long long)n);
}

static void put_thousandths(uint64_t n, char to[PERSON_MAX])
{
	snprintf(to, PERSON_MAX, "%g", (double)n / 1000);
}

static void put_user(uint64_t uid, char to[PERSON_MAX])
{
	const struct passwd *pw = uid <= UINT32_MAX ? getpwuid((uid_t)uid) : NULL;

	snprintf(to, PERSON_MAX, pw ? "%llu (%.32s)" : "%llu", (unsigned long long)uid, pw ? pw->pw_name : "");
}

/* docs/manager.md, "A row". 0 is no time, and of what is taken and may be taken: unknown, or no limit. */
static const struct {
	const char *key;
	void (*put)(uint64_t n, char to[PERSON_MAX]);
} keys[] = {
	{ "created", put_time },	   { "started", put_time },	 { "uid", put_user },
	{ "memory", put_bytes },	   { "memory-max", put_bytes },	 { "disk", put_bytes },
	{ "disk-max", put_bytes },	   { "gpu-memory", put_bytes },	 { "gpu-memory-max", put_bytes },
	{ "cpu-time", put_microseconds }, { "cpu-max", put_thousandths }, { "wall-max", put_seconds },
	{ "tasks-max", NULL },		   { "files-max", NULL },
};

bool person_number(const char *key, struct slice json, char to[PERSON_MAX])
{
	uint64_t n = 0;

	if (!json.n || json.n > 19)
		return false;
	for (size_t i = 0; i < json.n; i++) {
		if (json.p[i] < '0' || json.p[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(json.p[i] - '0');
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].key, key))
			continue;
		if (!n && keys[i].put != put_user)
			strcpy(to, "-");
		else if (keys[i].put)
			keys[i].put(n, to);
		return !n || keys[i].put;
	}
	return false;
}

void person_owner(uint32_t uid, char to[PERSON_MAX])
{
	const struct passwd *pw = getpwuid(uid);

	if (pw)
		snprintf(to, PERSON_MAX, "%s", pw->pw_name);
	else
		snprintf(to, PERSON_MAX, "%u", uid);
}
