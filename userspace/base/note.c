/* SPDX-License-Identifier: Apache-2.0 */
/* After https://systemd.io/JOURNAL_NATIVE_PROTOCOL. */
#include "note.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "buf.h"
#include "own.h"

#define SOCKET "/run/systemd/journal/socket"
#define LINE 1024

static struct {
	const char *program;
	int fd;
	uint64_t missed;		/* since the last one that was taken */
	struct buf out;
} to = { .fd = -1 };

/* systemd says whose stderr it is: a redirection of it is none of the journal's business. */
static bool stderr_is_journal(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return text && sscanf(text, "%llu:%llu", &dev, &ino) == 2 && !fstat(STDERR_FILENO, &st) && st.st_dev == dev &&
	       st.st_ino == ino;
}

int note_open(const char *program)
{
	const struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = SOCKET };
	_close_ int fd = stderr_is_journal() ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&at, sizeof(at)) < 0)
		own_close(&fd);
	note_use(program, take_fd(&fd));
	return to.fd;
}

void note_use(const char *program, int fd)
{
	to.program = program;
	to.fd = fd;
}

bool note_is_open(void)
{
	return to.fd >= 0;
}

/* With its length, so that no value can begin a field of its own. */
static void put(const char *field, const char *value, size_t n)
{
	const uint64_t size = htole64(n);

	buf_printf(&to.out, "%s\n", field);
	buf_put(&to.out, &size, sizeof(size));
	buf_put(&to.out, value, n);
	buf_put(&to.out, "\n", 1);
}

void note_begin(enum note_priority priority, const char *message, size_t n)
{
	to.out.n = 0;
	to.out.bad = false;
	put("MESSAGE", message, n);
	note_number("PRIORITY", (uint64_t)priority);
	note_text("SYSLOG_IDENTIFIER", to.program);
	if (to.missed)
		note_number("OSH_MISSED", to.missed);
}

void note_text(const char *field, const char *value)
{
	if (value && *value)
		put(field, value, strlen(value));
}

void note_number(const char *field, uint64_t value)
{
	buf_printf(&to.out, "%s=%" PRIu64 "\n", field, value);
}

/* By write(): a caged program may send to no address. */
void note_end(void)
{
	if (to.fd < 0)
		return;
	if (buf_ok(&to.out) && write(to.fd, to.out.p, to.out.n) == (ssize_t)to.out.n)
		to.missed = 0;
	else
		to.missed++;
}

void note(const char *sandbox, uid_t uid, const char *fmt, ...)
{
	char text[LINE];
	size_t n = 0;
	va_list ap;
	int r;

	if (sandbox)
		n = (size_t)snprintf(text, sizeof(text), "sandbox %.64s: ", sandbox);
	va_start(ap, fmt);
	r = vsnprintf(text + n, sizeof(text) - n, fmt, ap);
	va_end(ap);
	n = r < 0 ? n : (size_t)r < sizeof(text) - n ? n + (size_t)r : sizeof(text) - 1;
	for (size_t i = 0; i < n; i++)	/* a path of a caller's may have any byte: it is no second line, and steers no terminal */
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
	if (to.fd < 0) {
		fprintf(stderr, "%s: %.*s\n", to.program ? to.program : "osh", (int)n, text);
		return;
	}
	note_begin(NOTE_NOTICE, text, n);
	note_text("OSH_SANDBOX", sandbox);
	if (uid != NOTE_NOBODY)
		note_number("OSH_USER", uid);
	note_end();
}
