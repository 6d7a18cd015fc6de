/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random policies about the inside of connections and random requests to them, once as eval takes them
 * and once as bytes on a wire. The includer says where choices come from: pick(n) gives 0..n-1.
 */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "bundle.h"
#include "canon.h"
#include "emit.h"
#include "eval.h"
#include "own.h"
#include "policy.h"
#include "rules/rules.h"

static unsigned pick(unsigned n);

#define PICK(list) ((list)[pick(ARRAY_SIZE(list))])

struct world {
	struct buf text, bytes;
	struct bundle b;
	struct policy p;
};

/* ---- policies ------------------------------------------------------------------------------ */

static const char *const path_globs[] = {
	"/a", "/a/*", "/a/**", "/**", "/repos/*/b", "/{a,b}/x?", "/[ab]/**", "/**/b", "/*/x.git", "/a/**/b*",
	"/[!a]*", "/\\*", "/repos/**", "/a/b", "/", "/**/*", "/a%20b", "/b/*/**/a", "/*", "/a%2Fb", "/{a,repos/*}/b",
};
static const char *const value_globs[] = { "1", "1.*", "1*", "**", "foo-*", "{1,a*}", "*", "?", "[0-9]**", "foo-[a-c]" };
static const char *const name_globs[] = { "Get*", "*", "DelB", "**A", "[GD]*", "GetA" };
static const char *const field_globs[] = { "viewer", "delete*", "*", "[nv]*", "node", "?ode" };
static const char *const tool_globs[] = { "read_*", "*", "write.b", "write**", "{read_a,x}", "read_?" };
static const char *const methods[] = { "GET", "POST", "HEAD", "*", "DELETE", "put", "OPTIONS", "WEBSOCKET_TEXT" };
static const char *const rpc_methods[] = { "tools/call", "tools/list", "initialize", "x.y", "ping", "notifications/initialized" };
static const char *const kinds[] = { "query", "mutation", "subscription", "'*'" };
static const char *const hashes[] = { "h1", "h2", "h3" };

static void put_glob(struct buf *b, const char *key, const char *glob)
{
	buf_printf(b, "%s: '%s'", key, glob);
}

/* "glob" or {any: [...]}. */
static void put_matcher(struct buf *b, const char *key, const char *const *globs, size_t n)
{
	if (pick(2)) {
		put_glob(b, key, globs[pick((unsigned)n)]);
		return;
	}
	buf_printf(b, "%s: {any: ['%s', '%s']}", key, globs[pick((unsigned)n)], globs[pick((unsigned)n)]);
}

static void put_http_rule(struct buf *b)
{
	buf_printf(b, "{method: '%s'", PICK(methods));
	put_glob(b, ", path", PICK(path_globs));
	if (!pick(3)) {
		bool two = pick(2);

		buf_str(b, ", query: {");
		put_matcher(b, "k", value_globs, ARRAY_SIZE(value_globs));
		if (two)
			put_matcher(b, ", v", value_globs, ARRAY_SIZE(value_globs));
		buf_str(b, "}");
	}
	buf_str(b, "}");
}

static void put_operation_rule(struct buf *b)
{
	buf_printf(b, "{operation_type: %s", PICK(kinds));
	if (!pick(2))
		put_glob(b, ", operation_name", PICK(name_globs));
	if (pick(2))
		buf_printf(b, ", fields: ['%s', '%s']", PICK(field_globs), PICK(field_globs));
	buf_str(b, "}");
}

static void put_rpc_rule(struct buf *b, bool mcp)
{
	if (!mcp) {
		buf_printf(b, "{method: '%s'}", pick(5) ? PICK(rpc_methods) : "*");
		return;
	}
	if (pick(2)) {
		buf_printf(b, "{method: '%s'}", pick(4) ? PICK(rpc_methods) : "tools/*");
		return;
	}
	buf_printf(b, "{method: %s", pick(2) ? "tools/call" : "tools/*");
	put_matcher(b, ", tool", tool_globs, ARRAY_SIZE(tool_globs));
	buf_str(b, "}");
}

/* What endpoints must agree on where they overlap hangs on the path that they are for. */
struct sort {
	const char *protocol, *path;
	bool audit, slash, loose, operations;
};

static void put_rule(struct buf *b, const struct sort *s)
{
	switch (s->protocol[0]) {
	case 'r':
		put_http_rule(b);
		break;
	case 'w':
		if (s->operations && pick(2))
			put_operation_rule(b);
		else
			put_http_rule(b);
		break;
	case 'g':
		put_operation_rule(b);
		break;
	default:
		put_rpc_rule(b, s->protocol[0] == 'm');
	}
}

static void put_rules(struct buf *b, const struct sort *s, bool deny)
{
	buf_str(b, deny ? ", deny_rules: [" : ", rules: [");
	for (unsigned i = 0, n = 1 + pick(3); i < n; i++) {
		buf_str(b, i ? ", " : "");
		buf_str(b, deny ? "" : "{allow: ");
		put_rule(b, s);
		buf_str(b, deny ? "" : "}");
	}
	if (s->operations && s->protocol[0] == 'w')
		buf_str(b, deny ? ", {operation_type: mutation, fields: [never]}"
				: ", {allow: {operation_type: query, fields: [viewer]}}");
	buf_str(b, "]");
}

static void put_options(struct buf *b, const struct sort *s)
{
	if (s->protocol[0] == 'm') {
		buf_printf(b, ", mcp: {strict_tool_names: %s, allow_all_known_mcp_methods: %s}",
			   s->loose ? "false" : "true", pick(2) ? "true" : "false");
	} else if (s->protocol[0] == 'g' && pick(2)) {
		buf_str(b, ", persisted_queries: allow_registered, graphql_persisted_queries: {");
		for (unsigned i = 0; i < 2; i++)
			buf_printf(b, "%s%s: {operation_type: %s, operation_name: %s, fields: [%s]}", i ? ", " : "",
				   hashes[i], kinds[pick(3)], pick(2) ? "GetA" : "DelB",
				   pick(2) ? "viewer" : "deleteX");
		buf_str(b, "}");
	}
}

static void put_endpoint(struct buf *b, const struct sort *sorts, unsigned n)
{
	static const char *const presets[] = { "read-only", "read-write", "full" };
	const struct sort *s = &sorts[pick(n)];
	bool rpc = s->protocol[0] == 'j' || s->protocol[0] == 'm';

	buf_printf(b, "{host: %s, port: 80", pick(4) ? "a.x.test" : "'*.x.test'");
	if (!pick(6)) {
		buf_str(b, "}");	/* not looked into */
		return;
	}
	buf_printf(b, ", protocol: %s", s->protocol);
	if (*s->path)
		put_glob(b, ", path", s->path);
	buf_str(b, s->audit ? ", enforcement: audit" : "");
	buf_str(b, s->slash ? ", allow_encoded_slash: true" : "");
	if (pick(3) || rpc || (s->protocol[0] == 'w' && s->operations))
		put_rules(b, s, false);
	else
		buf_printf(b, ", access: %s", PICK(presets));
	if (!pick(2))
		put_rules(b, s, true);
	put_options(b, s);
	buf_str(b, "}");
}

static void put_policy(struct buf *b)
{
	static const char *const protocols[] = { "rest", "rest", "websocket", "graphql", "json-rpc", "mcp" };
	static const char *const paths[] = { "", "", "/a/**", "/repos/**", "/**/b", "/[ab]*", "/b/*" };
	struct sort sorts[3];
	unsigned n = 1 + pick(3);

	for (unsigned i = 0; i < n; i++)
		sorts[i] = (struct sort){ PICK(protocols), PICK(paths), !pick(4), !pick(3), !pick(3), pick(2) };
	buf_str(b, "version: 1\nnetwork_policies:\n");
	for (unsigned i = 0, m = 1 + pick(3); i < m; i++) {
		buf_printf(b, "  %c%u:\n    binaries: [%s]\n    endpoints:\n", "cab"[pick(3)], i,
			   pick(3) ? "/bin/a, /bin/b" : pick(2) ? "/bin/a" : "/bin/b");
		for (unsigned k = 0, e = 1 + pick(3); k < e; k++) {
			buf_str(b, "      - ");
			put_endpoint(b, sorts, n);
			buf_str(b, "\n");
		}
	}
}

static void world_done(struct world *w)
{
	policy_done(&w->p);
	buf_done(&w->text);
	buf_done(&w->bytes);
}

/* What the schema still refuses as "not enforced yet" is compiled all the same: that is what is tested. */
static bool world_compile(struct world *w, struct diags *d)
{
	struct tables t = { 0 };
	struct slice text = { w->text.p, w->text.n };
	struct err e = { 0 };
	bool ok;

	ok = policy_read(&w->p, text, d) == 0 && merge_policy(&w->p, &t, d) == 0 &&
	       emit_bundle(&w->p, &t, text, d, &w->bytes) == 0 &&
	       bundle_open_mem(&w->b, w->bytes.p, w->bytes.n, &e) == 0;
	if (*e.text)
		fprintf(stderr, "# %s\n", e.text);
	return ok;
}

/* False: contradicts itself, as random ones do. *ret_other: it was refused for anything else. */
static bool world_new(struct world *w, bool *ret_other)
{
	struct diags d = { 0 };
	bool ok;

	*w = (struct world){ 0 };
	*ret_other = false;
	put_policy(&w->text);
	ok = world_compile(w, &d);
	for (uint32_t i = 0; !ok && i < d.n; i++) {
		if (diag_severity(d.v[i].code) != DIAG_ERROR || d.v[i].code == DIAG_AMBIGUOUS ||
		    strstr(d.v[i].text, "requires strict tool names"))
			continue;
		fprintf(stderr, "# %s\n", d.v[i].text);
		*ret_other = true;
	}
	*ret_other |= !ok && !d.n;
	diags_done(&d);
	return ok;
}
