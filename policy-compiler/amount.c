/* SPDX-License-Identifier: Apache-2.0 */
#include "amount.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "own.h"

const struct amount amounts[OSH_RESOURCES] = {
#define RESOURCE(id, key, kind, least, most, text) [OSH_RES_##id] = { key, text, kind, least, most },
#include "osh/resources.def"
#undef RESOURCE
};

/* Digits, at most `digits` of them; what follows is in *ret_rest. */
static bool whole(const char *s, size_t digits, uint64_t *ret, const char **ret_rest)
{
	size_t n = strspn(s, "0123456789");

	if (!n || n > digits)
		return false;
	*ret = strtoull(s, NULL, 10);
	*ret_rest = s + n;
	return true;
}

/* "2", "0.5", "250m": thousandths of a processor. */
static bool processors(const char *text, uint64_t *ret)
{
	uint64_t v, part = 0;
	const char *rest;
	unsigned unit = 100;

	if (!whole(text, 6, &v, &rest))
		return false;
	if (!strcmp(rest, "m")) {
		*ret = v;
		return true;
	}
	if (*rest == '.' && rest[1])
		for (rest++; isdigit((unsigned char)*rest) && unit; rest++, unit /= 10)
			part += (unsigned)(*rest - '0') * unit;
	*ret = v * 1000 + part;
	return !*rest;
}

static bool bytes(const char *text, uint64_t *ret)
{
	static const struct {
		const char *suffix;
		uint64_t unit;
	} units[] = {
		{ "", 1 },	       { "Ki", 1ull << 10 }, { "Mi", 1ull << 20 }, { "Gi", 1ull << 30 },
		{ "Ti", 1ull << 40 },  { "K", 1000 },	     { "M", 1000000 },	   { "G", 1000000000 },
	};
	const char *rest;
	uint64_t v;

	if (!whole(text, 6, &v, &rest) && !(whole(text, 15, &v, &rest) && !*rest))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (!strcmp(rest, units[i].suffix)) {
			*ret = v * units[i].unit;
			return true;
		}
	return false;
}

static bool count(const char *text, uint64_t *ret)
{
	const char *rest;

	return whole(text, 9, ret, &rest) && !*rest;
}

static bool seconds(const char *text, uint64_t *ret)
{
	static const char suffixes[] = "smhd";
	static const uint32_t units[] = { 1, 60, 3600, 86400 };
	const char *rest, *unit;
	uint64_t v;

	if (!whole(text, 4, &v, &rest) || !*rest || rest[1] || !(unit = strchr(suffixes, *rest)))
		return false;
	*ret = v * units[unit - suffixes];
	return true;
}

bool amount_read(enum osh_resource what, const char *text, uint64_t *ret, char why[AMOUNT_WHY])
{
	static const struct {
		bool (*read)(const char *text, uint64_t *ret);
		const char *want, *unit;
	} kinds[] = {
		[PROCESSORS] = { processors, "number of processors such as \"2\", \"0.5\" or \"250m\"", "m" },
		[BYTES] = { bytes, "size such as 4Gi or 512Mi", " bytes" },
		[COUNT] = { count, "whole number", "" },
		[TIME] = { seconds, "time such as 2h, 30m or 90s", "s" },
	};
	const struct amount *a = &amounts[what];
	uint64_t v = 0;

	if (!kinds[a->kind].read(text, &v)) {
		snprintf(why, AMOUNT_WHY, "is no %s", kinds[a->kind].want);
		return false;
	}
	if (v < a->least || v > a->most) {
		snprintf(why, AMOUNT_WHY, "is %s than %" PRIu64 "%s", v < a->least ? "less" : "more",
			 v < a->least ? a->least : a->most, kinds[a->kind].unit);
		return false;
	}
	*ret = v;
	return true;
}
