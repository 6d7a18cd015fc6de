/* SPDX-License-Identifier: Apache-2.0 */
#include "log_time.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "own.h"

#define MOST_MS (100ll * 366 * 86400 * 1000)	/* a hundred years */

static const struct {
	char letter;
	int64_t ms;
} units[] = { { 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 }, { 'w', 604800000 } };

static int64_t unit_ms(char letter)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (units[i].letter == letter)
			return units[i].ms;
	return 0;
}

static bool ago(const char *p, int64_t *ret_ms)
{
	int64_t all = 0;

	if (!*p)
		return false;
	while (*p) {
		int64_t n = 0, ms;

		if (!isdigit((unsigned char)*p))
			return false;
		for (; isdigit((unsigned char)*p); p++)
			if ((n = n * 10 + (*p - '0')) > MOST_MS)
				return false;
		ms = unit_ms(*p);
		if (!ms || n > MOST_MS / ms)
			return false;
		all += n * ms;
		p++;
	}
	*ret_ms = all;
	return all <= MOST_MS;
}

static bool epoch(const char *p, int64_t *ret_ms)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(p, &end, 10);
	if (!isdigit((unsigned char)*p) || *end || errno || n > INT64_MAX / 1000)
		return false;
	*ret_ms = n * 1000;
	return true;
}

/* Midnight of today, or of a day before it, where the clock goes by summer and winter time. */
static int64_t day(int64_t now_ms, int back)
{
	time_t now = (time_t)(now_ms / 1000);
	struct tm t;

	if (!localtime_r(&now, &t))
		return 0;
	t.tm_hour = t.tm_min = t.tm_sec = 0;
	t.tm_mday -= back;
	t.tm_isdst = -1;
	return (int64_t)mktime(&t) * 1000;
}

static bool calendar(const char *p, int64_t now_ms, int64_t *ret_ms)
{
	static const char *const forms[] = { "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S",
					     "%Y-%m-%dT%H:%M",	  "%Y-%m-%d",	    "%H:%M:%S",
					     "%H:%M" };

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		time_t now = (time_t)(now_ms / 1000), at;
		const char *end;
		struct tm t;

		if (!localtime_r(&now, &t))
			return false;
		t.tm_hour = t.tm_min = t.tm_sec = 0;
		t.tm_isdst = -1;
		end = strptime(p, forms[i], &t);
		if (!end || (*end && strcmp(end, "Z")))
			continue;
		t.tm_isdst = *end ? 0 : -1;
		at = *end ? timegm(&t) : mktime(&t);
		*ret_ms = (int64_t)at * 1000;
		return at != (time_t)-1;
	}
	return false;
}

bool log_time_parse(const char *text, int64_t now_ms, int64_t *ret_ms)
{
	int64_t back;

	if (!strcmp(text, "now"))
		*ret_ms = now_ms;
	else if (!strcmp(text, "today"))
		*ret_ms = day(now_ms, 0);
	else if (!strcmp(text, "yesterday"))
		*ret_ms = day(now_ms, 1);
	else if (*text == '@')
		return epoch(text + 1, ret_ms);
	else if (ago(text, &back))
		*ret_ms = now_ms - back;
	else
		return calendar(text, now_ms, ret_ms);
	return true;
}
