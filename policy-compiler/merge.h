/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy -> tables in which every question is one exact or one longest match: the endpoints of a host
 * hold the union of everything that covers it. Memory is the policy's arena.
 */
#pragma once

#include "diag.h"
#include "model.h"

struct claim {				/* one endpoint's say about one port */
	uint32_t port, group, flags;	/* OSH_ALT_* */
	uint32_t rule;			/* index into tables.rules */
	const struct endpoint *e;
};

/* Sorted by (port, group, flags, rule); no repeats of the first three, save of what is looked into. */
struct claims {
	const struct claim *v;
	uint32_t n;
};

struct table_host {
	const char *name;		/* as in osh_b_host */
	enum osh_b_host_kind kind;
	struct claims claims;
	uint32_t number;		/* from 1, after sorting */
};

struct table_suffix {
	const char *text;		/* ".example.com" */
	uint32_t dots;
	struct table_host *one, *deep;	/* NULL = not allowed */
};

struct table_net {
	struct net net;
	struct table_host *host;
};

struct table_rule {
	const char *name;
	uint32_t line;
	const struct endpoint *e;
};

struct table_binary {
	const char *path;
	uint32_t group;
	bool glob;
};

struct tables {
	struct table_host **hosts;	/* sorted by (kind, name) */
	struct table_suffix *suffixes;	/* sorted by text */
	struct table_net *nets;		/* sorted by (addr, bits) */
	struct table_rule *rules;	/* sorted by (name, line) */
	struct table_binary *binaries;	/* sorted by (path, group) */
	uint32_t n_hosts, n_suffixes, n_nets, n_rules, n_binaries, n_groups;
};

/* 0, -EINVAL with errors in *d, or -ENOMEM. */
int merge_policy(struct policy *p, struct tables *t, struct diags *d);

/* merge_groups.c: numbers the distinct program lists; group[i] belongs to rule i. */
bool merge_groups(struct policy *p, struct tables *t, struct diags *d, uint32_t *group);
