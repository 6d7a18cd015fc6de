/* SPDX-License-Identifier: Apache-2.0 */
/* What a daemon says of itself: messages of journald's protocol that no value can add to, and lines where it is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "note.h"
#include "own.h"

#include <cmocka.h>

static int pair[2];

/* The next message's fields as "NAME=value\n" each, with what would end a line as '|'; "" = none came. */
static const char *next(void)
{
	static char got[65536], text[65536];
	ssize_t n = recv(pair[0], got, sizeof(got), MSG_DONTWAIT);
	char *at = got, *end = got + (n > 0 ? n : 0), *to = text;

	while (at < end) {
		char *nl = memchr(at, '\n', (size_t)(end - at)), *eq;
		uint64_t len;

		assert_non_null(nl);
		eq = memchr(at, '=', (size_t)(nl - at));
		to += sprintf(to, "%.*s=", (int)((eq ? eq : nl) - at), at);
		if (eq) {
			to += sprintf(to, "%.*s\n", (int)(nl - eq - 1), eq + 1);
			at = nl + 1;
			continue;
		}
		memcpy(&len, nl + 1, sizeof(len));
		len = le64toh(len);
		assert_true(len <= (uint64_t)(end - nl));
		at = nl + 1 + sizeof(len);
		for (uint64_t i = 0; i < len; i++)
			*to++ = at[i] == '\n' ? '|' : at[i];
		assert_int_equal(at[len], '\n');
		*to++ = '\n';
		at += len + 1;
	}
	*to = 0;
	return text;
}

static int make(void **state)
{
	(void)state;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -1;
	note_use("osh-test", pair[1]);
	return 0;
}

static int removed(void **state)
{
	(void)state;
	close(pair[0]);
	close(pair[1]);
	note_use("osh-test", -1);
	return 0;
}

static void about_a_sandbox(void **state)
{
	(void)state;
	note("box", 1000, "its %s is %d", "egress", 7);
	assert_string_equal(next(), "MESSAGE=sandbox box: its egress is 7\nPRIORITY=5\nSYSLOG_IDENTIFIER=osh-test\n"
				    "OSH_SANDBOX=box\nOSH_USER=1000\n");
	note(NULL, 0, "the log waits");
	assert_string_equal(next(), "MESSAGE=the log waits\nPRIORITY=5\nSYSLOG_IDENTIFIER=osh-test\nOSH_USER=0\n");
	note(NULL, NOTE_NOBODY, "%s", "");
	assert_string_equal(next(), "MESSAGE=\nPRIORITY=5\nSYSLOG_IDENTIFIER=osh-test\n");
	note("box", 1, "'%s': no such file", "/tmp/x\noshd: all is well\033[2J\x7f");
	assert_string_equal(next(), "MESSAGE=sandbox box: '/tmp/x?oshd: all is well?[2J?': no such file\nPRIORITY=5\n"
				    "SYSLOG_IDENTIFIER=osh-test\nOSH_SANDBOX=box\nOSH_USER=1\n");
	assert_string_equal(next(), "");
}

static void no_value_adds_a_field(void **state)
{
	(void)state;
	note_begin(NOTE_INFO, "a\nOSH_USER=0", 12);
	note_text("OSH_NAME", "x\nOSH_REASON=ALLOWED\n\n");
	note_text("OSH_NONE", "");
	note_text("OSH_NULL", NULL);
	note_number("OSH_COUNT", UINT64_MAX);
	note_end();
	assert_string_equal(next(), "MESSAGE=a|OSH_USER=0\nPRIORITY=6\nSYSLOG_IDENTIFIER=osh-test\n"
				    "OSH_NAME=x|OSH_REASON=ALLOWED||\nOSH_COUNT=18446744073709551615\n");
}

/* Nobody reads: what does not fit is counted, and said with the first that fits again. */
static void nothing_waits(void **state)
{
	char line[128], want[32] = "";
	unsigned sent = 0, got = 0;

	(void)state;
	for (; sent < 5000; sent++)
		note("box", 1, "%.900s", "long");
	while (strstr(next(), "MESSAGE="))
		got++;
	assert_true(got && got < sent);
	note("box", 1, "again");
	snprintf(want, sizeof(want), "OSH_MISSED=%u\n", sent - got);
	snprintf(line, sizeof(line), "%.127s", next());
	assert_non_null(strstr(line, want));
	note("box", 1, "and again");
	assert_null(strstr(next(), "OSH_MISSED"));
}

static void a_long_line_is_cut(void **state)
{
	char text[4000];

	(void)state;
	memset(text, 'y', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	note("box", 1, "%s", text);
	assert_true(strlen(next()) < 1200);
}

/* Only where systemd says that this very stderr is the journal's. */
static void elsewhere_it_is_stderr(void **state)
{
	char said[256] = "", name[] = "/tmp/test-note-XXXXXX", stream[64];
	int was = dup(STDERR_FILENO), fd = mkstemp(name);
	struct stat st;

	(void)state;
	fstat(fd, &st);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino + 1);
	unsetenv("JOURNAL_STREAM");
	assert_int_equal(note_open("osh-test"), -1);
	dup2(fd, STDERR_FILENO);
	setenv("JOURNAL_STREAM", stream, 1);
	assert_int_equal(note_open("osh-test"), -1);
	note("box", 1, "%s", "a line");
	note_begin(NOTE_INFO, "no line", 7);
	note_end();
	dup2(was, STDERR_FILENO);
	assert_true(pread(fd, said, sizeof(said) - 1, 0) > 0);
	assert_string_equal(said, "osh-test: sandbox box: a line\n");
	unsetenv("JOURNAL_STREAM");
	unlink(name);
	close(fd);
	close(was);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, make, removed)
		TEST(about_a_sandbox), TEST(no_value_adds_a_field), TEST(nothing_waits), TEST(a_long_line_is_cut),
		TEST(elsewhere_it_is_stderr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
