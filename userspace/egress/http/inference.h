/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An exchange that is a call of a model: a rule with `route: inference`, or inference.local, let it through. Which route
 * takes it is decided with its body; then the request is made one of that backend: its host, its path, its name for the
 * model, and of the caller's fields those that a call needs. What comes back is counted, and one record says it at the end.
 */
#pragma once

#include "http/exchange_parts.h"
#include "infer/infer.h"
#include "infer/privacy.h"

struct inference {
	struct grant *to;		/* the backend, for the same program */
	enum osh_shape shape;
	uint32_t route;			/* index into the policy's ROUTES + 1 */
	uint64_t tried;			/* bit i: ROUTES[i] failed for it */
	bool plain;			/* without TLS */
	char name[OSH_ROUTE_NAME];
	char asked[OSH_MODEL_LEN + 1];	/* by the caller; "" = nothing */
	char model[OSH_MODEL_LEN + 1];	/* of the backend */
	char *path;			/* there, canonical */
	char *caller_path;		/* as it was judged */
	size_t at, was;			/* where the body names the model, and how long the caller's name is there */
	struct privacy privacy;		/* what the rules about content found */
	bool redacted;			/* what they want replaced is */
	bool followed;			/* another policy than the one that chose the route is in force: it is sent nowhere else */
	bool overgrown;			/* what they wanted replaced would have made the body too long */
	bool hidden;			/* they met the path, or the model's name: neither is put on record */
	struct head before;		/* the caller's request, once it was rewritten */
	struct usage usage;
	bool anthropic;
	bool reserved;			/* room for the record of its end */
	bool sent, answered;
	bool whole;			/* the answer came to its end */
	uint16_t status;		/* of the backend's answer */
	uint64_t began_ms, first_ms;	/* loop time */
};

/* Is it for the routes? */
bool inference_is(const struct exchange *x, const struct rules_answer *a);

/* What of its body has to be held for that; 0 = nothing. */
size_t inference_wants_body(const struct exchange *x, const struct rules_answer *a);

/* A route for it, by the policy of x->grant. ALLOWED, or the reason and *detail, which stays until the next call. */
enum osh_reason inference_begin(struct exchange *x, const struct rules_answer *a, const char **detail);

/* The request as it is sent; after that the record of its end is owed. False: no memory, or it grew too long. */
bool inference_rewrite(struct exchange *x);
bool inference_reserve(struct exchange *x);
bool inference_undo(struct exchange *x);	/* as it was before that. False: it cannot be, as where something was replaced */
bool inference_splice(struct exchange *x, size_t at, size_t n, struct slice with);	/* `n` bytes of the held body become `with` */
const char *inference_detail(const struct exchange *x);	/* for the record of the decision; until the next call */
const char *inference_provider(const struct exchange *x);	/* "" = none */

/* NULL = under the policy of x->grant it could go on, and is of that policy now; else what is in the way. */
const char *inference_again(struct exchange *x, const struct rules_answer *a);

/*
 * The backend failed before it answered: it rests for a moment, and the next route that serves the model takes the call.
 * Where there is none, or the policy wants none, false: *h (NULL = none came) is the answer then.
 */
bool inference_falls_back(struct exchange *x, const struct head *h);

/* The request for that one, as inference_begin() leaves it. False: not possible any more, and the exchange is as it was. */
bool inference_next(struct exchange *x);

/* What of the caller goes on, besides the path and the body: after *target the query, and values of fields, one a line. */
void inference_kept(const struct exchange *x, struct buf *target, struct buf *fields);
bool inference_coded(const struct head *h);

/*
 * private.c: does what it says to the model pass the rules about content? `path` is as it was judged. ALLOWED, or the reason and
 * *detail: the rules, never what they found. Later, once: with what is to be replaced replaced. False: too large, or no memory.
 */
enum osh_reason private_look(struct exchange *x, const char *path, const char **detail);
void private_look_path(struct exchange *x, const char *path);
bool private_redact(struct exchange *x);
const char *private_detail(const struct exchange *x);	/* "" = nothing was found; until the next call */
/* What is held of a call under way, by the policy of x->grant, which came later. NULL = it may go on; else what is in the way. */
const char *private_again(struct exchange *x, const char *path);
/* For records and answers: the path, or the model's name, or that a rule found something in it. */
const char *private_path(const struct exchange *x);
const char *private_model(const struct exchange *x, const char *model);

void inference_answer(struct exchange *x, struct head *h);	/* of the backend, 1xx included */
void inference_bytes(struct exchange *x, struct slice bytes);	/* of its body, that went on */
void inference_end(struct exchange *x);		/* on record */
void inference_done(struct exchange *x);
