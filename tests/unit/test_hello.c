/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of ClientHellos, with what OpenSSL sends and with what nobody should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "tls/hello.h"

#include <cmocka.h>

static unsigned char hello[20000];
static size_t n;

/* What a real client sends first. */
static void make(const char *sni)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *s = SSL_new(ctx);
	BIO *out = BIO_new(BIO_s_mem());

	if (sni)
		SSL_set_tlsext_host_name(s, sni);
	SSL_set_bio(s, BIO_new(BIO_s_mem()), out);
	SSL_set_connect_state(s);
	assert_int_equal(SSL_do_handshake(s), -1);
	n = (size_t)BIO_read(out, hello, sizeof(hello));
	SSL_free(s);
	SSL_CTX_free(ctx);
}

/* Appends an extension: the last thing of the hello, so three lengths grow. */
static void put16(size_t at, size_t v)
{
	hello[at] = (unsigned char)(v >> 8);
	hello[at + 1] = (unsigned char)v;
}

static size_t get16(size_t at)
{
	return (size_t)hello[at] << 8 | hello[at + 1];
}

static void append(unsigned type, const void *body, size_t len)
{
	size_t at = 5 + 4 + 2 + 32;	/* record, handshake, version, random */

	at += 1 + hello[at];
	at += 2 + get16(at);
	at += 1 + hello[at];
	put16(n, type);
	put16(n + 2, len);
	memcpy(hello + n + 4, body, len);
	n += 4 + len;
	put16(at, get16(at) + 4 + len);
	put16(3, n - 5);
	hello[6] = 0;
	put16(7, n - 9);
}

static enum hello look(struct hello_found *f)
{
	return hello_read((struct slice){ (const char *)hello, n }, f);
}

static void test_real(void **st)
{
	struct hello_found f;

	(void)st;
	make("api.example.com");
	assert_int_equal(look(&f), HELLO_TLS);
	assert_true(slice_is(f.sni, "api.example.com"));
	assert_false(f.ech);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(hello_read((struct slice){ (const char *)hello, i }, &f), HELLO_MORE);
	make(NULL);
	assert_int_equal(look(&f), HELLO_TLS);
	assert_int_equal(f.sni.n, 0);
}

static void test_ech(void **st)
{
	struct hello_found f;

	(void)st;
	make("api.example.com");
	append(0xfe0d, "\0\0\1", 3);
	assert_int_equal(look(&f), HELLO_TLS);
	assert_true(f.ech);
	make(NULL);
	append(0xffce, "", 0);
	assert_int_equal(look(&f), HELLO_TLS);
	assert_true(f.ech);
}

static void test_plain(void **st)
{
	struct hello_found f;

	(void)st;
	assert_int_equal(hello_read(SLICE(""), &f), HELLO_MORE);
	assert_int_equal(hello_read(SLICE("GET / HTTP/1.1\r\n"), &f), HELLO_PLAIN);
	assert_int_equal(hello_read(SLICE("\x80\x2e\x01\x03\x01"), &f), HELLO_PLAIN);	/* SSLv2 */
	assert_int_equal(hello_read(SLICE("\x16\x02"), &f), HELLO_BAD);
	assert_int_equal(hello_read(SLICE("\x16\x03\x01\x00\x03"), &f), HELLO_BAD);
	assert_int_equal(hello_read(SLICE("\x16\x03\x01\x40\x01"), &f), HELLO_BAD);
	assert_int_equal(hello_read(SLICE("\x16\x03\x01\x01\x00\x02"), &f), HELLO_BAD);	/* a ServerHello */
}

/* Bodies of server_name. */
static void test_names(void **st)
{
	static const struct {
		struct slice ext;
		const char *name;	/* NULL = refused */
	} rows[] = {
		{ SLICE("\0\6\0\0\3a.b"), "a.b" },
		{ SLICE("\0\4\0\0\1A"), "A" },
		{ SLICE("\0\6\0\0\3::1"), "::1" },
		{ SLICE(""), NULL },
		{ SLICE("\0\0"), NULL },
		{ SLICE("\0\3\0\0\0"), NULL },			/* empty */
		{ SLICE("\0\6\1\0\3a.b"), NULL },		/* no host name */
		{ SLICE("\0\6\0\0\3a\0b"), NULL },
		{ SLICE("\0\6\0\0\3a b"), NULL },
		{ SLICE("\0\6\0\0\3a/b"), NULL },
		{ SLICE("\0\6\0\0\4a.b"), NULL },		/* too long for the list */
		{ SLICE("\0\7\0\0\3a.b"), NULL },		/* list too long */
		{ SLICE("\0\6\0\0\3a.bX"), NULL },		/* something behind */
		{ SLICE("\0\x0a\0\0\1a\0\0\3b.c"), NULL },	/* two names */
	};

	(void)st;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct slice name = { 0 };
		bool ok = hello_name(rows[i].ext, &name);

		assert_int_equal(ok, rows[i].name != NULL);
		if (ok)
			assert_true(slice_is(name, rows[i].name));
	}
}

static void test_twisted(void **st)
{
	struct hello_found f;

	(void)st;
	make("api.example.com");
	append(0, "\0\6\0\0\3a.b", 8);		/* a second server_name */
	assert_int_equal(look(&f), HELLO_BAD);
	assert_int_equal(f.sni.n, 0);
	make("api.example.com");
	hello[n++] = 0;				/* something behind the record: not ours to read */
	assert_int_equal(look(&f), HELLO_TLS);
	make("api.example.com");
	put16(3, get16(3) + 1);			/* and inside the record, behind the hello */
	hello[n++] = 0;
	assert_int_equal(look(&f), HELLO_BAD);
	make("api.example.com");
	put16(3, 100);				/* hello in two records */
	assert_int_equal(look(&f), HELLO_BAD);
	make("api.example.com");
	hello[9] = 2;				/* legacy_version */
	assert_int_equal(look(&f), HELLO_BAD);
	make("api.example.com");
	hello[43] = 33;				/* session id */
	assert_int_equal(look(&f), HELLO_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real), cmocka_unit_test(test_ech), cmocka_unit_test(test_plain),
		cmocka_unit_test(test_names), cmocka_unit_test(test_twisted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
