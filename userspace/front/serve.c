/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Call, answer, next call: what is under way for a user, and what waits to be read by him, has the bound of his
 * connections. A caller that does not read holds up itself.
 */
#include "serve.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "call.h"
#include "manager.h"
#include "own.h"
#include "prove.h"
#include "sasl.h"

#define ANSWER_FDS 253			/* SCM_MAX_FD */
#define SHORT 512			/* messages of our own */

static int refuse(int caller, const struct call *c, const struct err *why)
{
	const char *name = why->code == E2BIG ? MANAGER_ERROR "Limit" : MANAGER_ERROR "Invalid";
	uint8_t bytes[SHORT];
	size_t n = call_refusal(c, name, why->text, bytes, sizeof(bytes));

	return c->silent ? 0 : call_send(caller, bytes, n, NULL, 0);
}

static int check(const struct call *c, const struct mounts *mounts, struct err *e)
{
	struct err why = { 0 };

	if (c->size > OSH_CALL_BYTES)
		return fail(e, E2BIG, "a call of %llu bytes: no more than %u are read", (unsigned long long)c->size,
			    OSH_CALL_BYTES);
	if (c->surplus)
		return fail(e, E2BIG, "a call with more than %d descriptors", OSH_CALL_FDS);
	for (int i = 0; i < c->n_fds; i++)
		if (prove(c->fds[i], mounts, &why) < 0)
			return fail(e, why.code, "descriptor %d of the call %s", i + 1, why.text);
	return 0;
}

/* 0 = oshd has something to say; negative = the caller has gone, or oshd. */
static int wait_for_oshd(int caller, int up)
{
	struct pollfd p[] = { { up, POLLIN, 0 }, { caller, POLLRDHUP, 0 } };

	while (!p[0].revents)
		if ((poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR) || p[1].revents)
			return -ECONNRESET;
	return 0;
}

/* The next answer goes to `caller`, or nowhere. */
static int pass_answer(int up, int caller)
{
	int fds[ANSWER_FDS], n_fds = 0, r = 0;
	uint8_t head[CALL_HEAD] = { 0 };

	while (r >= 0 && head[1] != CALL_RETURN && head[1] != CALL_ERROR) {
		uint64_t n;

		r = call_head(up, head, fds, ANSWER_FDS, &n_fds);
		n = r < 0 ? 0 : call_size(head);
		if (r >= 0 && !n)
			r = -EBADMSG;
		if (r >= 0 && caller >= 0)
			r = call_send(caller, head, sizeof(head), fds, n_fds);
		for (int i = 0; i < n_fds; i++)
			close(fds[i]);
		if (r >= 0)
			r = call_pass(up, caller, n - CALL_HEAD);
	}
	return r;
}

/*
 * Our descriptors are closed after oshd's: it answers the ping when it has done with the call. So what closing the
 * last one sets off, a queue of others say, is set off here.
 */
static int outlast(int up)
{
	uint8_t ping[SHORT];
	size_t n = call_ping(ping, sizeof(ping));
	int r = call_send(up, ping, n, NULL, 0);

	return r < 0 ? r : pass_answer(up, -1);
}

static int one(int caller, int up, const struct mounts *mounts, const struct call *c)
{
	struct err e = { 0 };
	int r;

	if (c->kind != CALL_METHOD)
		return 0;			/* nobody asked */
	if (check(c, mounts, &e) < 0)
		return refuse(caller, c, &e);
	r = call_send(up, c->bytes, (size_t)c->size, c->fds, c->n_fds);
	if (!r)
		r = wait_for_oshd(caller, up);
	if (!r)
		r = pass_answer(up, c->silent ? -1 : caller);
	return !r && c->n_fds ? outlast(up) : r;
}

void serve_calls(int caller, int up, const struct mounts *mounts)
{
	static struct call c;
	int r = sasl_ask(up);

	if (!r)
		r = sasl_serve(caller);
	while (!r && call_read(caller, &c) > 0) {
		r = one(caller, up, mounts, &c);
		call_done(&c);
	}
}

void serve_refusal(int caller, const struct err *why)
{
	static struct call c;

	(void)alarm(10);		/* it is not for long */
	if (sasl_serve(caller) < 0)
		return;
	while (call_read(caller, &c) > 0 && c.kind != CALL_METHOD)
		call_done(&c);
	if (c.kind == CALL_METHOD)
		(void)refuse(caller, &c, why);
	call_done(&c);
}
