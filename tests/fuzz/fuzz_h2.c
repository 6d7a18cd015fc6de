/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of a client and of an upstream, in any order and in any pieces, through both sides of HTTP/2. Input: one
 * byte (2 bits: what the exchange does; bit 2: without the client's preface; bit 3: without the upstream's
 * SETTINGS), then pieces: bit 15 = from the upstream, 15 bits of length, bytes.
 * Invariant: whatever reaches an exchange is a head by every rule of head.h, and every exchange ends.
 */
#include "../unit/h2rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool ok)
{
	if (!ok)
		__builtin_trap();
}

static void check(const struct head *h)
{
	need(h->n_fields <= HEAD_FIELDS && !h->too_big && h->n_text <= HEAD_BYTES + 8192);
	if (h->method) {
		const char *target = head_str(h, h->target);

		need(*head_str(h, h->method) && strcmp(head_str(h, h->method), "CONNECT"));
		need(*target == '/' || !strcmp(target, "*"));
		need(!strpbrk(target, " \r\n\t#") && strlen(target) <= TARGET_BYTES);
		need(!strcmp(head_str(h, h->scheme), "https") && *head_str(h, h->authority));
		need(!strpbrk(head_str(h, h->authority), "@ \r\n\tABCDEFGHIJKLMNOPQRSTUVWXYZ"));
	} else {
		need(h->status >= 100 && h->status <= 599 && h->status != 101);
	}
	for (uint32_t i = 0; i < h->n_fields; i++) {
		const struct field *f = &h->fields[i];
		struct slice name = head_name(h, f), value = head_value(h, f);

		need(name.n && strlen(name.p) == name.n && !strpbrk(name.p, " :\r\n\tABCDEFGHIJKLMNOPQRSTUVWXYZ"));
		need(strlen(value.p) == value.n && !strpbrk(value.p, "\r\n"));
		need(!slice_is(name, "connection") && !slice_is(name, "transfer-encoding") && !slice_is(name, "upgrade"));
		need(!h->method || !slice_is(name, "host"));
	}
	need(!head_find(h, "content-length", 1) && (!h->method || !head_find(h, "cookie", 1)));
}

static unsigned rounds;

static int before(void *arg)
{
	(void)arg;
	rig_reap();
	rig.loop.stop = !rounds--;
	return 0;
}

static void settle(unsigned n)
{
	struct err e;

	rounds = n;
	rig.loop.before = before;
	rig.loop.stop = 0;
	(void)loop_run(&rig.loop, &e);
}

static void give(int fd, const void *p, size_t n)
{
	(void)!send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void drain(int fd)
{
	static char bytes[65536];

	while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum rig_mode modes[] = { RIG_PASS, RIG_ECHO, RIG_HOLD, RIG_DENY_SOME };
	int c, u;

	if (size < 1)
		return 0;
	need(!rig_open(modes[*data & 3], &c, &u));
	rig.seen = check;
	if (!(*data & 4))
		give(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);
	if (!(*data & 8))
		give(u, "\0\0\0\4\0\0\0\0\0", 9);
	settle(2);
	for (data++, size--; size > 2;) {
		size_t n = (size_t)(data[0] & 0x7f) << 8 | data[1];
		int to = data[0] & 0x80 ? u : c;

		data += 2;
		size -= 2;
		n = n < size ? n : size;
		give(to, data, n);
		data += n;
		size -= n;
		settle(3);
		drain(c);
		drain(u);
	}
	settle(3);
	rig_close();
	close(c);
	close(u);
	need(!rig.c.exchanges);
	return 0;
}
