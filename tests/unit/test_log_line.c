/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a log for a person: columns, bytes that are not to reach a terminal, filters; and times as people say them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../userspace/oshctl/log_line.h"
#include "../../userspace/oshctl/log_time.h"

#include <cmocka.h>

#define TIME "\"time\":1795292041617"
#define AT "2026-11-21 20:14:01.617  "

static const struct {
	const char *line, *want;
} lines[] = {
	{ "{" TIME ",\"container\":{\"name\":\"box\"},\"actor\":{\"process\":{\"name\":\"curl\",\"file\":{\"path\":\"/usr/bin/curl\"}}},"
	  "\"dst_endpoint\":{\"hostname\":\"api.example\",\"ip\":\"198.18.0.5\",\"port\":443},\"firewall_rule\":{\"name\":\"github\",\"uid\":\"17\"},"
	  "\"status_detail\":\"port is not in the policy\",\"count\":12,\"osh\":{\"event\":\"connect\",\"verdict\":\"denied\"}}",
	  AT "box              denied   connect  api.example:443 (198.18.0.5)                 /usr/bin/curl            github:17        "
	     "port is not in the policy x12\n" },
	{ "{" TIME ",\"container\":{\"name\":\"box\"},\"status_detail\":\"allowed\",\"count\":1,\"query\":{\"hostname\":\"a.example\",\"type\":\"AAAA\"},"
	  "\"osh\":{\"event\":\"dns\",\"verdict\":\"allowed\"}}",
	  AT "box              allowed  dns      a.example AAAA                               -                        -\n" },
	{ "{" TIME ",\"container\":{\"name\":\"box\"},\"http_request\":{\"http_method\":\"POST\",\"url\":{\"scheme\":\"https\",\"hostname\":\"h\",\"path\":"
	  "\"/x\\u001b[31m\\u00ff\\u009b\",\"port\":443}},\"status_detail\":\"no rule\",\"osh\":{\"event\":\"http\",\"verdict\":\"denied\",\"detail\":\"d\\n\"}}",
	  AT "box              denied   http     POST https://h:443/x\\x1b[31m\\xff\\x9b         -                        -                "
	     "no rule: d\\x0a\n" },
	{ "{" TIME ",\"finding_info\":{\"title\":\"lines are missing\"},\"count\":7}",
	  AT "-                finding  log      lines are missing (7)                        -                        -\n" },
	{ "{" TIME ",\"osh\":{\"event\":\"log\",\"kind\":\"denied\",\"file\":3,\"owner\":1000}}",
	  AT "-                -        log      denied file 3 of uid 1000                    -                        -\n" },
	{ "{" TIME ",\"unmapped\":{\"syscall\":\"mount\"},\"container\":{\"name\":\"a-name-that-is-longer-than-its-column\"},"
	  "\"status_detail\":\"no\",\"osh\":{\"event\":\"syscall\",\"verdict\":\"denied\"}}",
	  AT "a-name-that-is-longer-than-its-column denied   syscall  mount                                        -                        -"
	     "                no\n" },
	{ "not a line", "(a line that cannot be read)\n" },
	{ "[]", "(a line that cannot be read)\n" },
	{ "{}", "1970-01-01 00:00:00.000  -                finding  log      - (0)                                        -                        -\n" },
	{ "{\"osh\":3,\"container\":[],\"actor\":\"x\",\"time\":\"y\"}",
	  "1970-01-01 00:00:00.000  -                finding  log      - (0)                                        -                        -\n" },
};

static void test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		char *text = NULL;
		size_t n = 0;
		FILE *f = open_memstream(&text, &n);

		log_line_print(f, slice_of(lines[i].line), false);
		fclose(f);
		assert_string_equal(text, lines[i].want);
		free(text);
	}
}

static const struct log_filter none, box = { .sandbox = "box" }, denied = { .denied = true },
				     both = { .sandbox = "box", .denied = true }, early = { .until_ms = 1795292041616 },
				     late = { .since_ms = 1795292041618 }, now = { .since_ms = 1795292041617, .until_ms = 1795292041617 };

static const struct {
	const char *line;
	const struct log_filter *f;
	bool want;
} filters[] = {
	{ "{" TIME "}", &none, true },
	{ "{" TIME "}", &now, true },
	{ "{" TIME "}", &early, false },
	{ "{" TIME "}", &late, false },
	{ "{" TIME ",\"container\":{\"name\":\"box\"}}", &box, true },
	{ "{" TIME ",\"container\":{\"name\":\"boxes\"}}", &box, false },
	{ "{" TIME ",\"container\":{\"name\":\"x\"},\"app\":{\"name\":\"box\"}}", &box, false },
	{ "{" TIME ",\"status_detail\":\"\\\"container\\\":{\\\"name\\\":\\\"box\\\"}\"}", &box, false },
	{ "{" TIME ",\"osh\":{\"verdict\":\"denied\"}}", &denied, true },
	{ "{" TIME ",\"osh\":{\"verdict\":\"allowed\",\"detail\":\"denied\"}}", &denied, false },
	{ "{" TIME ",\"osh\":{\"verdict\":\"denied\"},\"container\":{\"name\":\"other\"}}", &both, false },
	{ "{" TIME ",\"osh\":{\"verdict\":\"denied\"},\"container\":{\"name\":\"box\"}}", &both, true },
	{ "\"box\" \"denied\"", &both, false },
};

static void test_filters(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(filters) / sizeof(*filters); i++)
		if (log_line_matches(slice_of(filters[i].line), filters[i].f) != filters[i].want)
			fail_msg("line %zu: %s", i, filters[i].line);
	assert_int_equal(log_line_time(slice_of("{\"time\":")), 0);
	assert_int_equal(log_line_time(slice_of("{\"time\":99999999999999999999999999")) < 0, 0);
}

#define NOW 1795292041617		/* 2026-11-21 20:14:01.617 UTC */
#define DAY 86400000ll

static const struct {
	const char *text;
	int64_t want;			/* -1 = no time */
} times[] = {
	{ "now", NOW },
	{ "90s", NOW - 90000 },
	{ "1h30m", NOW - 5400000 },
	{ "2d", NOW - 2 * DAY },
	{ "1w", NOW - 7 * DAY },
	{ "today", 1795219200000 },
	{ "yesterday", 1795219200000 - DAY },
	{ "@1795292041", 1795292041000 },
	{ "20:14", 1795292040000 },
	{ "20:14:01", 1795292041000 },
	{ "2026-11-21", 1795219200000 },
	{ "2026-11-21 20:14:01", 1795292041000 },
	{ "2026-11-21T20:14:01Z", 1795292041000 },
	{ "", -1 },
	{ "h", -1 },
	{ "1", -1 },
	{ "1x", -1 },
	{ "-1h", -1 },
	{ "1h ", -1 },
	{ "99999999999999999999d", -1 },
	{ "25:00", -1 },
	{ "2026-13-01", -1 },
	{ "2026-11-21 20:14:01x", -1 },
	{ "@", -1 },
	{ "@-5", -1 },
	{ "@99999999999999999999", -1 },
};

static void test_times(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		int64_t ms = -1;

		if (!log_time_parse(times[i].text, NOW, &ms))
			ms = -1;
		if (ms != times[i].want)
			fail_msg("'%s' is %lld, not %lld", times[i].text, (long long)ms, (long long)times[i].want);
	}
	setenv("TZ", "EST5EDT", 1);
	tzset();
	for (int utc = 0; utc < 2; utc++) {
		int64_t ms = 0;

		assert_true(log_time_parse(utc ? "2026-11-21 15:14Z" : "2026-11-21 15:14", NOW, &ms));
		assert_int_equal(ms, 1795292040000 - (utc ? 5 * 3600000ll : 0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_times),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
