/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question about a policy, as `policy explain` takes it and `policy diff` shows it:
 * "connect /usr/bin/curl api.github.com:443 [at ADDRESS] [tainted]", "dns NAME", "open PATH [write]",
 * "exec PATH", "POST https://HOST/PATH", and after that what the body holds: "graphql query NAME a,b" or
 * "call METHOD [TOOL]", or "model NAME". "serve PORT SANDBOX": may that one's routes come in? Answered by eval alone.
 */
#pragma once

#include "canon.h"
#include "err.h"
#include "eval.h"

enum ask_kind { ASK_DNS, ASK_CONNECT, ASK_REQUEST, ASK_FILE, ASK_EXEC, ASK_SERVE, ASK_KINDS };

#define ASK_TEXT 4096
#define ASK_PARAMS 64
#define ASK_FIELDS 32

struct ask {
	enum ask_kind kind;
	struct eval_connect connect;	/* dns, connect, request; .binary for all */
	const char *at;			/* connect: what the name resolved to, or NULL */
	const char *method;		/* request */
	struct eval_param query[ASK_PARAMS];	/* one entry a key */
	const char *values[ASK_PARAMS];
	uint32_t n_query;
	bool has_graphql, has_call;	/* what the body holds */
	const char *model;		/* that it names, or NULL */
	bool anthropic;			/* the request has the field anthropic-version */
	struct eval_operation operation;
	const char *fields[ASK_FIELDS];
	struct eval_call call;
	enum canon_error bad_path;	/* `canonical` holds nothing unless this is CANON_OK */
	char canonical[CANON_MAX + 1];
	const char *path, *workdir;	/* open, exec */
	bool write;
	char text[ASK_TEXT];		/* what the pointers above point into */
};

/* -EINVAL with *e: no such question. `binary` and `workdir` (may be NULL) hold where it names none. */
int ask_parse(struct ask *ret, const char *text, const char *binary, const char *workdir,
	      struct err *e);
struct decision ask_eval(const struct policy *p, const struct ask *q);

/* ask_url.c: "/path?query" into q; the text is cut and decoded in place. */
int ask_target(struct ask *q, char *target, struct err *e);

/* ask_body.c: the words after a URL. */
int ask_body(struct ask *q, char **words, struct err *e);

/* Does some rule look inside the connection? Then a request decides, not the connection alone. */
bool ask_looks_inside(const struct policy *p, const struct ask *q);

/* The protocols that it is read as by those rules: 1 << enum protocol. */
unsigned ask_protocols(const struct policy *p, const struct ask *q);
