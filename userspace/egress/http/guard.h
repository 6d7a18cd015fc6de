/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The credential of an exchange and what is searched for in its bodies: placeholders on the way out, secrets on
 * the way back. Only exchanges of a sandbox that has credentials carry one; see cred/cred.h.
 */
#pragma once

#include "cred/cred.h"
#include "http/exchange_parts.h"

struct guard {
	struct filter out, in;		/* request body, answer's body */
	bool out_on, in_on;
	bool in_ended;			/* upstream has ended; the rest of `in` is on its way */
	struct head trailers;		/* of the answer, then */
	struct head before;		/* the request's, before its credential was put in; empty = none was */
	bool rewritten;			/* its body is no longer what the sandbox sent */
};

/* The body has to be held before guard_request() can put a credential in: how much of it at most. */
size_t guard_wants_body(const struct exchange *x, const struct rules_answer *a);

/* After the request was judged and made ready: strips, searches, inserts. ALLOWED, or the reason and *detail. */
enum osh_reason guard_request(struct exchange *x, const struct rules_answer *a, const char **detail);

/* The head of an answer, 1xx included: false = it says a secret. Starts to read its body. */
bool guard_answer(struct exchange *x, const struct head *h);
bool guard_trailers(const struct exchange *x, const struct head *trailers);

/* As if guard_request() had not been called. False: it cannot be undone. */
bool guard_undo(struct exchange *x);

/* The credential that the policy in force gives this request; 0 = none. */
uint32_t guard_credential(const struct exchange *x, const struct rules_answer *a);

void guard_done(struct exchange *x);
