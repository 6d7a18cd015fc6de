/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of credentials that takes another one's place: what stays goes on with its tokens, what was rotated or taken
 * away is not sent any more and still not let through in an answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cred/set.h"
#include "osh/creds.h"

#include <cmocka.h>	/* last: it has a macro fail() */

#define PLAIN "{\"hosts\": [\"%s.acme.test\"], \"placement\": {\"header\": \"x-key\"}}"
#define OAUTH "{\"hosts\": [\"oauth.acme.test\"], \"placement\": {\"header\": \"authorization\"}, \"refresh\": " \
	"{\"grant\": \"refresh_token\", \"token_url\": \"https://oauth.acme.test/token\"}}"
#define CLIENT "{\"client_id\": \"me\", \"refresh_token\": \"refresh-0123456789\"}"

struct entry {
	const char *name, *record, *secret;
};

/* n 0 = an empty file. */
static int set_fd(const struct entry *list, uint16_t n)
{
	struct osh_creds head = { OSH_CREDS_MAGIC, n, 0 };
	int fd = memfd_create("creds", MFD_CLOEXEC);
	uint32_t at = (uint32_t)(sizeof(head) + n * sizeof(struct osh_creds_entry));

	if (!n)
		return fd;
	assert_int_equal(write(fd, &head, sizeof(head)), sizeof(head));
	for (uint16_t i = 0; i < n; i++) {
		struct osh_creds_entry en = { .record = at, .record_len = (uint32_t)strlen(list[i].record) };

		en.secret = at += en.record_len;
		en.secret_len = (uint32_t)strlen(list[i].secret);
		at += en.secret_len;
		snprintf(en.name, sizeof(en.name), "%s", list[i].name);
		snprintf(en.placeholder, sizeof(en.placeholder), "osh-placeholder-of-%s", list[i].name);
		assert_int_equal(write(fd, &en, sizeof(en)), sizeof(en));
	}
	for (uint16_t i = 0; i < n; i++)
		assert_true(write(fd, list[i].record, strlen(list[i].record)) > 0 &&
			    write(fd, list[i].secret, strlen(list[i].secret)) > 0);
	return fd;
}

static int next(struct creds **c, const struct entry *list, uint16_t n)
{
	int fd = set_fd(list, n), r;
	struct err e = { 0 };

	r = creds_next(c, fd, &e);
	close(fd);
	assert_true(r == 0 || e.code);
	return r;
}

static struct entry plain(const char *name, const char *secret)
{
	static char records[8][128];
	static unsigned used;
	char *record = records[used++ % 8];

	snprintf(record, sizeof(records[0]), PLAIN, name);
	return (struct entry){ name, record, secret };
}

/* What a request of `name`'s host would carry; "" where it is refused. */
static const char *sent(const struct creds *c, const char *name)
{
	static char value[128];
	struct cred_ask q = { .credential = name, .port = 443, .tls = true, .method = "GET", .path = "/" };
	struct head h = { 0 };
	struct buf body = { 0 };
	const char *detail;
	char host[64];
	bool changed;

	snprintf(host, sizeof(host), "%s.acme.test", name);
	q.host = host;
	h.method = head_text(&h, SLICE("GET"));
	h.target = head_text(&h, SLICE("/"));
	value[0] = 0;
	if (creds_apply(c, &q, &h, &body, &changed, &detail) == OSH_WHY_ALLOWED)
		for (uint32_t i = 0; i < h.n_fields; i++)
			if (head_name(&h, &h.fields[i]).n == 5 && !memcmp(head_name(&h, &h.fields[i]).p, "x-key", 5))
				snprintf(value, sizeof(value), "%.*s", (int)head_value(&h, &h.fields[i]).n, head_value(&h, &h.fields[i]).p);
	head_done(&h);
	buf_done(&body);
	return value;
}

/* Does an answer of that host get through with this in it? */
static bool passes(const struct creds *c, const char *name, const char *text)
{
	struct filter f;
	char host[64];
	bool found;

	snprintf(host, sizeof(host), "%s.acme.test", name);
	if (filter_start(&f, c, FILTER_ANSWER, host) <= 0)
		return true;
	assert_int_equal(filter_push(&f, slice_of(text)), strlen(text));
	found = f.found;
	filter_done(&f);
	return !found;
}

static void rotated(void **state)
{
	struct entry one[] = { plain("a", "secret-of-a-1"), plain("b", "secret-of-b-1") };
	struct creds *c = NULL;
	uint32_t a, b;

	(void)state;
	assert_int_equal(next(&c, one, 2), 0);
	a = creds_number(c, "a");
	b = creds_number(c, "b");
	assert_string_equal(sent(c, "a"), "secret-of-a-1");
	one[0].secret = "secret-of-a-2";
	assert_int_equal(next(&c, one, 2), 0);
	assert_string_equal(sent(c, "a"), "secret-of-a-2");
	assert_int_not_equal(creds_number(c, "a"), a);	/* no connection is shared between the two */
	assert_int_equal(creds_number(c, "b"), b);
	assert_false(passes(c, "a", "x secret-of-a-1 y"));
	assert_false(passes(c, "a", "x secret-of-a-2 y"));
	assert_false(passes(c, "a", "x secret-of-b-1 y"));
	assert_true(passes(c, "a", "x secret-of-a-3 y"));
	creds_free(c);
}

static void taken_away_and_given(void **state)
{
	struct entry two[] = { plain("a", "secret-of-a-1"), plain("b", "secret-of-b-1") };
	struct creds *c = NULL;

	(void)state;
	assert_int_equal(next(&c, two + 1, 1), 0);
	assert_string_equal(sent(c, "a"), "");
	assert_int_equal(next(&c, two, 2), 0);
	assert_string_equal(sent(c, "a"), "secret-of-a-1");
	assert_int_equal(next(&c, two + 1, 1), 0);
	assert_string_equal(sent(c, "a"), "");
	assert_string_equal(sent(c, "b"), "secret-of-b-1");
	assert_false(passes(c, "a", "x secret-of-a-1 y"));	/* of a request that was under way */
	assert_int_equal(next(&c, NULL, 0), 0);
	assert_string_equal(sent(c, "b"), "");
	assert_false(passes(c, "b", "x secret-of-b-1 y"));
	assert_int_equal(next(&c, two, 1), 0);
	assert_string_equal(sent(c, "a"), "secret-of-a-1");
	creds_free(c);
}

static void many_rotations(void **state)
{
	char secret[40];
	struct entry one = plain("a", secret);
	struct creds *c = NULL;

	(void)state;
	for (unsigned i = 0; i < 3 * CREDS_GONE; i++) {
		snprintf(secret, sizeof(secret), "secret-of-a-number-%04u", i);
		assert_int_equal(next(&c, &one, 1), 0);
		assert_string_equal(sent(c, "a"), secret);
		assert_true(c->n_gone <= CREDS_GONE);
	}
	snprintf(secret, sizeof(secret), "secret-of-a-number-%04u", 3 * CREDS_GONE - 2);
	assert_false(passes(c, "a", secret));
	creds_free(c);
}

/* A refresh token that the endpoint replaced is nowhere else: another provider's rotation does not lose it. */
static void tokens_stay(void **state)
{
	struct entry two[] = { { "oauth", OAUTH, CLIENT }, plain("b", "secret-of-b-1") };
	struct creds *c = NULL;
	struct cred *of;

	(void)state;
	assert_int_equal(next(&c, two, 2), 0);
	of = creds_get(c, "oauth");
	assert_int_equal(cred_renew(c, of, SLICE("access-token-1"), SLICE("refresh-replaced")), 0);
	of->good_until_ms = 12345;
	two[1].secret = "secret-of-b-2";
	assert_int_equal(next(&c, two, 2), 0);
	of = creds_get(c, "oauth");
	assert_int_equal(of->good_until_ms, 12345);
	assert_int_equal(of->secret.n, strlen("access-token-1"));
	assert_memory_equal(of->secret.p, "access-token-1", of->secret.n);
	assert_memory_equal(of->refresh.p, "refresh-replaced", of->refresh.n);
	assert_false(passes(c, "oauth", "x access-token-1 y"));
	two[0].secret = "{\"client_id\": \"me\", \"refresh_token\": \"another-9876543210\"}";
	assert_int_equal(next(&c, two, 2), 0);
	assert_int_equal(creds_get(c, "oauth")->good_until_ms, 0);
	assert_false(passes(c, "oauth", "x access-token-1 y"));
	creds_free(c);
}

static void what_cannot_be_read_changes_nothing(void **state)
{
	struct entry good = plain("a", "secret-of-a-1"), bad = plain("a", "short");
	struct creds *c = NULL, *was;

	(void)state;
	assert_int_equal(next(&c, &good, 1), 0);
	was = c;
	assert_true(next(&c, &bad, 1) < 0);
	assert_ptr_equal(c, was);
	assert_string_equal(sent(c, "a"), "secret-of-a-1");
	creds_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rotated), cmocka_unit_test(taken_away_and_given), cmocka_unit_test(many_rotations),
		cmocka_unit_test(tokens_stay), cmocka_unit_test(what_cannot_be_read_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
