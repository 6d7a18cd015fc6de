/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy after reading: typed, canonical, every default filled in, nothing merged. eval.c takes its
 * meaning from here; merge.c turns it into tables. Lives in one arena, const after policy_read().
 */
#pragma once

#include "arena.h"
#include "diag.h"
#include "osh/bundle.h"

struct net {
	uint8_t addr[16];		/* v4 as v4-mapped; bits past the prefix are zero */
	uint32_t bits;			/* 0..128, of the mapped form */
};

enum host_kind {
	HOST_NAME,			/* "api.example.com" */
	HOST_ONE,			/* "*.example.com": one more label */
	HOST_DEEP,			/* "**.example.com": one or more */
	HOST_NET,			/* address or network */
};

struct host {
	enum host_kind kind;
	const char *text;		/* name; suffix ".example.com" for wildcards; "10.0.0.0/8" */
	struct net net;			/* HOST_NET */
};

struct endpoint {
	struct place at;
	struct host host;
	const uint32_t *ports;		/* ascending, distinct */
	uint32_t n_ports;
	const struct net *allowed;	/* allowed_ips; ascending, distinct */
	uint32_t n_allowed;
	bool tcp;			/* said `protocol: tcp` */
	bool tls_skip;
};

struct program {
	const char *path;		/* canonical; braces expanded */
	bool glob;
};

struct rule {
	const char *name;		/* key in network_policies, or "network[3]" */
	struct place at;
	bool any_program;		/* short form without `binaries` */
	bool taint_ok;			/* taint: ignore */
	struct list programs;		/* struct program; helpers and second spellings included */
	struct list endpoints;		/* struct endpoint */
};

struct fs_entry {
	const char *path;
	enum osh_b_fs_mode mode;
	struct place at;
};

struct identity {
	enum osh_b_runas kind;
	uint32_t id;			/* OSH_RUNAS_UID */
};

struct env_entry {
	const char *text;		/* PASS: "NAME", SET: "NAME=value" */
	enum osh_b_env_kind kind;
};

struct policy {
	struct arena arena;
	struct place fs_at;
	bool include_workdir;
	struct list fs;			/* struct fs_entry, sorted by path, one per path */
	enum osh_b_compat compat;
	struct identity user, group;
	struct list env;		/* struct env_entry */
	uint32_t wildcard_names;
	struct list rules;		/* struct rule, sorted by name */
};

#define EACH(type, var, list_) \
	(const type *var = (list_)->v, *var##_end = (list_)->n ? var + (list_)->n : var;            \
	 var < var##_end; var++)
