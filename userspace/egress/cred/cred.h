/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials of requests. The sandbox holds placeholders; here the real one is put where its provider
 * record says, only on a request that the policy and the record both allow, only inside verified TLS, in
 * place of whatever the sandbox sent there. A placeholder anywhere else refuses the request. An answer
 * that says a secret again is withheld.
 */
#pragma once

#include "buf.h"
#include "cred/scan.h"
#include "err.h"
#include "http/head.h"
#include "osh/abi.h"

struct creds;				/* the set of one sandbox */

int creds_load(struct creds **ret, int fd, struct err *e);	/* an empty file: *ret is NULL, which every call takes */
void creds_free(struct creds *c);

/*
 * Another set for the same sandbox, in place of *io. What is the same in both goes on as it is, tokens included; what
 * the former one had and this one has not is still searched for in answers. On failure *io is as it was; but
 * after -ENOTRECOVERABLE nothing is guarded any more.
 */
int creds_next(struct creds **io, int fd, struct err *e);

/* A request that was judged and allowed. */
struct cred_ask {
	const char *credential;		/* provider that the endpoint names; NULL = none */
	const char *host;
	uint16_t port;
	bool tls;			/* verified TLS goes upstream */
	const char *method, *path;	/* canonical path, without query */
	struct slice query;		/* as sent; p NULL = none */
	enum { CRED_SIGN_RECORD, CRED_SIGN_BODY, CRED_SIGN_NO_BODY } signing;	/* the endpoint's word, or the record's */
	const char *service, *region;	/* of the endpoint's signing; NULL = the record's */
	bool rewrite_body;		/* the endpoint says request_body_credential_rewrite: into the body as well */
	struct slice body;		/* whole, where creds_wants_body() said so; p NULL = it streams */
};

uint32_t creds_number(const struct creds *c, const char *name);	/* of this very credential, until it is rotated; 0 = not there */
bool creds_has(const struct creds *c, uint32_t number);		/* one with this number */

/* Bytes of body that must be held before creds_apply(): it is signed, or the secret goes into it. */
size_t creds_wants_body(const struct creds *c, const struct cred_ask *q);

/*
 * Edits the head: strips, inserts, signs, and where the query or path changes writes h->target anew
 * (h->target is path and query as they will be sent). `body`: what to send instead, where it changed
 * (then `*body_changed`). On anything but ALLOWED no secret is in *h. ALLOWED, CREDENTIAL (there is none, or it may not go there) or PLACEHOLDER.
 * *detail is one line. The secrets of a head are wiped by head_done() and head_reset(): h->secret is set.
 */
enum osh_reason creds_apply(const struct creds *c, const struct cred_ask *q, struct head *h, struct buf *body,
			    bool *body_changed, const char **detail);

/*
 * What streams through: request bodies are searched for placeholders, answers for secrets. Bytes go in
 * by filter_push() and what may go on comes out of filter_ready(). NULL creds: not needed, use none.
 */
struct filter {
	struct scan scan;
	struct buf kept;		/* bytes not passed on yet */
	size_t start, held;		/* passed on already, of `kept`; must stay, at its end */
	bool found;
};

enum filter_what { FILTER_REQUEST, FILTER_ANSWER };
/* 1 = running, 0 = nothing to search for here (for that host), -ENOMEM. */
int filter_start(struct filter *f, const struct creds *c, enum filter_what what, const char *host);
size_t filter_push(struct filter *f, struct slice bytes);	/* bytes taken; f->found says that the end has come */
struct slice filter_ready(const struct filter *f);
void filter_passed(struct filter *f, size_t n);
void filter_flush(struct filter *f);	/* the stream has ended: nothing is held any more */
void filter_done(struct filter *f);

/* Does a head (of an answer, or trailers) say a secret? */
bool creds_said(const struct creds *c, const struct head *h);
