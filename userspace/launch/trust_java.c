/* SPDX-License-Identifier: Apache-2.0 */
#define OPENSSL_SUPPRESS_DEPRECATED	/* SHA-1 without a provider to load; the format demands it */
#include "trust_java.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "osh/root.h"
#include "own.h"

#define STORE_MAX (1u << 20)
#define STORE_LEAST 32			/* head and digest */
#define HEAD 12				/* magic, version, count */
#define MAGIC 0xfeedfeedu
#define VERSION 2
#define TRUSTED 2			/* kind of entry */
#define ENTRY_MAX (OSH_ROOT_CERT + 64)

/* What the store's digest begins with: "changeit" in UTF-16, then a word of the format's author. */
static const char salt[] = "\0c\0h\0a\0n\0g\0e\0i\0tMighty Aphrodite";

static const char *const stores[] = {
	"/etc/ssl/certs/java/cacerts", "/etc/pki/ca-trust/extracted/java/cacerts",
	"/etc/pki/java/cacerts",
};

static uint32_t get32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static unsigned char *put(unsigned char *p, uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		p[i] = (unsigned char)(v >> 8 * (bytes - 1 - i));
	return p + bytes;
}

static unsigned char *put_text(unsigned char *p, const char *s)
{
	size_t n = strlen(s);

	p = put(p, n, 2);
	memcpy(p, s, n);
	return p + n;
}

/* Base64 between the two lines; 0 = not what our maker writes. */
static size_t decode(const char *pem, size_t n, unsigned char *out)
{
	char flat[OSH_ROOT_PEM];
	const char *p = memchr(pem, '\n', n), *end = pem + n;
	size_t k = 0, pad = 0;
	int r;

	for (; p && p < end && *p != '-'; p++)
		if (*p != '\n' && k < sizeof(flat))
			flat[k++] = *p;
	if (!k || k % 4 || k / 4 * 3 > OSH_ROOT_CERT)
		return 0;
	while (pad < 2 && flat[k - 1 - pad] == '=')
		pad++;
	r = EVP_DecodeBlock(out, (unsigned char *)flat, (int)k);
	return r < 0 ? 0 : (size_t)r - pad;
}

static size_t make_entry(unsigned char *out, const char *pem, size_t n)
{
	unsigned char der[OSH_ROOT_CERT + 3], *p = put(out, TRUSTED, 4);
	size_t k = decode(pem, n, der);

	p = put_text(p, "osh-sandbox");
	p = put(p, (uint64_t)time(NULL) * 1000, 8);
	p = put_text(p, "X.509");
	p = put(p, k, 4);
	memcpy(p, der, k);
	return k ? (size_t)(p - out) + k : 0;
}

/* Only what everybody may read anyway: the copy is for everybody. */
static int open_store(struct stat *st)
{
	for (size_t i = 0; i < ARRAY_SIZE(stores); i++) {
		int fd = open(stores[i], O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

		if (fd < 0)
			continue;
		if (fstat(fd, st) == 0 && S_ISREG(st->st_mode) && !st->st_uid && (st->st_mode & 0004) &&
		    st->st_size >= STORE_LEAST && st->st_size <= STORE_MAX)
			return fd;
		close(fd);
	}
	return -1;
}

static void digest(const unsigned char *p, size_t n, unsigned char out[SHA_DIGEST_LENGTH])
{
	SHA_CTX c;

	SHA1_Init(&c);
	SHA1_Update(&c, salt, sizeof(salt) - 1);
	SHA1_Update(&c, p, n);
	SHA1_Final(out, &c);
}

int trust_java(int dir, const char *pem, size_t n, int *ret, struct err *e)
{
	struct stat st;
	_close_ int from = open_store(&st), to = -1;
	size_t size = from < 0 ? 0 : (size_t)st.st_size, at;
	_free_ unsigned char *all = malloc(size + ENTRY_MAX);

	*ret = 0;
	if (from < 0)
		return 0;
	if (!all)
		return fail(e, ENOMEM, "out of memory");
	if (pread(from, all, size, 0) != (ssize_t)size)
		return fail(e, EIO, "read the host's trusted roots for Java");
	if (get32(all) != MAGIC || get32(all + 4) != VERSION)
		return 0;
	put(all + 8, get32(all + 8) + 1, 4);
	at = size - SHA_DIGEST_LENGTH;
	n = make_entry(all + at, pem, n);
	if (!n)
		return fail(e, EIO, "the sandbox's own certificate authority is malformed");
	at += n;
	digest(all, at, all + at);
	at += SHA_DIGEST_LENGTH;
	to = openat(dir, "cacerts", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444);
	if (to < 0 || write(to, all, at) != (ssize_t)at)
		return fail(e, errno, "write trusted roots for Java: %s", strerror(errno));
	*ret = 1;
	return 0;
}
