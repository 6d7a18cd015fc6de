/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy after reading: typed, canonical, every default filled in, nothing merged. eval_*.c take its
 * meaning from here; merge.c turns it into tables. Lives in one arena, const after policy_read().
 */
#pragma once

#include "arena.h"
#include "diag.h"
#include "osh/bundle.h"
#include "osh/inference.h"
#include "pattern.h"

struct net {
	uint8_t addr[16];		/* v4 as v4-mapped; bits past the prefix are zero */
	uint32_t bits;			/* 0..128, of the mapped form */
};

enum host_kind {
	HOST_NAME,			/* "api.example.com" */
	HOST_ONE,			/* "*.example.com": one more label */
	HOST_DEEP,			/* "**.example.com": one or more */
	HOST_NET,			/* address or network */
	HOST_GLOB,			/* any other pattern: "*-x.example.com", "*.s3.*.example.com" */
	HOST_ANY,			/* no host: any name or address on these ports, within allowed_ips */
};

struct host {
	enum host_kind kind;
	const char *text;		/* name; suffix ".example.com" for wildcards; "10.0.0.0/8"; "" for ANY */
	struct net net;			/* HOST_NET */
	struct pattern glob;		/* HOST_GLOB: labels are separated by '.' */
};

enum protocol {				/* what is spoken; from REST on osh looks inside */
	PROTO_NONE,			/* not said: a plain connection */
	PROTO_TCP,
	PROTO_REST,
	PROTO_WEBSOCKET,
	PROTO_GRAPHQL,
	PROTO_JSONRPC,
	PROTO_MCP,
	PROTO_SQL,			/* always refused; read so that its rules have places */
	PROTO_MAX
};

enum access { ACCESS_NONE, ACCESS_READ_ONLY, ACCESS_READ_WRITE, ACCESS_FULL, ACCESS_UNKNOWN };

enum signing { SIGN_NONE, SIGN_SIGV4, SIGN_SIGV4_BODY, SIGN_SIGV4_NO_BODY };

enum operation { OP_QUERY = 1, OP_MUTATION = 2, OP_SUBSCRIPTION = 4, OP_ANY = 7 };	/* mask */

struct query_match {
	struct place at;
	const char *key;		/* case-sensitive */
	struct list any;		/* struct pattern; '.' separates */
};

/* One entry of `rules` or `deny_rules`. What is absent restricts nothing. */
struct l7_rule {
	struct place at;
	const char *method;		/* HTTP in upper case, or "*"; RPC as written; NULL = absent */
	struct pattern method_glob;	/* mcp: the method as a pattern */
	bool has_path;
	struct pattern path;		/* '/' separates */
	struct list query;		/* struct query_match */
	unsigned operations;		/* enum operation, 0 = no GraphQL rule */
	bool has_name;
	struct pattern name;		/* operation_name; '.' separates */
	struct list fields;		/* struct pattern; '.' separates; none = any */
	struct list tools;		/* struct pattern; '.' separates; none = any */
};

struct persisted {			/* a registered GraphQL query */
	struct place at;
	const char *hash, *name;	/* name NULL = absent */
	unsigned operations;
	struct list fields;		/* const char * */
};

/* Everything that is about the inside of a connection. */
struct l7 {
	bool audit;			/* enforcement: audit */
	struct pattern path;		/* selects requests; text "" = all */
	uint32_t weight;		/* of `path`: characters other than '*'; the heaviest decides the protocol */
	enum access access;
	struct place access_at;
	bool has_rules, has_deny;
	struct list rules, deny;	/* struct l7_rule */
	bool encoded_slash;
	bool ws_rewrite, body_rewrite, uninspected;
	bool inference;			/* its requests are calls of models, for the routes of `inference` */
	enum signing signing;
	const char *signing_service, *signing_region;
	const char *binding, *credential;	/* NULL = absent */
	bool persisted_registered;	/* persisted_queries: allow_registered */
	struct list persisted;		/* struct persisted, sorted by hash */
	uint32_t max_body;		/* graphql, json-rpc, mcp */
	bool loose_tools;		/* mcp.strict_tool_names: false */
	bool known_methods;		/* mcp.allow_all_known_mcp_methods: true */
};

struct endpoint {
	struct place at;
	struct host host;
	const uint32_t *ports;		/* ascending, distinct */
	uint32_t n_ports;
	const struct net *allowed;	/* allowed_ips; ascending, distinct */
	uint32_t n_allowed;
	enum protocol protocol;
	bool tls_skip;
	struct l7 l7;
};

static inline bool endpoint_inspected(const struct endpoint *e)
{
	return e->protocol >= PROTO_REST;
}

struct program {
	const char *path;		/* canonical; braces expanded */
	const char *sha256;		/* 64 hex digits, or NULL */
	bool glob;
	bool inherit;			/* its descendants too */
};

struct rule {
	const char *name;		/* key in network_policies, or "network[3]" */
	struct place at;
	bool any_program;		/* short form without `binaries` */
	bool taint_ok;			/* taint: ignore */
	bool egress_only;		/* where the egress itself goes for the sandbox; no program may */
	struct list programs;		/* struct program; helpers and second spellings included */
	struct list endpoints;		/* struct endpoint */
};

struct fs_entry {
	const char *path;		/* DENY: may be relative to the working directory, and a glob */
	enum osh_b_fs_mode mode;
	struct place at;
	struct pattern glob;		/* DENY */
	struct list programs;		/* struct program that it is for; none = all */
	uint32_t group;			/* number of that list, by merge_groups(); 0 = none */
};

struct identity {
	enum osh_b_runas kind;
	uint32_t id;			/* OSH_RUNAS_UID */
};

struct env_entry {
	const char *text;		/* PASS: "NAME", SET: "NAME=value" */
	enum osh_b_env_kind kind;
};

struct exec_policy {
	struct place at;
	enum osh_b_execmode mode;
	struct list allow;		/* struct program */
};

struct resources {			/* 0 = no limit asked for */
	struct place at;
	uint64_t amount[OSH_RESOURCES];	/* by enum osh_resource */
};

struct gpu {
	struct place at;
	uint32_t count;
	struct list devices;		/* const char *: UUID, index or CDI name */
	bool share;
};

struct credential {
	struct place at;
	const char *name, *provider;
};

struct route {				/* a backend of `inference` */
	struct place at;
	const char *name;
	const char *provider;		/* whose credential goes along; NULL = none */
	const char *as;			/* model that is asked for in place of the caller's; NULL = that one */
	const char *path;		/* put before the path of the call; "" = nothing */
	uint32_t api;			/* enum osh_api, one */
	bool plain;			/* without TLS */
	bool local;			/* on this machine, whatever its name resolves to */
	const char *sandbox;		/* a port of that one's loopback; `host` is then made of it. NULL = none */
	const char *host;
	uint32_t port;
	struct list models;		/* struct pattern: that it serves; none = all. No separator */
	struct place weight_at;
	uint32_t weight;		/* where load is shared; 0 = not said, 1 */
};

struct alias {
	struct place at;
	const char *name, *model;
};

struct budget {				/* of calls, while they last */
	struct place at;
	enum osh_count what;
	enum osh_window per;
	bool user;			/* all sandboxes of the user together, else this one */
	const char *route;		/* calls of that route alone; NULL = all */
	uint64_t most;			/* money in millionths */
};

struct price {
	struct place at;
	struct list models;		/* struct pattern, never empty; no separator */
	uint64_t part[OSH_PRICES];	/* millionths for a million tokens */
};

struct content_rule {			/* a rule about what is said to models */
	struct place at;
	const char *name;
	enum osh_private action;
	uint32_t kinds;			/* bit i: enum osh_content */
	struct list patterns;		/* struct pattern, of one word (read_privacy.c) */
};

struct inference {
	struct place at;
	struct list routes;		/* struct route, in the order in which they are tried */
	struct list aliases;		/* struct alias */
	bool local_only;		/* what is said in the sandbox stays on the machine */
	bool fallback;			/* where a backend fails, the next route that serves the model */
	struct place balance_at;
	enum osh_b_fallback balance;	/* NONE = not said; all that fallback lets take a call share the load */
	bool has_models;
	struct list models;		/* struct pattern: the only ones that may be asked for */
	struct list limits;		/* struct budget */
	struct list prices;		/* struct price: the first whose model meets */
	struct list privacy;		/* struct content_rule */
};

struct serve {				/* whose routes may come into this sandbox */
	struct place at;
	uint32_t port;
	struct list to;			/* const char *: names of sandboxes, globs of `*` and `?` */
};

enum claim_kind { ASSERT_NEVER, ASSERT_NEVER_REACH, ASSERT_NEVER_READ_AND_SEND, ASSERT_NEVER_CALL, ASSERT_NEVER_LEAVE };

struct assertion {
	struct place at;
	enum claim_kind kind;
	struct host host;		/* kind ANY where none is named */
	uint32_t port;			/* 0 = any */
	struct list methods;		/* const char * */
	struct pattern path, read;	/* text NULL = absent */
	struct list programs;		/* struct program */
	struct list except;		/* const char *: routes that may take calls */
};

/* Something that the policy asks for and that the runtime cannot keep yet. */
struct unkept {
	struct place at;
	const char *what;
};

struct policy {
	struct arena arena;
	struct place fs_at;
	bool include_workdir;
	struct list fs;			/* struct fs_entry, sorted by path, one per path and mode */
	enum osh_b_compat compat;
	struct identity user, group;
	struct list env;		/* struct env_entry */
	struct exec_policy exec;
	uint32_t wildcard_names;
	struct list rules;		/* struct rule, sorted by name */
	struct resources resources;
	struct gpu gpu;
	struct list credentials;	/* struct credential */
	struct inference inference;
	struct list serves;		/* struct serve */
	struct list asserts;		/* struct assertion */
	struct list unkept;		/* struct unkept: check warns, compile refuses (OSH150) */
};

#define EACH(type, var, list_) \
	(const type *var = (list_)->v, *var##_end = (list_)->n ? var + (list_)->n : var;            \
	 var < var##_end; var++)
