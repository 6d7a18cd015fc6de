/* SPDX-License-Identifier: Apache-2.0 */
/* Wslay reads and writes the frames; which may follow which, and how much is kept, is decided here. */
#include "http/websocket.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <wslay/wslay.h>

#define CONTROL_MOST 125
#define UNREAD_MOST (1u << 20)	/* bytes of a message whose words do not matter */

struct websocket {
	const struct bundle *b;
	const struct target *t;
	char *target;
	size_t most;			/* bytes of a message; 0 = what it says does not matter */
	struct slice in;
	struct buf message, control;	/* so far, unmasked */
	struct buf *out;
	wslay_frame_context_ptr ctx;
	uint64_t got;			/* bytes of the frame that is being read */
	uint8_t kind;			/* opcode of the message that is being read; 0 = none */
	bool open;			/* every message is allowed */
	bool never;			/* no message is allowed, whatever it says */
	bool closed;			/* the client sent a close frame */
};

static ssize_t on_recv(uint8_t *to, size_t n, int flags, void *arg)
{
	struct websocket *w = arg;

	(void)flags;
	n = n < w->in.n ? n : w->in.n;
	if (!n)
		return -1;
	memcpy(to, w->in.p, n);
	w->in.p += n;
	w->in.n -= n;
	return (ssize_t)n;
}

static ssize_t on_send(const uint8_t *p, size_t n, int flags, void *arg)
{
	struct websocket *w = arg;

	(void)flags;
	buf_put(w->out, p, n);
	return buf_ok(w->out) ? (ssize_t)n : -1;
}

static int on_mask(uint8_t *to, size_t n, void *arg)
{
	(void)arg;
	return RAND_bytes(to, (int)n) == 1 ? 0 : -1;
}

static struct rules_request question(const struct websocket *w)
{
	return (struct rules_request){ .method = "WEBSOCKET_TEXT",
				       .target = slice_of(w->target),
				       .message = true,
				       .body = { w->message.p ? w->message.p : "", w->message.n } };
}

/* What the rules say of a message before one is there. */
static void weigh(struct websocket *w)
{
	static struct rules_answer a;	/* large, and done with on return */
	struct rules_request q = question(w);

	w->most = rules_wants_body(w->b, w->t, &q);
	rules_judge(w->b, w->t, &q, &a);
	w->never = !w->most && a.verdict == OSH_DENY;
	w->open = !w->most && a.verdict == OSH_ALLOW;
}

bool websocket_new(struct websocket **ret, const struct bundle *b, const struct target *t,
		   struct slice target)
{
	static const struct wslay_frame_callbacks calls = { on_send, on_recv, on_mask };
	struct websocket *w = calloc(1, sizeof(*w));

	*ret = NULL;
	if (!w)
		return false;
	*w = (struct websocket){ .b = b, .t = t, .target = strndup(target.p, target.n) };
	if (!w->target || wslay_frame_context_init(&w->ctx, &calls, w) < 0) {
		websocket_free(w);
		return false;
	}
	weigh(w);
	if (w->open)
		websocket_free(w);
	else
		*ret = w;
	return true;
}

void websocket_again(struct websocket *w, const struct bundle *b, const struct target *t, bool judged)
{
	w->b = b;
	w->t = t;
	if (judged) {
		weigh(w);
		return;
	}
	w->most = 0;
	w->open = true;
	w->never = false;
}

void websocket_free(struct websocket *w)
{
	if (!w)
		return;
	if (w->ctx)
		wslay_frame_context_free(w->ctx);
	buf_done(&w->message);
	buf_done(&w->control);
	free(w->target);
	free(w);
}

size_t websocket_kept(const struct websocket *w)
{
	return w->message.n + w->control.n;
}

void websocket_feed(struct websocket *w, struct slice in)
{
	w->in = in;
}

static void empty(struct buf *b)
{
	buf_done(b);
	*b = (struct buf){ 0 };
}

/* One whole frame, masked as a client's must be. */
static bool send_frame(struct websocket *w, uint8_t opcode, struct slice payload)
{
	struct wslay_frame_iocb io = { .fin = 1, .opcode = opcode, .mask = 1, .payload_length = payload.n,
				       .data = (const uint8_t *)payload.p, .data_length = payload.n };

	do {
		ssize_t n = wslay_frame_send(w->ctx, &io);

		if (n < 0 || !buf_ok(w->out))
			return false;
		io.data += n;
		io.data_length -= (size_t)n;
	} while (io.data_length);
	return true;
}

static struct slice slice_from(const struct buf *b)
{
	return (struct slice){ b->p ? b->p : "", b->n };
}

/* Is this piece of a frame in its place? NULL, or what is wrong. */
static const char *misplaced(const struct websocket *w, const struct wslay_frame_iocb *io)
{
	if (!io->mask)
		return "a frame of a client that is not masked";
	if (io->rsv)
		return "an extension that was not agreed on";
	if (w->closed)
		return "a frame after the close";
	if (io->opcode > WSLAY_PONG || (io->opcode > WSLAY_BINARY_FRAME && io->opcode < WSLAY_CONNECTION_CLOSE))
		return "an unknown kind of frame";
	if (wslay_is_ctrl_frame(io->opcode))
		return !io->fin || io->payload_length > CONTROL_MOST ? "a control frame in pieces" : NULL;
	if (!w->got && (io->opcode == WSLAY_CONTINUATION_FRAME) != (w->kind != 0))
		return "a piece of a message out of its place";
	return NULL;
}

static enum websocket_step take_control(struct websocket *w, uint8_t opcode, const char **why)
{
	w->closed = opcode == WSLAY_CONNECTION_CLOSE;
	if (!send_frame(w, opcode, slice_from(&w->control))) {
		*why = "out of memory";
		return WS_BROKEN;
	}
	empty(&w->control);
	return WS_MORE;
}

static enum websocket_step take_message(struct websocket *w, struct rules_answer *ret, const char **why)
{
	struct rules_request q = question(w);
	uint8_t kind = w->kind;

	if (w->open)
		rules_pass(w->b, w->t, &q, ret);
	else
		rules_judge(w->b, w->t, &q, ret);
	w->kind = 0;
	if (ret->verdict != OSH_DENY && !send_frame(w, kind, slice_from(&w->message))) {
		*why = "out of memory";
		return WS_BROKEN;
	}
	empty(&w->message);
	return WS_JUDGED;
}

static const char *keep(struct websocket *w, const struct wslay_frame_iocb *io)
{
	bool control = wslay_is_ctrl_frame(io->opcode);
	struct buf *to = control ? &w->control : &w->message;
	size_t most = w->most ? w->most : UNREAD_MOST;

	if (!control && (io->payload_length > most || to->n + io->data_length > most))
		return "a message larger than what is read to judge it";
	buf_put(to, io->data, io->data_length);
	return buf_ok(to) ? NULL : "out of memory";
}

enum websocket_step websocket_next(struct websocket *w, struct buf *out, struct rules_answer *ret,
				   const char **why)
{
	w->out = out;
	for (;;) {
		struct wslay_frame_iocb io = { 0 };
		ssize_t n = wslay_frame_recv(w->ctx, &io);
		enum websocket_step step = WS_MORE;

		if (n == WSLAY_ERR_WANT_READ)
			return WS_MORE;
		*why = n < 0 ? "malformed frame" : misplaced(w, &io);
		if (!*why && w->never && !wslay_is_ctrl_frame(io.opcode))
			return take_message(w, ret, why);	/* without waiting for the rest */
		if (!*why)
			*why = keep(w, &io);
		if (*why)
			return WS_BROKEN;
		if (!wslay_is_ctrl_frame(io.opcode) && io.opcode)
			w->kind = io.opcode;
		w->got += io.data_length;
		if (w->got < io.payload_length)
			continue;
		w->got = 0;
		if (wslay_is_ctrl_frame(io.opcode))
			step = take_control(w, io.opcode, why);
		else if (io.fin)
			step = take_message(w, ret, why);
		if (step != WS_MORE)
			return step;
	}
}
