/* SPDX-License-Identifier: Apache-2.0 */
/* What `sandbox get` makes of the numbers of a row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../userspace/oshctl/person.h"
#include "own.h"

#include <cmocka.h>		/* last: it names a macro `fail` */

static const struct {
	const char *key, *json, *want;	/* want: NULL = as JSON has it */
} cases[] = {
	{ "memory", "524288", "512.0 KiB" }, { "memory-max", "18957373440", "17.7 GiB" }, { "memory-max", "0", "-" },
	{ "disk", "1", "0.0 KiB" }, { "disk-max", "18446744073709551615", NULL }, { "disk-max", "9223372036854775807", "8388608.0 TiB" },
	{ "created", "1795362374271478", "2026-11-22 15:46:14" }, { "started", "0", "-" },
	{ "cpu-time", "4909", "0.005 s" }, { "cpu-max", "250", "0.25" }, { "cpu-max", "2000", "2" }, { "wall-max", "7200", "7200 s" },
	{ "uid", "0", "0 (root)" }, { "uid", "4123456789", "4123456789" }, { "tasks-max", "0", "-" }, { "tasks-max", "8192", NULL },
	{ "tasks", "0", NULL }, { "exit-status", "0", NULL }, { "name", "\"7\"", NULL }, { "memory", "-1", NULL },
	{ "memory", "", NULL }, { "memory", "1.5", NULL }, { "memory", "[1]", NULL }, { "wanted", "true", NULL },
};

static void numbers(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct slice json = { cases[i].json, strlen(cases[i].json) };
		char got[PERSON_MAX] = "";
		bool known = person_number(cases[i].key, json, got);

		if (known != !!cases[i].want || (known && strcmp(got, cases[i].want)))
			fail_msg("%s of '%s': %d, '%s'", cases[i].key, cases[i].json, known, got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(numbers) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
