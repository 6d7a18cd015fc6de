/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exchanges of a sandbox that has a credential, and calls of models: what is sent with which secret, and what is
 * never sent a second time or with another one.
 */
#include "exchange_rig.h"

#define RECORD "{\"hosts\":[\"a.example\"],\"placement\":{\"header\":\"x-key\"}}"
#define SECRET "sk/live+4eC39HqLyjWD"
#define SECOND "sk/live+5fD40IrMzkXE"	/* as long */

static int set_of(const char *secret)
{
	struct osh_creds head = { OSH_CREDS_MAGIC, 1 };
	struct osh_creds_entry en = { .name = "acme", .placeholder = "osh-placeholder-acme-0123456789abcdef",
				      .record = sizeof(head) + sizeof(en), .record_len = sizeof(RECORD) - 1,
				      .secret = sizeof(head) + sizeof(en) + sizeof(RECORD) - 1,
				      .secret_len = sizeof(SECRET) - 1 };
	int fd = memfd_create("creds", MFD_CLOEXEC);

	assert_int_equal(write(fd, &head, sizeof(head)), sizeof(head));
	assert_int_equal(write(fd, &en, sizeof(en)), sizeof(en));
	assert_int_equal(write(fd, RECORD, sizeof(RECORD) - 1), sizeof(RECORD) - 1);
	assert_int_equal(write(fd, secret, sizeof(SECRET) - 1), sizeof(SECRET) - 1);
	return fd;
}

static void with_credentials(void)
{
	int fd = set_of(SECRET);
	struct err e;

	assert_int_equal(creds_load(&fs.creds, fd, &e), 0);
	close(fd);
}

/* As when oshd brings another set. */
static void rotate(struct exchange *x)
{
	int fd = set_of(SECOND);
	struct err e;

	assert_int_equal(creds_next(&fs.creds, fd, &e), 0);
	close(fd);
	conn.listed = true;
	exchange_creds(x);
	conn.listed = false;
}

/* Whoever gives more than is looked at in one go is not left waiting for a word that nobody says. */
static void a_searched_body_does_not_stall(void **state)
{
	static char much[300000];

	(void)state;
	with_credentials();
	memset(much, '{', sizeof(much));
	request("POST", false, NULL, NULL);
	assert_int_equal(exchange_body(client.side.x, &client.side, (struct slice){ much, sizeof(much) }), sizeof(much));
	exchange_end(client.side.x, &client.side, NULL);
	answer(&up[0], 200, false);
	assert_int_equal(exchange_body(up[0].side.x, &up[0].side, (struct slice){ much, sizeof(much) }), sizeof(much));
	assert_int_equal(client.room, (1 << 20) - sizeof(much));
	assert_int_equal(send_body(&up[0], "x " SECRET), sizeof(SECRET) + 1);
	assert_null(strstr(client.log, "sk/"));
	assert_int_equal(records(OSH_DENY, OSH_WHY_ECHO), 1);
	settle();
	creds_free(fs.creds);
}

/* What is compressed cannot be searched, on whichever request to the host it was asked for. */
static void a_host_that_knows_a_secret_is_asked_for_plain_answers(void **state)
{
	struct exchange *x;

	(void)state;
	with_credentials();
	world.verdict = OSH_AUDIT;
	request("GET", true, "accept-encoding", "gzip");
	x = up[0].side.x;
	assert_string_equal(head_value(&x->head, head_find(&x->head, "accept-encoding", 0)).p, "identity");
	answer(&up[0], 204, true);
	settle();
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { "sec-websocket-extensions", "accept-charset", "a-im" };

		request("GET", true, names[i], "utf-16");
		x = up[1 + i].side.x;
		assert_null(head_find(&x->head, names[i], 0));
		answer(&up[1 + i], 204, true);
		settle();
	}
	creds_free(fs.creds);
}

/* A policy with a route to a.example, for calls of models by every request. */
static void with_a_route(struct generation *p, const char *provider)
{
	static const char strings[] = "\0r\0a.example\0acme";
	static const struct osh_b_host host = { .name = 3 };
	static const struct osh_b_inference inference;
	static const struct osh_b_l7 l7 = { .flags = OSH_L7_INFERENCE };
	static struct osh_b_route routes[2];
	struct osh_b_route *r = &routes[*provider != 0];

	*r = (struct osh_b_route){ .name = 1, .host = 1, .port = 443, .api = OSH_API_OPENAI, .provider = *provider ? 13 : 0 };
	p->bundle = (struct bundle){ .strings = strings, .n_strings = sizeof(strings), .hosts = &host, .n_hosts = 1, .l7 = &l7,
				     .n_l7 = 1, .inference = &inference, .n_inference = 1, .routes = r, .n_routes = 1 };
	world.path = "/v1/models";
	world.l7 = 1;
}

/* Nor is it sent a second time with a credential that the policy in force has not for it. */
static void a_call_of_a_model_keeps_no_former_credential(void **state)
{
	static struct generation next;
	static struct grant grant;
	struct exchange *x;

	(void)state;
	with_credentials();
	with_a_route(fs.policies.now, "acme");
	request("GET", true, NULL, NULL);
	x = up[0].side.x;
	assert_non_null(x);
	assert_non_null(head_find(&x->head, "x-key", 0));
	next = (struct generation){ .table = { .bundle = &next.bundle, .idents_fd = -1, .generation = 1 }, .refs = 1 };
	with_a_route(&next, "");
	grant = (struct grant){ .policy = &next, .refs = 2, .why = OSH_WHY_ALLOWED, .target = conn.grant->target };
	fs.policies.now = &next;
	conn.grant = &grant;
	conn.listed = true;
	exchange_again(x);
	conn.listed = false;
	assert_ptr_equal(up[0].side.x, x);	/* what was sent goes on */
	exchange_gone(x, &up[0].side, GONE_REFUSED);
	assert_int_equal(world.asked, 1);
	settle();
	assert_non_null(strstr(client.log, "502"));
	creds_free(fs.creds);
}

static void check_key(const struct exchange *x, const char *secret)
{
	const struct field *f = head_find(&x->head, "x-key", 0);

	assert_non_null(f);
	assert_true(slice_is(head_value(&x->head, f), secret));
}

/* What waits for a connection when its credential is rotated goes with the new one. */
static void what_waits_goes_with_the_new_secret(void **state)
{
	struct exchange *x;

	(void)state;
	with_credentials();
	with_a_route(fs.policies.now, "acme");
	world.place = false;
	request("GET", true, NULL, NULL);
	x = client.side.x;
	check_key(x, SECRET);
	rotate(x);
	assert_int_equal(world.asked, 2);
	assert_ptr_equal(world.waiting, &x->wait);
	check_key(x, SECOND);
	x->wait.fn(&x->wait, &up[1].side, OSH_WHY_ALLOWED, "");
	HEARD(up[1], "GET /v1/models. ");
	answer(&up[1], 204, true);
	settle();
	creds_free(fs.creds);
}

static void what_was_sent_is_not_sent_again_after_a_rotation(void **state)
{
	(void)state;
	with_credentials();
	with_a_route(fs.policies.now, "acme");
	request("GET", true, NULL, NULL);
	rotate(up[0].side.x);
	check_key(up[0].side.x, SECRET);		/* it finishes with that */
	exchange_gone(up[0].side.x, &up[0].side, GONE_REFUSED);
	assert_int_equal(world.asked, 1);
	settle();
	assert_non_null(strstr(client.log, "502"));
	creds_free(fs.creds);
}

/* Of a call of a model nothing goes on that is not needed, and what comes last neither. */
static void a_call_of_a_model_has_no_trailers(void **state)
{
	struct head last = { 0 };

	(void)state;
	with_a_route(fs.policies.now, "");
	request("GET", false, NULL, NULL);
	assert_int_equal(send_body(&client, "body"), 4);
	assert_true(head_add(&last, SLICE("x-spy"), SLICE("1")));
	exchange_end(client.side.x, &client.side, &last);
	head_done(&last);
	HEARD(up[0], "GET /v1/models body end ");
	answer(&up[0], 204, true);
}

/* Streams that last for hours, as many as anybody opens, leave the others room for their records. */
static void calls_of_models_leave_room(void **state)
{
	int most = 0;

	(void)state;
	while (most < RECORDS && records_reserve_long(&fs.records))
		most++;
	with_a_route(fs.policies.now, "");
	request("GET", true, NULL, NULL);
	settle();
	assert_non_null(strstr(client.log, "503"));
	assert_int_equal(records(OSH_DENY, OSH_WHY_LIMIT), 1);
	world.l7 = 0;
	request("GET", true, NULL, NULL);
	HEARD(up[0], "GET /v1/models. ");
	answer(&up[0], 204, true);
	while (most--)
		records_release(&fs.records);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_searched_body_does_not_stall),
		T(a_host_that_knows_a_secret_is_asked_for_plain_answers),
		T(a_call_of_a_model_keeps_no_former_credential),
		T(what_waits_goes_with_the_new_secret),
		T(what_was_sent_is_not_sent_again_after_a_rotation),
		T(a_call_of_a_model_has_no_trailers),
		T(calls_of_models_leave_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
