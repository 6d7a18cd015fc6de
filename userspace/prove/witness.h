/* SPDX-License-Identifier: Apache-2.0 */
/* A model of Z3 as something that can be tried: texts, numbers, and what eval says of them. */
#pragma once

#include "buf.h"
#include "eval.h"
#include "sym.h"

#define WITNESS_PARAMS 32

struct witness {
	char host[LANG_WORD], program[LANG_WORD], ancestor[LANG_WORD], digest[LANG_WORD];
	char dialled[64];		/* the address */
	uint32_t port;
	bool nobody, tainted, has_ancestor, has_digest, is_addr;
	char method[LANG_WORD], path[LANG_WORD];
	uint32_t n_params;
	struct {
		const char *key;
		char value[LANG_WORD];
	} params[WITNESS_PARAMS];
	bool graphql, has_field, has_call, has_tool, stream, response;
	unsigned op_type;
	char op_name[LANG_WORD], field[LANG_WORD], call[LANG_WORD], tool[LANG_WORD], model[LANG_WORD];
	bool has_model, anthropic;
	const struct route *route;	/* says eval: the first that takes it; NULL = it is no call of a model */
	bool kept;			/* the route that it is about takes it where a rule about content leaves it local ones alone */
	char reader[LANG_WORD], file[LANG_WORD];
	bool at;			/* the address is what it is about */
	bool inspected;			/* says eval */
	const char *rule;		/* of the connection, or the request inside */
	uint32_t line;
};

enum answer { ANSWER_NO, ANSWER_YES, ANSWER_UNKNOWN };

/*
 * Can all of these be, and how? YES fills *w, plainer things before odd ones. What the languages refute is asked
 * again until it is settled.
 */
enum answer sym_ask(struct sym *s, const Z3_ast *facts, unsigned n, struct witness *w);
enum answer sym_can(struct sym *s, const Z3_ast *facts, unsigned n);	/* where nobody wants to know how */

/* eval's word: it is connected (and forwarded, where it is looked into); the reader reads the file. */
bool witness_sends(struct sym *s, struct witness *w);
bool witness_connects(struct sym *s, struct witness *w);
bool witness_routed(struct sym *s, struct witness *w, const struct route *route);	/* ... and this route takes it, the others may fail */
bool witness_reads(struct sym *s, const struct witness *w);
bool witness_runs(struct sym *s, const char *program);
/* Is the host allowed to this program at all, whatever it resolves to? */
bool witness_reaches(struct sym *s, const struct witness *w);

/* As `policy explain` takes it: "connect /usr/bin/curl host:443", "POST https://host/path". */
void witness_text(const struct witness *w, struct buf *b);
