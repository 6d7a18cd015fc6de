/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy would have to say so that what a log says was denied is allowed: `policy learn`.
 * Everything in a log was chosen by whoever ran in a sandbox, so that each denial is either
 * proposed, exactly, or left out for a reason of learn.def. Reads and computes only; nothing is
 * applied.
 */
#pragma once

#include "arena.h"
#include "ask.h"
#include "buf.h"
#include "err.h"
#include "slice.h"

#define LEARN_MAX 4096 /* distinct denials; what is beyond is counted */

enum learn_kind {
	LEARN_DNS,
	LEARN_CONNECT,
	LEARN_REQUEST,
	LEARN_READ,
	LEARN_WRITE,
	LEARN_EXEC,
	LEARN_OTHER
};

enum learn_why {
	LEARN_PROPOSED,
#define WHY(id, text) LEARN_##id,
#include "learn.def"
#undef WHY
	LEARN_WHYS
};

/* Denials that are one to a policy: whatever the process, the address of a family, the record type.
 */
struct learn_item {
	struct learn_item *next; /* of its bucket */
	enum learn_kind kind;
	enum learn_why why;
	const char *event, *reason;                /* OTHER: as the log has them */
	const char *host, *binary, *method, *path; /* "" = none; bytes as the sandbox chose them */
	uint32_t port;
	uint64_t count;
	int64_t first_ms, last_ms; /* of the epoch */
	uint32_t line;             /* of the policy, of what forbids it; 0 = none */
	bool allowed;              /* by the policy as it is */
	bool chosen;               /* is in the text that is being built */
	bool covered;              /* by another addition, so that it needs none */
	uint32_t names;            /* distinct ones of the log below its domain */
};

#define LEARN_BUCKETS 1024

struct learn {
	struct arena a;
	const struct policy *p; /* as it is */
	struct slice text;      /* of it */
	const char *workdir;    /* or NULL */
	struct learn_item *buckets[LEARN_BUCKETS];
	struct learn_item *items[LEARN_MAX]; /* in the order of the log; then sorted */
	uint32_t n;
	uint64_t beyond;    /* denials that LEARN_MAX left no room for */
	const char *hash;   /* of the text, in hexadecimal */
	uint64_t foreign;   /* denials under another policy */
	int64_t since_ms;   /* of the epoch; lines before that say nothing */
	uint64_t elsewhere; /* denials that no policy caused: upstream did, or a library's habit */
	struct buf made;    /* the new policy */
	struct buf added;   /* what is new in it, as a policy of its own would say it */
};

const char *learn_why_id(enum learn_why why); /* "NO_PROGRAM" */
const char *learn_why_text(enum learn_why why);
const char *learn_kind_text(enum learn_kind kind);

/* learn_log.c: one line of a log, of `sandbox` alone unless that is NULL. -EINVAL with *e: it is
 * none. */
int learn_line(struct learn *l, struct slice line, const char *sandbox, struct err *e);

/* learn.c: decides about every item, builds l->made and l->added. -errno with *e where that cannot
 * be done. */
int learn_all(struct learn *l, struct err *e);
void learn_done(struct learn *l);

/* The question that an item is, for eval; false = it is none that can be put. */
bool learn_question(const struct learn *l, const struct learn_item *it, struct ask *ret);

/* learn_guard.c: LEARN_PROPOSED, or why this is never proposed; *ret_line as in struct learn_item.
 */
enum learn_why learn_guard(const struct learn *l, const struct learn_item *it, uint32_t *ret_line);
enum learn_why learn_guard_text(const struct learn *l,
				const struct learn_item *it); /* the part before eval is asked */
void learn_count_names(struct learn *l);                      /* before the first learn_guard() */
bool learn_inspected(const struct policy *p,
		     const struct learn_item *it); /* by any rule, whoever asks */
/* learn_assert.c: line of the entry of `assert` that forbids it, 0 = none. */
uint32_t learn_forbidden(const struct learn *l, const struct learn_item *it);

/* learn_yaml.c: appends the chosen items to l->made, whose text so far is the policy. -EINVAL: no
 * place was found. */
int learn_write(struct learn *l, struct err *e);

/* learn_place.c: a place in a text for more entries below a path of keys. */
struct learn_place {
	size_t at;    /* byte */
	bool flow;    /* between brackets */
	bool is_list; /* of what is there already, or wanted */
	uint32_t indent;
	uint32_t depth; /* keys of the path that are there */
	bool newline;   /* the text lacks one before it */
};
int learn_find_place(struct slice text, const char *const *path, struct learn_place *ret,
		     struct err *e);
