/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials: where they go, where they never go, and what the sandbox sent in their place. */
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
#include "cred/sigv4.h"
#include "hash.h"
#include "osh/creds.h"
#include "provider.h"

#include <cmocka.h>	/* last: it has a macro fail() */

#define MARK "osh-placeholder-acme-0123456789abcdef"
#define KEY "sk-live/4eC39HqLyjWDarjtT1zdp7dc"

/* The descriptor that an egress would get, with one provider. */
static int creds_fd(const char *record, const char *secret)
{
	struct osh_creds head = { OSH_CREDS_MAGIC, 1 };
	struct osh_creds_entry en = { .name = "acme", .placeholder = MARK };
	int fd = memfd_create("creds", MFD_CLOEXEC);

	en.record = sizeof(head) + sizeof(en);
	en.record_len = (uint32_t)strlen(record);
	en.secret = en.record + en.record_len;
	en.secret_len = (uint32_t)strlen(secret);
	assert_true(fd >= 0 && write(fd, &head, sizeof(head)) == sizeof(head) &&
		    write(fd, &en, sizeof(en)) == sizeof(en) &&
		    write(fd, record, en.record_len) == (ssize_t)en.record_len &&
		    write(fd, secret, en.secret_len) == (ssize_t)en.secret_len);
	return fd;
}

static struct creds *load(const char *record, const char *secret)
{
	int fd = creds_fd(record, secret);
	struct creds *c;
	struct err e = { 0 };

	if (creds_load(&c, fd, &e) < 0)
		fail_msg("%s", e.text);
	close(fd);
	return c;
}

static void request(struct head *h, const char *method, const char *path, const char *query)
{
	char target[512];

	snprintf(target, sizeof(target), "%s%s%s", path, *query ? "?" : "", query);
	*h = (struct head){ 0 };
	h->method = head_text(h, slice_of(method));
	h->authority = head_text(h, SLICE("api.acme.test"));
	h->target = head_text(h, slice_of(target));
}

struct one {
	const char *method, *path, *query;
	const char *field, *value;	/* that the sandbox sends; NULL = none */
	const char *body;
	bool plain;
	enum osh_reason why;
	const char *want_field, *want;	/* field or "target" or "body", and its value; want NULL = absent */
};

static enum osh_reason apply(const struct creds *c, const struct one *t, struct head *h, struct buf *body)
{
	struct cred_ask q = { .credential = "acme", .host = "api.acme.test", .port = 443, .tls = !t->plain,
			      .method = t->method, .path = t->path, .query = slice_of(t->query ? t->query : "") };
	const char *detail;
	bool changed;

	if (t->body)
		q.body = slice_of(t->body);
	request(h, t->method, t->path, t->query ? t->query : "");
	if (t->field)
		assert_true(head_add(h, slice_of(t->field), slice_of(t->value)));
	return creds_apply(c, &q, h, body, &changed, &detail);
}

static void check(const char *record, const char *secret, const struct one *t)
{
	struct creds *c = load(record, secret);

	for (; t->method; t++) {
		struct buf body = { 0 };
		struct head h;
		enum osh_reason why = apply(c, t, &h, &body);
		const struct field *f = t->want_field ? head_find(&h, t->want_field, 0) : NULL;

		if (why != t->why)
			fail_msg("%s %s: reason %d, not %d", t->method, t->path, why, t->why);
		if (why != OSH_WHY_ALLOWED || !t->want_field) {
			if (why != OSH_WHY_ALLOWED)
				assert_null(strstr(h.text, KEY));
		} else if (!strcmp(t->want_field, "target")) {
			assert_string_equal(head_str(&h, h.target), t->want);
		} else if (!strcmp(t->want_field, "body")) {
			assert_int_equal(body.n, strlen(t->want));
			assert_memory_equal(body.p, t->want, body.n);
		} else if (t->want) {
			assert_non_null(f);
			assert_string_equal(head_value(&h, f).p, t->want);
			assert_null(head_find(&h, t->want_field, 1));
		} else {
			assert_null(f);
		}
		head_done(&h);
		buf_done(&body);
	}
	creds_free(c);
}

#define HOSTS "\"hosts\":[\"api.acme.test\"]"

static void a_twin_of_the_field_goes_too(void **state)
{
	static const struct one t[] = {
		{ "GET", "/", "", "x-api_key", "mine", NULL, false, OSH_WHY_ALLOWED, "x-api_key", NULL },
		{ "GET", "/", "", "x_api_key", "mine", NULL, false, OSH_WHY_ALLOWED, "x-api-key", KEY },
		{ "GET", "/", "", "x_api_keys", "mine", NULL, false, OSH_WHY_ALLOWED, "x_api_keys", "mine" },
		{ 0 },
	};
	static const struct one as_written[] = {
		{ "GET", "/", "", "x-api-key", "mine", NULL, false, OSH_WHY_ALLOWED, "x-api-key", KEY },
		{ "GET", "/", "", "x-api-key", MARK, NULL, false, OSH_WHY_ALLOWED, "x-api-key", KEY },
		{ 0 },
	};

	(void)state;
	check("{" HOSTS ",\"placement\":{\"header\":\"x-api-key\"}}", KEY, t);
	check("{" HOSTS ",\"placement\":{\"header\":\"X-Api-Key\"}}", KEY, t);
	check("{" HOSTS ",\"placement\":{\"header\":\"X-Api-Key\"}}", KEY, as_written);
}

static void header(void **state)
{
	static const struct one t[] = {
		{ "GET", "/v1/x", "", NULL, NULL, NULL, false, OSH_WHY_ALLOWED, "authorization", "Bearer " KEY },
		{ "GET", "/v1/x", "", "authorization", "Bearer " MARK, NULL, false, OSH_WHY_ALLOWED, "authorization", "Bearer " KEY },
		{ "GET", "/v1/x", "", "authorization", "Bearer mine", NULL, false, OSH_WHY_ALLOWED, "authorization", "Bearer " KEY },
		{ "GET", "/v1/x", "", "accept-encoding", "gzip", NULL, false, OSH_WHY_ALLOWED, "accept-encoding", "identity" },
		{ "GET", "/v1/x", "", "x-other", "Bearer " MARK, NULL, false, OSH_WHY_PLACEHOLDER, NULL, NULL },
		{ "GET", "/v1/x", "", "cookie", "a=b3NoLXBsYWNlaG9sZGVyLWFjbWUtMDEyMzQ1Njc4OWFiY2RlZg==", NULL, false, OSH_WHY_PLACEHOLDER, NULL, NULL },
		{ "GET", "/v1/x", "k=" MARK, NULL, NULL, NULL, false, OSH_WHY_PLACEHOLDER, NULL, NULL },
		{ "GET", "/v1/x", "k=osh%2Dplaceholder-acme-0123456789abcdef", NULL, NULL, NULL, false, OSH_WHY_PLACEHOLDER, NULL, NULL },
		{ "GET", "/v1/" MARK, "", NULL, NULL, NULL, false, OSH_WHY_PLACEHOLDER, NULL, NULL },
		{ "POST", "/v1/x", "", NULL, NULL, "a " MARK, false, OSH_WHY_CREDENTIAL, NULL, NULL },
		{ "GET", "/v2/x", "", NULL, NULL, NULL, false, OSH_WHY_CREDENTIAL, NULL, NULL },
		{ "GET", "/v1/x", "", NULL, NULL, NULL, true, OSH_WHY_CREDENTIAL, NULL, NULL },
		{ 0 },
	};

	(void)state;
	check("{" HOSTS ",\"methods\":[\"GET\"],\"paths\":[\"/v1/**\"],"
	      "\"placement\":{\"header\":\"authorization\",\"prefix\":\"Bearer \"}}", KEY "\n", t);
}

static void other_places(void **state)
{
	static const struct one basic[] = {
		{ "GET", "/x", "", "authorization", "Basic b3NoLXBsYWNlaG9sZGVyOng=", NULL, false, OSH_WHY_ALLOWED, "authorization",
		  "Basic Z2l0OnNrLWxpdmUvNGVDMzlIcUx5aldEYXJqdFQxemRwN2Rj" },
		{ 0 },
	};
	static const struct one query[] = {
		{ "GET", "/x", "", NULL, NULL, NULL, false, OSH_WHY_ALLOWED, "target", "/x?key=sk-live%2F4eC39HqLyjWDarjtT1zdp7dc" },
		{ "GET", "/x", "a=1&key=" MARK "&b=%20&k%65y=2", NULL, NULL, NULL, false, OSH_WHY_ALLOWED, "target",
		  "/x?a=1&b=%20&key=sk-live%2F4eC39HqLyjWDarjtT1zdp7dc" },
		{ "GET", "/x", "b=" MARK, NULL, NULL, NULL, false, OSH_WHY_PLACEHOLDER, NULL, NULL },
		{ 0 },
	};
	static const struct one path[] = {
		{ "GET", "/bot" MARK "/send", "a=1", NULL, NULL, NULL, false, OSH_WHY_ALLOWED, "target",
		  "/botsk-live%2F4eC39HqLyjWDarjtT1zdp7dc/send?a=1" },
		{ "GET", "/other", "", NULL, NULL, NULL, false, OSH_WHY_ALLOWED, "target", "/other" },
		{ "GET", "/other", "q=" MARK, NULL, NULL, NULL, false, OSH_WHY_PLACEHOLDER, NULL, NULL },
		{ 0 },
	};
	static const struct one body[] = {
		{ "POST", "/x", "", NULL, NULL, "{\"k\":\"" MARK "\",\"l\":\"" MARK "\"}", false, OSH_WHY_ALLOWED, "body",
		  "{\"k\":\"" KEY "\",\"l\":\"" KEY "\"}" },
		{ "POST", "/x", "", "x-a", MARK, "{}", false, OSH_WHY_PLACEHOLDER, NULL, NULL },
		{ 0 },
	};

	(void)state;
	check("{" HOSTS ",\"placement\":{\"basic\":\"git\"}}", KEY, basic);
	check("{" HOSTS ",\"placement\":{\"query\":\"key\"}}", KEY, query);
	check("{" HOSTS ",\"placement\":{\"path\":true}}", KEY, path);
	check("{" HOSTS ",\"placement\":{\"body\":true}}", KEY, body);
}

/* Signatures of AWS' published test suite (aws-sig-v4-test-suite). */
/* As an exchange asks: the query lies in the head's own text, which moves when the head grows. */
static void a_head_that_grows_keeps_its_query(void **state)
{
	static const char *const places[] = { "{\"query\":\"key\"}", "{\"path\":true}",
					      "{\"sigv4\":\"execute-api\",\"region\":\"eu-west-1\"}" };
	static const char aws[] = "{\"access_key_id\":\"AKIDEXAMPLE\",\"secret_access_key\":\"" KEY "\"}";
	static const char *const want[] = { "/v1/x?first=1&last=2&key=" , "/v1/x?first=1&last=2", "/v1/x?first=1&last=2" };
	static char fill[2200];

	(void)state;
	memset(fill, 'f', sizeof(fill));
	for (size_t p = 0; p < 3; p++) {
		char record[256];
		struct creds *c;

		snprintf(record, sizeof(record), "{" HOSTS ",\"placement\":%s}", places[p]);
		c = load(record, p == 2 ? aws : KEY);
		for (size_t n = 0; n < sizeof(fill); n += 3) {
			struct cred_ask q = { .credential = "acme", .host = "api.acme.test", .port = 443, .tls = true,
					      .path = "/v1/x" };
			struct buf body = { 0 };
			const char *detail;
			struct head h;
			bool changed;

			request(&h, "GET", "/v1/x", "first=1&key=mine&last=2");
			if (p)
				h.target = head_text(&h, SLICE("/v1/x?first=1&last=2"));
			assert_true(head_add(&h, SLICE("x"), (struct slice){ fill, n }));
			q.method = head_str(&h, h.method);
			q.query = slice_of(strchr(head_str(&h, h.target), '?') + 1);
			assert_int_equal(creds_apply(c, &q, &h, &body, &changed, &detail), OSH_WHY_ALLOWED);
			assert_memory_equal(head_str(&h, h.target), want[p], strlen(want[p]));
			head_done(&h);
			buf_done(&body);
		}
		creds_free(c);
	}
}

static void sigv4(void **state)
{
	static const struct {
		const char *method, *query, *signature;
	} t[] = {
		{ "GET", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
		{ "GET", "Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
		{ "POST", "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct sigv4 s = { .key_id = SLICE("AKIDEXAMPLE"), .secret = SLICE("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
				   .service = "service", .region = "us-east-1", .has_body_hash = true, .now = 1440938160 };
		struct head h;
		const struct field *f;

		assert_int_equal(hash_bytes("", 0, s.body_hash), 0);
		request(&h, t[i].method, "/", t[i].query);
		h.authority = head_text(&h, SLICE("example.amazonaws.com"));
		assert_int_equal(sigv4_sign(&s, &h, "/", slice_of(t[i].query)), 0);
		f = head_find(&h, "authorization", 0);
		assert_non_null(f);
		assert_non_null(strstr(head_value(&h, f).p, "SignedHeaders=host;x-amz-date, "));
		assert_string_equal(strstr(head_value(&h, f).p, "Signature=") + 10, t[i].signature);
		head_done(&h);
	}
}

/* What a request is signed for, where the record leaves it to the host. */
static void sigv4_hosts(void **state)
{
	static const struct {
		const char *host, *service, *region;
	} t[] = {
		{ "sts.amazonaws.com", "sts", "us-east-1" }, { "sts.eu-west-1.amazonaws.com", "sts", "eu-west-1" },
		{ "bedrock-runtime.us-west-2.amazonaws.com", "bedrock", "us-west-2" },
		{ "bedrock-runtime-fips.us-east-1.amazonaws.com", "bedrock", "us-east-1" },
		{ "bedrock-agent-runtime.eu-central-1.amazonaws.com", "bedrock", "eu-central-1" },
		{ "s3.amazonaws.com", "s3", "us-east-1" }, { "bucket.s3.amazonaws.com", "s3", "us-east-1" },
		{ "a.bucket.s3.ap-south-1.amazonaws.com", "s3", "ap-south-1" },
		{ "bucket.s3.dualstack.us-gov-west-1.amazonaws.com", "s3", "us-gov-west-1" },
		{ "x1y2.execute-api.eu-north-1.amazonaws.com", "execute-api", "eu-north-1" },
		{ "api.ecr.us-east-2.amazonaws.com", "ecr", "us-east-2" }, { "email.eu-west-1.amazonaws.com", "ses", "eu-west-1" },
		{ "sqs.cn-north-1.amazonaws.com.cn", "sqs", "cn-north-1" },
		{ "eu-west-1.amazonaws.com", NULL, "eu-west-1" }, { "amazonaws.com", NULL, "us-east-1" }, { ".amazonaws.com", NULL, "us-east-1" },
		{ "sts.eu-west-1.amazonaws.com.evil.test", NULL, "us-east-1" }, { "sts.eu-west-1.amazonaws.community", NULL, "us-east-1" },
		{ "s3.eu-west-1.amazonaws.com.cn.evil.test", NULL, "us-east-1" },
		{ "a.amazonaws.com.eu-west-1.amazonaws.com", "com", "eu-west-1" }, { "api.example.com", NULL, "us-east-1" }, { "", NULL, "us-east-1" },
		{ "a-label-that-is-longer-than-any-service.amazonaws.com", NULL, "us-east-1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		char service[32] = "none", region[32];

		assert_int_equal(sigv4_service(t[i].host, service), t[i].service != NULL);
		assert_string_equal(service, t[i].service ? t[i].service : "none");
		sigv4_region(t[i].host, region);
		assert_string_equal(region, t[i].region);
	}
}

static void records_are_strict(void **state)
{
	static const char *const bad[] = {
		"", "[]", "{}", "{" HOSTS "}", "{\"placement\":{\"header\":\"x\"}}",
		"{" HOSTS ",\"placement\":{\"header\":\"x\"},\"surprise\":1}",
		"{" HOSTS ",\"placement\":{\"header\":\"x\",\"basic\":\"u\"}}",
		"{" HOSTS ",\"placement\":{\"header\":\"host\"}}",
		"{" HOSTS ",\"placement\":{\"header\":\"Proxy-Authorization\"}}",
		"{" HOSTS ",\"placement\":{\"header\":\"a b\"}}",
		"{" HOSTS ",\"placement\":{\"header\":\"a\\u0000b\"}}",
		"{" HOSTS ",\"placement\":{\"header\":\"a\",\"prefix\":\"x\\r\\ny: \"}}",
		"{" HOSTS "," HOSTS ",\"placement\":{\"header\":\"x\"}}",
		"{" HOSTS ",\"ports\":[0],\"placement\":{\"header\":\"x\"}}",
		"{" HOSTS ",\"placement\":{\"header\":\"x\"},\"refresh\":{\"grant\":\"refresh_token\",\"token_url\":\"http://a/\"}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct provider p;
		struct err e = { 0 };

		if (provider_read(&p, slice_of(bad[i]), &e) == 0)
			fail_msg("accepted: %s", bad[i]);
		assert_true(strlen(e.text) > 10);
	}
}

static void bad_sets_are_refused(void **state)
{
	static const char ok[] = "{" HOSTS ",\"placement\":{\"header\":\"x\"}}";
	struct { const char *record, *secret; } t[] = {
		{ ok, "short" }, { ok, "" }, { ok, "has a\nline break in it" }, { ok, "nul\x01 and worse" },
		{ "{", KEY }, { "{" HOSTS ",\"placement\":{\"sigv4\":\"s3\"}}", KEY },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		int fd = creds_fd(t[i].record, t[i].secret);
		struct creds *c;
		struct err e = { 0 };

		assert_true(creds_load(&c, fd, &e) < 0);
		assert_null(c);
		assert_null(strstr(e.text, KEY));
		close(fd);
	}
}

static void answers_are_searched(void **state)
{
	struct creds *c = load("{" HOSTS ",\"placement\":{\"header\":\"x\"}}", KEY);
	struct head h = { 0 };
	struct filter f;

	(void)state;
	assert_true(head_add(&h, SLICE("location"), SLICE("https://evil.test/?k=" KEY)));
	assert_true(creds_said(c, &h));
	head_reset(&h);
	assert_true(head_add(&h, SLICE("location"), SLICE("https://fine.test/")));
	assert_false(creds_said(c, &h));
	head_done(&h);

	assert_int_equal(filter_start(&f, c, FILTER_ANSWER, "elsewhere.test"), 0);
	assert_int_equal(filter_start(&f, c, FILTER_ANSWER, "api.acme.test"), 1);
	assert_int_equal(filter_push(&f, SLICE("you sent sk-live/4eC39")), 22);
	assert_int_equal(filter_ready(&f).n, 9);
	filter_passed(&f, 9);
	assert_int_equal(filter_ready(&f).n, 0);
	assert_false(f.found);
	(void)filter_push(&f, SLICE("HqLyjWDarjtT1zdp7dc, right?"));
	assert_true(f.found);
	assert_int_equal(filter_ready(&f).n, 0);
	filter_flush(&f);
	assert_int_equal(filter_ready(&f).n, 0);
	filter_done(&f);

	assert_int_equal(filter_start(&f, c, FILTER_ANSWER, "api.acme.test"), 1);
	(void)filter_push(&f, SLICE("ends with sk-li"));
	assert_int_equal(filter_ready(&f).n, 10);
	filter_flush(&f);
	assert_int_equal(filter_ready(&f).n, 15);
	filter_done(&f);
	creds_free(c);
}

static bool said(const struct creds *c, const char *text)
{
	struct head h = { 0 };
	bool found;

	assert_true(head_add(&h, SLICE("x"), slice_of(text)));
	found = creds_said(c, &h);
	head_done(&h);
	return found;
}

/* An answer to a request that carried the token before, or one that was stored: it is good for a while yet. */
static void the_token_before_is_searched_for_too(void **state)
{
	static const char *const token[] = { "token-one-0123456789", "token-two-0123456789", "token-three-0123456789" };
	struct creds *c = load("{" HOSTS ",\"placement\":{\"header\":\"x\"},\"refresh\":{\"grant\":\"refresh_token\","
			       "\"token_url\":\"https://a.test/t\"}}",
			       "{\"client_id\":\"someone\",\"refresh_token\":\"" KEY "\"}");
	struct cred *of = creds_get(c, "acme");

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(cred_renew(c, of, slice_of(token[i]), (struct slice){ 0 }), 0);
		assert_int_equal(of->secret.n, strlen(token[i]));
		for (int k = 0; k < 3; k++)
			assert_int_equal(said(c, token[k]), k == i || k == i - 1);
		assert_true(said(c, KEY));
	}
	assert_true(cred_renew(c, of, SLICE("short"), (struct slice){ 0 }) < 0);
	assert_true(said(c, token[1]) && said(c, token[2]));
	creds_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header), cmocka_unit_test(a_twin_of_the_field_goes_too), cmocka_unit_test(other_places), cmocka_unit_test(sigv4), cmocka_unit_test(sigv4_hosts),
		cmocka_unit_test(a_head_that_grows_keeps_its_query),
		cmocka_unit_test(records_are_strict), cmocka_unit_test(bad_sets_are_refused),
		cmocka_unit_test(answers_are_searched), cmocka_unit_test(the_token_before_is_searched_for_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
