/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client says on a WebSocket, message by message: each is judged before a byte of it is sent on,
 * and is written anew, in one frame. What the server says is not looked into.
 */
#pragma once

#include "buf.h"
#include "rules/rules.h"

struct websocket;

/*
 * For the WebSocket that this target (canonical, without a credential) opens. `*ret` stays NULL where
 * every message is allowed whatever it says: then the bytes are relayed as they are. False = out of memory.
 */
bool websocket_new(struct websocket **ret, const struct bundle *b, const struct target *t,
		   struct slice target);
/* Another policy is in force. Not `judged`: messages are not what it is about, so all of them go on. */
void websocket_again(struct websocket *w, const struct bundle *b, const struct target *t, bool judged);

size_t websocket_kept(const struct websocket *w);	/* bytes of what is not whole yet */
void websocket_free(struct websocket *w);	/* takes NULL */

enum websocket_step {
	WS_MORE,			/* everything that was fed is used up */
	WS_JUDGED,			/* a message was judged: *ret says how; unless denied, it is in `out`. Go on */
	WS_BROKEN,			/* no WebSocket; *why is one line. End it */
};

void websocket_feed(struct websocket *w, struct slice in);	/* lives until WS_MORE */
enum websocket_step websocket_next(struct websocket *w, struct buf *out, struct rules_answer *ret,
				   const char **why);
