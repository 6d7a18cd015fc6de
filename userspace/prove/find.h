/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of a policy, and what was found. One file a question: find_<question>.c. */
#pragma once

#include "prove.h"
#include "witness.h"

typedef const char *text_of;	/* for EACH, which wants one word */

struct asked {
	const char *request, *binary;	/* as policy explain takes them; binary may be NULL */
	const char *ancestor;		/* that lets it through, or NULL */
	const char *file;		/* the policy that it is asked of; NULL = the one that was given */
};

struct finding {
	const char *category;		/* "exfiltration" */
	const char *where;		/* "host:port", or the path that it is about */
	const char *program;		/* NULL = any */
	const char *credential;		/* NULL = none is about it */
	const char *says;		/* a sentence */
	struct list requests;		/* struct asked: eval said yes to each */
	const char *rule;
	uint32_t line;
	const char *file;		/* that `line` is of; NULL = the policy that was given */
	const void *endpoint;		/* that lets nothing through, or NULL */
};

struct credential_in {			/* one that is said to be in use: --credentials */
	const char *name, *type;
	struct list scopes;		/* const char *; none = all */
	struct list hosts;		/* struct host */
	const char *env;		/* variable that it is in, or NULL */
};

struct accepted {			/* --accept: a risk that somebody took on, and until when */
	const char *category, *where, *program, *reason, *expires;	/* where, program: NULL = any */
	bool used;			/* something that was found is accepted by it */
};

struct prover {
	struct arena *a;
	struct sym *s;
	const struct policy *base;	/* --base, or NULL */
	struct cells cells;		/* of all networks of the policies and credentials */
	struct list credentials;	/* struct credential_in */
	struct list accepts;		/* struct accepted */
	struct list found;		/* struct finding */
	bool flow;			/* --with: several sandboxes */
	const char *given[PROVE_WITH + 1];	/* and the names of all, NULL = not said */
	bool graph;			/* --graph: */
	struct list edges;		/* who reaches what (graph.c) */
	struct list gone;		/* const void *: parts of the policy that change nothing */
	uint32_t n_accepted;		/* that are left out of `found` */
	struct list stale;		/* const char *: what is accepted no more, or never was there */
	const char *unknown;		/* why something is not known; NULL = all is */
	const char *secret;		/* one of those that can be read, and where */
	const char *secret_file, *secret_reader;
	uint32_t n_secrets;
	bool *refuted;			/* assert entries that a slice refuted already */
	bool *taken;			/* routes that were seen to take a call */
	struct list givers, takers;	/* struct end: find_chain.c */
};

/* Each asks its question of every endpoint and adds what it finds. */
void find_secrets(struct prover *pr);	/* first: the others ask what can be read */
bool find_secrets_where(struct prover *pr, Z3_ast fact);	/* those alone; true = there are some */
/* The widest way out by this endpoint, or NULL. */
const char *find_how_much(struct prover *pr, const struct sym_endpoint *se, struct witness *w);
void find_exfiltration(struct prover *pr);
/* find_chain.c: ends of ways from one endpoint to another. The one that gives was found; of the one that takes, how. */
bool find_chains_may_be(const struct prover *pr, const struct policy *p);
void find_gives(struct prover *pr, const struct endpoint *e, const struct finding *f, const char *why);
struct finding *find_takes(struct prover *pr, const struct endpoint *e, const struct witness *w, const char *how);
/* The same of one that is found already, since something secret can be read; it is in pr->found. */
void find_takes_too(struct prover *pr, const struct endpoint *e, const struct finding *f);
uint32_t find_given(struct prover *pr, const char **what, const struct list **requests);	/* how many gave, the first; forgets them */
void find_chains(struct prover *pr);	/* after the last model */
void find_calls(struct prover *pr);	/* of models */
/* The call that carries most, confirmed; NULL: the route takes none that comes by this endpoint. */
const char *find_taken(struct prover *pr, const struct sym_endpoint *se, const struct sym_route *r, struct witness *w);
const char *find_backend_place(struct prover *pr, const struct route *r);
void find_idle_routes(struct prover *pr, const struct policy *p);	/* after the last model */
void find_bypass(struct prover *pr);
void find_credentials(struct prover *pr);
void find_reach(struct prover *pr);
void find_names(struct prover *pr);
void find_refuted(struct prover *pr);	/* `assert` entries */
void find_served(struct prover *pr, const struct policy *p);	/* never_leave of one that serves; after the last model */
/* never_leave, where p's `serve` lets in somebody whose policy is not given, told. file: of p, NULL = the one that was given. */
bool find_answers(struct prover *pr, const struct assertion *as, const struct policy *p, const char *file);
const char *find_caller(struct prover *pr, const char *to);	/* a name that this name or pattern of `serve` lets in */
bool find_leaves(struct prover *pr, const struct assertion *as);	/* never_leave: a way in which it is not so, told */
void find_persistence(struct prover *pr);
void find_unreachable(struct prover *pr);
void find_redundant(struct prover *pr);	/* after the unreachable ones */
void find_expansion(struct prover *pr);	/* against --base: of endpoints */
void find_wider(struct prover *pr);	/* and of the rest: files, programs, environment */

/* find.c */
const char *find_place(struct prover *pr, const struct sym_endpoint *se);	/* as the policy has it */
void find_sort(struct prover *pr);	/* by line */
void find_accept(struct prover *pr, const char *today);	/* leaves out what is accepted */
struct finding *find_add(struct prover *pr, const char *category, const struct witness *w);
void find_fill(struct prover *pr, struct finding *f, const char *category, const struct witness *w);
void find_request(struct prover *pr, struct finding *f, const char *text, const char *binary);
enum answer find_ask(struct prover *pr, const Z3_ast *facts, unsigned n, struct witness *w);
void find_unknown(struct prover *pr, const char *why);
/* The same, where eval must agree that it is sent (or read). */
enum answer find_sends(struct prover *pr, const Z3_ast *facts, unsigned n, struct witness *w);
Z3_ast find_credentialed(struct prover *pr);	/* a credential is for this host */
/* What the compiler made of a route; and eval's word, whether it is dialled at this address. */
const struct endpoint *find_backend(const struct policy *p, const struct route *r);
const char *find_kept(const struct witness *w);	/* behind what is said of a call: why `policy explain` names another route; or "" */
bool find_backend_at(const struct policy *p, const struct route *r, const char *addr);
const char *find_word(struct prover *pr, const char *text);	/* as one word of a request */
bool find_host_is(struct arena *a, const struct host *h, const char *name);	/* is the name one of these? */
bool find_secret_name(const char *variable);
bool find_is_metadata(const char *host);	/* a name that it is known by */
