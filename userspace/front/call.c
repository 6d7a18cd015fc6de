/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "manager.h"

#define MAX_MESSAGE (128u << 20)	/* the D-Bus specification's own bound */
#define NO_REPLY 1u

static uint32_t number(const uint8_t *head, unsigned at)
{
	uint32_t v;

	memcpy(&v, head + at, sizeof(v));
	return head[0] == 'l' ? le32toh(v) : be32toh(v);
}

uint64_t call_size(const uint8_t head[CALL_HEAD])
{
	uint64_t fields = number(head, 12), body = number(head, 4), n = CALL_HEAD + ((fields + 7) & ~7ull) + body;

	return (head[0] == 'l' || head[0] == 'B') && head[3] == 1 && n <= MAX_MESSAGE ? n : 0;
}

static void take(struct msghdr *m, int *fds, int max, int *n)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (*n < max)
				fds[(*n)++] = fd;
			else
				close(fd);
		}
	}
}

#define FDS_MOST 253			/* SCM_MAX_FD */

/* Exactly n bytes. -E2BIG: all came, but not every descriptor. */
static int get(int fd, void *p, size_t n, int *fds, int max, int *n_fds)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * FDS_MOST)];
	} control;
	bool cut = false;

	for (size_t at = 0; at < n;) {
		struct iovec iov = { (char *)p + at, n - at };
		size_t room = CMSG_LEN(sizeof(int) * (size_t)(max - *n_fds));
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
				    .msg_controllen = max > *n_fds ? room : 0 };
		ssize_t r = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r ? -errno : -ECONNRESET;
		take(&m, fds, max, n_fds);
		cut |= (m.msg_flags & MSG_CTRUNC) != 0;
		at += (size_t)r;
	}
	return cut ? -E2BIG : 0;
}

int call_head(int fd, uint8_t head[CALL_HEAD], int *fds, int max, int *ret_n)
{
	*ret_n = 0;
	return get(fd, head, CALL_HEAD, fds, max, ret_n);
}

/* Descriptors of what is dropped are not wanted: the kernel closes them, in this process. */
int call_pass(int from, int to, uint64_t n)
{
	static uint8_t part[65536];

	while (n) {
		size_t some = n < sizeof(part) ? (size_t)n : sizeof(part);
		ssize_t r = recv(from, part, some, 0);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r ? -errno : -ECONNRESET;
		if (to >= 0 && call_send(to, part, (size_t)r, NULL, 0) < 0)
			return -EPIPE;
		n -= (uint64_t)r;
	}
	return 0;
}

int call_read(int fd, struct call *c)
{
	int r = call_head(fd, c->bytes, c->fds, OSH_CALL_FDS, &c->n_fds);

	c->surplus = r == -E2BIG;
	if (r < 0 && r != -E2BIG)
		return r == -ECONNRESET ? 0 : r;
	c->size = call_size(c->bytes);
	c->serial = number(c->bytes, 8);
	c->kind = c->bytes[1];
	c->silent = c->bytes[2] & NO_REPLY;
	c->bytes[2] &= (uint8_t)~NO_REPLY;	/* what is under way is counted by what is not answered */
	if (!c->size)
		return -EBADMSG;
	if (c->size > sizeof(c->bytes))
		return call_pass(fd, -1, c->size - CALL_HEAD) < 0 ? 0 : 1;
	r = get(fd, c->bytes + CALL_HEAD, (size_t)c->size - CALL_HEAD, c->fds, OSH_CALL_FDS, &c->n_fds);
	c->surplus |= r == -E2BIG;
	return r < 0 && r != -E2BIG ? 0 : 1;
}

void call_done(struct call *c)
{
	for (int i = 0; i < c->n_fds; i++)
		close(c->fds[i]);
	c->n_fds = 0;
}

int call_send(int fd, const void *p, size_t n, const int *fds, int n_fds)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * FDS_MOST)];
	} control;

	for (size_t at = 0; at < n;) {
		struct iovec iov = { (char *)p + at, n - at };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t r;

		if (n_fds && !at) {
			struct cmsghdr *c;

			memset(&control, 0, sizeof(control));
			m.msg_control = &control;
			m.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n_fds);
			c = CMSG_FIRSTHDR(&m);
			c->cmsg_level = SOL_SOCKET;
			c->cmsg_type = SCM_RIGHTS;
			c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n_fds);
			memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)n_fds);
		}
		r = sendmsg(fd, &m, MSG_NOSIGNAL);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		at += (size_t)r;
	}
	return 0;
}

struct writer {
	uint8_t *p;
	size_t n, max;			/* n > max = it did not fit */
};

static void put(struct writer *w, const void *p, size_t n)
{
	if (w->n + n <= w->max)
		memcpy(w->p + w->n, p, n);
	w->n += n;
}

static void align(struct writer *w, size_t to)
{
	static const uint8_t zeros[8];

	put(w, zeros, (to - w->n % to) % to);
}

static void put_u32(struct writer *w, uint32_t v)
{
	align(w, 4);
	v = htole32(v);
	put(w, &v, sizeof(v));
}

static void put_text(struct writer *w, const char *s)
{
	put_u32(w, (uint32_t)strlen(s));
	put(w, s, strlen(s) + 1);
}

static void put_field(struct writer *w, uint8_t code, char type, const char *text, uint32_t value)
{
	const uint8_t begin[] = { code, 1, (uint8_t)type, 0 }, n = text ? (uint8_t)strlen(text) : 0;

	align(w, 8);
	put(w, begin, sizeof(begin));
	if (type == 'u') {
		put_u32(w, value);
	} else if (type == 'g') {
		put(w, &n, 1);
		put(w, text, n + 1u);
	} else {
		put_text(w, text);
	}
}

/* Lengths that are known at the end: of the fields, then of the body. */
static size_t finish(struct writer *w, size_t fields, size_t body)
{
	uint32_t n_fields = htole32((uint32_t)(fields - CALL_HEAD)), n_body = htole32((uint32_t)(w->n - body));

	if (w->n > w->max)
		return 0;
	memcpy(w->p + 12, &n_fields, 4);
	memcpy(w->p + 4, &n_body, 4);
	return w->n;
}

static void begin(struct writer *w, uint8_t kind, uint8_t flags, uint32_t serial)
{
	const uint8_t head[4] = { 'l', kind, flags, 1 };

	put(w, head, sizeof(head));
	put_u32(w, 0);
	put_u32(w, serial);
	put_u32(w, 0);
}

size_t call_refusal(const struct call *c, const char *name, const char *text, uint8_t *to, size_t max)
{
	struct writer w = { to, 0, max };
	size_t fields, body;

	begin(&w, CALL_ERROR, NO_REPLY, UINT32_MAX);
	put_field(&w, 4, 's', name, 0);
	put_field(&w, 5, 'u', NULL, c->serial);
	put_field(&w, 8, 'g', "s", 0);
	fields = w.n;
	align(&w, 8);
	body = w.n;
	put_text(&w, text);
	return finish(&w, fields, body);
}

size_t call_ping(uint8_t *to, size_t max)
{
	struct writer w = { to, 0, max };
	size_t fields;

	begin(&w, CALL_METHOD, 0, UINT32_MAX);
	put_field(&w, 1, 'o', MANAGER_PATH, 0);
	put_field(&w, 2, 's', "org.freedesktop.DBus.Peer", 0);
	put_field(&w, 3, 's', "Ping", 0);
	fields = w.n;
	align(&w, 8);
	return finish(&w, fields, w.n);
}
