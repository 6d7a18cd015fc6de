/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bundle: the only thing that crosses from the compiler to the runtime. One flat buffer:
 * header, section table, sections. Little endian, 8-byte aligned sections, no pointers. Strings are
 * offsets into SEC_STRINGS (NUL terminated there, offset 0 = ""). The writer is the compiler, the
 * reader (userspace/base/bundle.c) trusts nothing: every offset, count, string, enum and
 * cross-reference is checked once by bundle_open(), and readers then index freely.
 */
#pragma once

#include <stdint.h>

#include "osh/limits.h"

#define OSH_BUNDLE_MAGIC 0x2b68736fu	/* "osh+" */
#define OSH_BUNDLE_VERSION 2

struct osh_bundle_header {
	uint32_t magic, version;
	uint32_t size;			/* of the whole bundle, bytes */
	uint32_t n_sections;
	uint8_t content_hash[32];	/* SHA-256 of everything after this header */
	uint8_t policy_hash[32];	/* SHA-256 of the policy text it was compiled from */
};

struct osh_bundle_section {
	uint32_t type;			/* enum osh_section; each at most once, ascending */
	uint32_t entry;			/* bytes of one entry; must equal the reader's sizeof */
	uint32_t offset, count;		/* bytes = entry * count */
};

enum osh_section {			/* entry type */
	OSH_SEC_NONE,
	OSH_SEC_STRINGS,		/* char */
	OSH_SEC_META,			/* struct osh_b_meta, exactly one */
	OSH_SEC_FS,			/* struct osh_b_fs */
	OSH_SEC_HOSTS,			/* struct osh_b_host; host number = index + 1 */
	OSH_SEC_SUFFIXES,		/* struct osh_b_suffix */
	OSH_SEC_CIDRS,			/* struct osh_b_cidr */
	OSH_SEC_ENDPOINTS,		/* struct osh_b_endpoint, sorted by (host, port) */
	OSH_SEC_ALTS,			/* struct osh_b_alt */
	OSH_SEC_RULES,			/* struct osh_b_rule */
	OSH_SEC_BINARIES,		/* struct osh_b_binary */
	OSH_SEC_UPSTREAM,		/* struct osh_b_upstream: allowed_ips */
	OSH_SEC_ENV,			/* struct osh_b_env */
	OSH_SEC_EXEC,			/* struct osh_b_exec */
	OSH_SEC_UNIX,			/* struct osh_b_unix */
	OSH_SEC_L7,			/* struct osh_b_l7, sorted by rule */
	OSH_SEC_MATCHES,		/* struct osh_b_match: rules inside connections */
	OSH_SEC_QUERIES,		/* struct osh_b_query */
	OSH_SEC_PATTERNS,		/* uint32_t: string, see below */
	OSH_SEC_PERSISTED,		/* struct osh_b_persisted */
	OSH_SEC_FIELDS,			/* uint32_t: string, a root field of a registered query */
	OSH_SEC_LIMITS,			/* struct osh_b_limits, at most one: the policy asks for some */
	OSH_SEC_GPUS,			/* struct osh_b_gpu: one with a count, or some with names */
	OSH_SEC_INFERENCE,		/* struct osh_b_inference, exactly one where there are routes */
	OSH_SEC_ROUTES,			/* struct osh_b_route, in the order in which they are tried */
	OSH_SEC_ALIASES,		/* struct osh_b_alias */
	OSH_SEC_BUDGETS,		/* struct osh_b_budget: limits of calls of models */
	OSH_SEC_PRICES,			/* struct osh_b_price: the first whose model meets */
	OSH_SEC_PRIVACY,		/* struct osh_b_privacy: rules about content, in the policy's order */
	OSH_SEC_SERVES,			/* struct osh_b_serve: whose routes may come in */
	OSH_SEC_MAX
};

enum osh_b_compat { OSH_COMPAT_BEST_EFFORT, OSH_COMPAT_HARD };
enum osh_b_runas { OSH_RUNAS_CALLER, OSH_RUNAS_SANDBOX, OSH_RUNAS_UID };
enum osh_b_execmode { OSH_EXEC_OPEN, OSH_EXEC_STRICT };

struct osh_b_meta {
	uint32_t compat;		/* enum osh_b_compat */
	uint32_t include_workdir;	/* 0, 1 */
	uint32_t run_as_user;		/* enum osh_b_runas */
	uint32_t run_as_group;
	uint32_t uid, gid;		/* where RUNAS_UID */
	uint32_t wildcard_names;
	uint32_t exec_mode;		/* enum osh_b_execmode */
	uint32_t userns;		/* 1 = nested user namespaces allowed */
	uint32_t n_groups;		/* binaries groups in use, group 0 included */
	uint32_t deny;			/* fs deny entries present (needs a layer that can keep them) */
	uint32_t pad;
};

enum osh_resource {
#define RESOURCE(id, key, kind, least, most, text) OSH_RES_##id,
#include "osh/resources.def"
#undef RESOURCE
	OSH_RESOURCES
};
#define OSH_RESOURCES_ROOM 16		/* so that one more of them is no other layout */

struct osh_b_gpu {
	uint32_t device;		/* string: "0", UUID, CDI name, "all"; "" = any */
	uint32_t count;			/* of any; 0 with a name */
	uint32_t share;			/* 0, 1: others may have it too; the same in all rows */
	uint32_t pad;
};

/* 0 = what every sandbox gets. */
struct osh_b_limits {
	uint64_t amount[OSH_RESOURCES_ROOM];	/* by enum osh_resource; the rest is 0 */
};

enum osh_b_fs_mode { OSH_FS_RO, OSH_FS_RW, OSH_FS_DENY };
struct osh_b_fs {
	uint32_t path;			/* absolute, or relative to the workdir for DENY */
	uint32_t mode;			/* enum osh_b_fs_mode */
	uint32_t line;			/* in the policy, for messages */
	uint32_t group;			/* binaries group that it is for; 0 = all programs. 0 for DENY */
};

/* Sorted by (kind, name), no duplicates. */
struct osh_b_host {
	uint32_t name;			/* canonical: "api.example.com", "*.example.com", "10.0.0.0/8" */
	uint32_t kind;			/* enum osh_b_host_kind */
};
enum osh_b_host_kind { OSH_HOST_EXACT, OSH_HOST_WILD, OSH_HOST_CIDR };

/*
 * Suffixes are merged by the compiler: `one` and `deep` name the host entry whose endpoints hold the
 * union of every pattern that covers such a name. Longest suffix wins, so a lookup is one LPM match.
 * Exact hosts likewise hold the endpoints of every wildcard that covers them. Sorted by suffix.
 */
struct osh_b_suffix {
	uint32_t suffix;		/* ".example.com" */
	uint32_t one, deep;		/* host numbers, 0 = not allowed */
	uint32_t dots;
};

/* Sorted by (addr, bits); bits past the prefix are zero. */
struct osh_b_cidr {
	uint8_t addr[16];		/* v4 as v4-mapped */
	uint32_t bits;			/* 0..128, of the mapped form */
	uint32_t host;			/* merged likewise: longest prefix wins */
};

struct osh_b_endpoint {
	uint32_t host, port;
	uint32_t first_alt, n_alts;	/* 1..OSH_ALTS */
};

struct osh_b_alt {
	uint32_t group;			/* binaries group; 0 = any program */
	uint32_t rule;			/* index into RULES */
	uint32_t flags;			/* OSH_ALT_* */
	uint32_t pad;
};
#define OSH_ALT_TAINT_OK 1u
#define OSH_ALT_L7 2u			/* the rule has an L7 entry; such alternatives are never merged */
#define OSH_ALT_TLS_SKIP 4u		/* the rule says `tls: skip` */

/* One per endpoint of the policy, sorted by (name, line): the smallest index is the rule reported. */
struct osh_b_rule {
	uint32_t name;			/* key in network_policies, or "network[3]" for the short form */
	uint32_t line;			/* of the endpoint in the policy */
	uint32_t l7;			/* index into L7 + 1; 0 = not looked into */
	uint32_t pad;
};

/*
 * The inside of connections. A pattern is text without braces: `?` one byte, `[a-z]`, `[!a]` one of a
 * class, `\x` the byte x, `*` a run, none of them the separator; `**` a run that crosses it. The
 * separator is '/' in paths and '.' elsewhere; in deny rules, but for paths, there is none. A list of
 * patterns is met when one of them is; an empty list restricts nothing. Ranges of MATCHES, QUERIES and
 * PERSISTED follow one another without gap or overlap, in the order of the entries and of their members.
 */
struct osh_b_range {
	uint32_t first, n;
};

enum osh_b_protocol { OSH_PROTO_REST, OSH_PROTO_WEBSOCKET, OSH_PROTO_GRAPHQL, OSH_PROTO_JSONRPC, OSH_PROTO_MCP };
enum osh_b_access { OSH_ACCESS_NONE, OSH_ACCESS_READ_ONLY, OSH_ACCESS_READ_WRITE, OSH_ACCESS_FULL };
enum osh_b_signing { OSH_SIGN_NONE, OSH_SIGN_SIGV4, OSH_SIGN_SIGV4_BODY, OSH_SIGN_SIGV4_NO_BODY };

struct osh_b_l7 {
	uint32_t rule;			/* index into RULES, whose l7 leads back here */
	uint32_t protocol, access, signing;	/* the enums above */
	uint32_t flags;			/* OSH_L7_* */
	uint32_t weight;		/* of `path`; among those that cover a request the heaviest says how it is read */
	uint32_t access_line;		/* in the policy; 0 = no preset */
	uint32_t max_body;		/* bytes that are read to judge a request */
	struct osh_b_range path;	/* of PATTERNS: the requests that it covers */
	struct osh_b_range allow, deny;	/* of MATCHES */
	struct osh_b_range persisted;	/* of PERSISTED */
	uint32_t binding, credential;	/* strings; 0 = absent */
	uint32_t signing_service, signing_region;
};
#define OSH_L7_AUDIT 1u			/* what the rules deny is recorded and forwarded */
#define OSH_L7_ENCODED_SLASH 2u
#define OSH_L7_WS_REWRITE 4u
#define OSH_L7_BODY_REWRITE 8u
#define OSH_L7_UNINSPECTED 16u
#define OSH_L7_LOOSE_TOOLS 32u
#define OSH_L7_KNOWN_METHODS 64u
#define OSH_L7_PERSISTED 128u		/* registered queries may be named by hash */
#define OSH_L7_OPERATIONS 256u		/* a rule is about operations: a websocket's messages are GraphQL */
#define OSH_L7_TOOLS 512u		/* an allow rule says which tools */
#define OSH_L7_INFERENCE 1024u		/* calls of models, for ROUTES */
#define OSH_L7_FLAGS 2047u

enum osh_b_operation { OSH_OP_QUERY = 1, OSH_OP_MUTATION = 2, OSH_OP_SUBSCRIPTION = 4 };

struct osh_b_match {
	uint32_t line;			/* in the policy */
	uint32_t operations;		/* enum osh_b_operation, mask; 0 = not about GraphQL */
	uint32_t method;		/* string: HTTP in upper case, JSON-RPC as written, "*" any; 0 = not by method */
	struct osh_b_range methods;	/* of PATTERNS: mcp */
	struct osh_b_range path;	/* of PATTERNS */
	struct osh_b_range query;	/* of QUERIES: all must be met */
	struct osh_b_range name;	/* of PATTERNS: operation */
	struct osh_b_range fields;	/* of PATTERNS: root fields */
	struct osh_b_range tools;	/* of PATTERNS */
	uint32_t pad;
};

struct osh_b_query {
	uint32_t key;			/* string, case-sensitive */
	uint32_t pad;
	struct osh_b_range any;		/* of PATTERNS, never empty */
};

struct osh_b_persisted {
	uint32_t hash, name;		/* strings; name 0 = none */
	uint32_t operation;		/* enum osh_b_operation, one of them */
	uint32_t pad;
	struct osh_b_range fields;	/* of FIELDS */
};

/* Calls of models. Patterns of models have no separator. */
struct osh_b_inference {
	struct osh_b_range models;	/* of PATTERNS: the only ones that may be asked for */
	uint32_t only;			/* 0, 1: there is such a list */
	uint32_t fallback;		/* enum osh_b_fallback */
};

/* May another route take a call than the first that serves its model: where that fails, or also to share the load? */
enum osh_b_fallback { OSH_FALLBACK_NONE, OSH_FALLBACK_ORDER, OSH_FALLBACK_ROUND_ROBIN, OSH_FALLBACK_LEAST_BUSY };

struct osh_b_route {
	uint32_t name;
	uint32_t provider;		/* strings; 0 = none */
	uint32_t as;			/* model that is asked for in place of the caller's; 0 = that one */
	uint32_t path;			/* put before a call's path; 0 = nothing */
	uint32_t host, port;		/* of an endpoint, with an exact name */
	uint32_t rule;			/* index into RULES: its own */
	uint32_t api;			/* enum osh_api, one */
	uint32_t flags;			/* OSH_ROUTE_* */
	struct osh_b_range models;	/* of PATTERNS: that it serves; empty = all */
	uint32_t weight;		/* where load is shared; 0 = 1 */
};
#define OSH_ROUTE_PLAIN 1u		/* no TLS, and then no provider */
#define OSH_ROUTE_LOCAL 2u		/* its backend is on this machine, and is spoken to nowhere else */
#define OSH_ROUTE_SANDBOX 4u		/* its host is NAME OSH_SANDBOX_ZONE; local, plain and without a provider */
#define OSH_ROUTE_FLAGS 7u

struct osh_b_alias {
	uint32_t name, model;
};

/* No two of them are about the same. */
struct osh_b_budget {
	uint64_t most;			/* calls, tokens, or millionths of money; never 0 */
	uint32_t what, per;		/* enum osh_count, enum osh_window */
	uint32_t user;			/* 0, 1: all sandboxes of the user together */
	uint32_t route;			/* index into ROUTES + 1; 0 = calls of all */
	uint32_t line, pad;
};

/* Where a budget is of money. */
struct osh_b_price {
	struct osh_b_range model;	/* of PATTERNS, never empty, without a separator */
	uint64_t part[4];		/* by enum osh_price: millionths for a million tokens */
};

/* No two have one name. In these patterns `*` is a run of letters, digits, '_' and '-'; case does not count. */
struct osh_b_privacy {
	uint32_t name;
	uint32_t action;		/* enum osh_private */
	uint32_t kinds;			/* bit i: enum osh_content */
	struct osh_b_range patterns;	/* of PATTERNS; with the kinds, something */
	uint32_t line;			/* in the policy */
};

/* Sorted by (port, to), no duplicates. Of a pattern's letters `*` and `?` alone are special (osh/glob.h). */
struct osh_b_serve {
	uint32_t port;			/* of the sandbox's loopback */
	uint32_t to;			/* names of sandboxes whose routes may come in there */
};

/*
 * Sorted by (path, group). A glob is matched against the whole path: `?` is one byte other than '/',
 * `*` any run of bytes other than '/', `**` any run of bytes; runs may be empty. Nothing else is
 * special ({} is expanded by the compiler, [] and \ are refused there).
 */
struct osh_b_binary {
	uint32_t path;			/* exact path or glob */
	uint32_t group;
	uint32_t flags;			/* OSH_BIN_* */
	uint32_t sha256;		/* string offset of the hex digest, 0 = none */
};
#define OSH_BIN_GLOB 1u
#define OSH_BIN_INHERIT 2u

/*
 * allowed_ips: the (host, port) may be dialled at these networks only, private ones included. A
 * (host, port) without an entry may be dialled at public addresses only.
 */
struct osh_b_upstream {
	uint8_t addr[16];		/* v4 as v4-mapped */
	uint32_t bits;			/* 0..128, of the mapped form */
	uint32_t host, port;
	uint32_t pad;
};

struct osh_b_env {
	uint32_t text;			/* PASS: "NAME" ; SET: "NAME=value" */
	uint32_t kind;			/* enum osh_b_env_kind */
};
enum osh_b_env_kind { OSH_ENV_PASS, OSH_ENV_SET };

struct osh_b_exec {
	uint32_t pattern, pad;
};

struct osh_b_unix {
	uint32_t path, pad;
};

_Static_assert(sizeof(struct osh_bundle_header) == 80, "bundle ABI");
_Static_assert(sizeof(struct osh_b_meta) == 48, "bundle ABI");
_Static_assert(sizeof(struct osh_b_limits) == 128 && OSH_RESOURCES <= OSH_RESOURCES_ROOM, "bundle ABI");
_Static_assert(sizeof(struct osh_b_gpu) == 16, "bundle ABI");
_Static_assert(sizeof(struct osh_b_cidr) == 24, "bundle ABI");
_Static_assert(sizeof(struct osh_b_upstream) == 32, "bundle ABI");
_Static_assert(sizeof(struct osh_b_l7) == 80, "bundle ABI");
_Static_assert(sizeof(struct osh_b_match) == 64, "bundle ABI");
_Static_assert(sizeof(struct osh_b_persisted) == 24, "bundle ABI");
_Static_assert(sizeof(struct osh_b_route) == 48, "bundle ABI");
