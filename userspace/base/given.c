/* SPDX-License-Identifier: Apache-2.0 */
#include "given.h"

#include <stdlib.h>
#include <unistd.h>

#include "hosts.h"
#include "osh/limits.h"
#include "own.h"
#include "slice.h"

#define BEGIN "-----BEGIN CERTIFICATE-----"
#define END "-----END CERTIFICATE-----"

/* All of a file of at most `most` bytes; the caller frees it. */
static int read_whole(const char *path, int fd, size_t most, struct slice *ret, struct err *e)
{
	_free_ char *text = malloc(most + 1);
	size_t n = 0;
	ssize_t got;

	if (!text)
		return fail(e, ENOMEM, "out of memory");
	while (n <= most && (got = pread(fd, text + n, most + 1 - n, (off_t)n)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail(e, errno, "%.150s: %s", path, strerror(errno));
		n += (size_t)got;
	}
	if (n > most)
		return fail(e, E2BIG, "%.150s: more than %zu bytes", path, most);
	*ret = (struct slice){ take_ptr(&text), n };
	return 0;
}

int given_check_hosts(const char *path, int fd, struct err *e)
{
	struct hosts h = { 0 };
	struct slice text;
	struct err why = { 0 };
	int r = fd < 0 ? 0 : read_whole(path, fd, HOSTS_BYTES, &text, e);

	if (fd < 0 || r < 0)
		return r;
	r = hosts_parse(&h, text, &why);
	free((char *)text.p);
	hosts_done(&h);
	return r < 0 ? fail(e, why.code, "%.150s:%s (see docs/upstream.md)", path, why.text) : 0;
}

int given_check_ca(const char *path, int fd, struct err *e)
{
	struct slice text;
	const char *begin;
	bool whole;
	int r = fd < 0 ? 0 : read_whole(path, fd, OSH_ANCHORS_BYTES, &text, e);

	if (fd < 0 || r < 0)
		return r;
	begin = text.n ? memmem(text.p, text.n, BEGIN, sizeof(BEGIN) - 1) : NULL;
	whole = begin && memmem(begin, text.n - (size_t)(begin - text.p), END, sizeof(END) - 1);
	free((char *)text.p);
	return whole ? 0 : fail(e, EINVAL, "%.150s: holds no certificate in PEM (%s)", path, BEGIN);
}
