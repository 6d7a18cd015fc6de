/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of models, without the exchange that carries them: which call a request is, which model its body
 * names, which route takes it, and what the answer says of tokens. Shares no matching code with
 * policy-compiler/eval_inference.c, which is what it is tested against.
 */
#pragma once

#include "bundle.h"
#include "osh/abi.h"
#include "osh/inference.h"
#include "slice.h"

/* shape.c: method and canonical path. *model is where the path names one, escaped; p NULL = it does not. */
enum osh_shape shape_of(const char *method, const char *path, struct slice *model);
enum osh_model_in shape_model(enum osh_shape shape);
const char *shape_text(enum osh_shape shape);
/* A name of a model in the place of the one that the path has, or the path as it is; false = too long. */
bool shape_path(enum osh_shape shape, const char *path, const char *model, const char *before, char *out, size_t room);

/* Where routes share the load: what each was sent, and has. */
struct balance {
	uint64_t now, mark[OSH_INFERENCE_ROUTES];	/* of the routes of one generation; see balance.c */
	uint32_t busy[OSH_INFERENCE_ROUTES];		/* calls under way there */
};

/* balance.c: of these routes (bit i: ROUTES[i]) the one that is next, a number as in struct routed; 0 = there is none. */
uint32_t balance_pick(const struct bundle *b, const struct balance *s, uint64_t of);
void balance_took(const struct bundle *b, struct balance *s, uint32_t route);	/* a call goes there */

struct route_ask {
	enum osh_shape shape;
	struct slice model;		/* as the caller names it; p NULL = not */
	bool anthropic;			/* the field anthropic-version is there */
	bool local;			/* only routes that are local */
	uint64_t tried;			/* bit i: ROUTES[i] has failed for this call */
	uint64_t resting;		/* likewise, a moment ago for another; taken only where no other serves */
	const char *chosen;		/* name of the route that is taken before the others, if it may be; "", NULL = none */
	const struct balance *balance;	/* NULL = the first */
	uint32_t kept;			/* with that: the route that it was given before it had to wait; 0 = none */
	const char *instead;		/* model that calls of it ask for; "", NULL = what the caller asks for */
};

struct routed {
	uint32_t route;			/* index into the bundle's ROUTES + 1; 0 = none */
	char model[OSH_MODEL_LEN + 1];	/* that the backend is asked for; "" = none */
};

/* route.c: OSH_WHY_ALLOWED and where it goes, or why nowhere. */
enum osh_reason route_choose(const struct bundle *b, const struct route_ask *q, struct routed *ret);

/*
 * limits.c: bit i = BUDGETS[i] counts such a call on that route (a number as in struct routed). A cost is in millionths,
 * rounded up; false = the model has no price.
 */
uint32_t limits_mask(const struct bundle *b, enum osh_shape shape, uint32_t route);
bool limits_read(const struct bundle *b, enum osh_shape shape);	/* may one want to know what its body says? */
bool limits_have(const struct bundle *b, uint32_t mask, enum osh_count what);
bool limits_cost(const struct bundle *b, const char *model, const uint64_t tokens[OSH_PRICES], uint64_t *ret);

/* guess.c: tokens of a call that is not sent yet: of its body, and of the answer at most, by what it asks for. */
#define GUESS_UNSAID 8192		/* where it does not say how long the answer may be */
uint64_t guess_sent(struct slice body);
struct guess_call {
	enum osh_shape shape;
	const char *model, *host;	/* that is asked for, of which backend; "" = not known */
};
uint64_t guess_answer(const struct guess_call *call, struct slice body);

/*
 * top.c: the member `key` of a JSON object, if it is one in the strict sense and every reader finds the same there:
 * no other spelling of the key, none twice, no escape in it or in its value, no key beside it that names more models, and
 * none with what is no ASCII, which servers may read as letters that are.
 * Linear, without memory of its own.
 */
enum top { TOP_BAD, TOP_ABSENT, TOP_TEXT };	/* BAD: no such object, or the member is not plain text */
enum top top_find(struct slice json, const char *key, size_t *at, size_t *n);	/* of the value, without quotes */
bool top_is_object(struct slice json);

/*
 * usage.c: tokens as an answer counts them, read while it streams: JSON, lines of JSON, or server-sent events.
 * What says nothing of tokens is counted by its events.
 */
#define USAGE_DEPTH 4
enum usage_part { USAGE_IN, USAGE_IN_STORED, USAGE_IN_CACHED, USAGE_OUT, USAGE_PARTS };

struct usage {
	uint64_t part[USAGE_PARTS];	/* as it says; of what it says several times the most */
	uint64_t events;		/* of a stream */
	bool said;
	bool lines;			/* each line begins anew */
	/* The reader. */
	bool text, escape;		/* in a text; after a backslash */
	bool value;			/* after a colon */
	bool begun;			/* this line holds JSON */
	bool digits;
	uint8_t n_name;
	uint16_t depth;
	uint64_t number;
	char name[32];			/* of the text that was read last; one that is longer is none of ours */
	uint8_t level[USAGE_DEPTH];	/* what the member that is being read at each depth is */
};
void usage_start(struct usage *u, struct slice content_type);
void usage_feed(struct usage *u, struct slice bytes);
uint64_t usage_in(const struct usage *u);
uint64_t usage_out(const struct usage *u);	/* where nothing is said, a stream's events */
