/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question about a policy, as `policy explain` takes it and `policy diff` shows it:
 * "connect /usr/bin/curl api.github.com:443", "dns NAME", "open PATH [write]", "exec PATH",
 * "POST https://HOST/PATH". Answered by eval alone.
 */
#pragma once

#include "err.h"
#include "eval.h"

enum ask_kind { ASK_DNS, ASK_CONNECT, ASK_REQUEST, ASK_FILE, ASK_EXEC, ASK_KINDS };

#define ASK_TEXT 4096

struct ask {
	enum ask_kind kind;
	struct eval_connect connect;	/* dns, connect, request; .binary for all */
	const char *method, *target;	/* request; target "/path?query" */
	const char *path, *workdir;	/* open, exec */
	bool write;
	char text[ASK_TEXT];		/* what the pointers above point into */
};

/* -EINVAL with *e: no such question. `binary` and `workdir` (may be NULL) hold where it names none. */
int ask_parse(struct ask *ret, const char *text, const char *binary, const char *workdir,
	      struct err *e);
struct decision ask_eval(const struct policy *p, const struct ask *q);

/* Is the answer known only up to the connection, because what is inside decides too? */
bool ask_looks_inside(const struct policy *p, const struct ask *q);
