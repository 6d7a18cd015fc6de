/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of ClientHellos. Whatever it calls TLS has a name that lies in the input and in its
 * alphabet, every shorter input is "more" and never another answer, and OpenSSL sees the same name.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <stdlib.h>

#include "tls/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct seen {
	char name[256];
	int called;
};

static int on_hello(SSL *s, int *alert, void *arg)
{
	struct seen *seen = SSL_get_app_data(s);
	const unsigned char *p;
	struct slice name;
	size_t len;

	(void)arg;
	(void)alert;
	seen->called = 1;
	if (SSL_client_hello_get0_ext(s, TLSEXT_TYPE_server_name, &p, &len) &&
	    hello_name((struct slice){ (const char *)p, len }, &name)) {
		memcpy(seen->name, name.p, name.n);
		seen->name[name.n] = 0;
	}
	return SSL_CLIENT_HELLO_ERROR;
}

static void compare(const uint8_t *data, size_t n, const struct hello_found *f)
{
	static SSL_CTX *ctx;
	struct seen seen = { 0 };
	BIO *in, *out;
	SSL *s;

	if (!ctx) {
		ctx = SSL_CTX_new(TLS_server_method());
		SSL_CTX_set_client_hello_cb(ctx, on_hello, NULL);
	}
	s = SSL_new(ctx);
	in = BIO_new_mem_buf(data, (int)n);
	out = BIO_new(BIO_s_mem());
	SSL_set_app_data(s, (char *)&seen);
	SSL_set_bio(s, in, out);
	SSL_set_accept_state(s);
	(void)SSL_do_handshake(s);
	if (seen.called && (strlen(seen.name) != f->sni.n || (f->sni.n && memcmp(seen.name, f->sni.p, f->sni.n))))
		abort();
	SSL_free(s);
	ERR_clear_error();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *copy = malloc(n ? n : 1);
	struct hello_found f, part;
	enum hello h;

	memcpy(copy, data, n);
	h = hello_read((struct slice){ copy, n }, &f);
	if (h != HELLO_TLS && (f.sni.n || f.ech))
		abort();
	if (h == HELLO_TLS) {
		if (f.sni.n && (f.sni.p < copy || f.sni.p + f.sni.n > copy + n || f.sni.n > HELLO_NAME))
			abort();
		compare(data, n, &f);
		for (size_t i = 1; i < 5 + 4 && i < n; i++)
			if (hello_read((struct slice){ copy, i }, &part) != HELLO_MORE)
				abort();
	}
	if (h == HELLO_MORE && n >= HELLO_BYTES)
		abort();
	free(copy);
	return 0;
}
