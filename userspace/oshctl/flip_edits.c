/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The candidates, smallest first: one list element, then one entry, then one rule. Each changes the
 * copy in w->now and writes the same change down as YAML. Whatever needs new text is read by the
 * policy's own reader first, so that no candidate is something that `check` would refuse.
 */
#include "flip_parts.h"

#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "policy.h"

static bool is_net_ask(const struct work *w)
{
	return w->q->kind <= ASK_REQUEST;
}

static bool path_covers(const char *root, const char *path)
{
	size_t n = strlen(root);

	return !strcmp(root, "/") || (!strncmp(path, root, n) && (path[n] == '/' || !path[n]));
}

bool flip_short(const struct rule *rule)
{
	return !strncmp(rule->name, "network[", 8);
}

/* "network_policies:\n  NAME:\n" and the indent below it; short form rules are list entries. */
const char *flip_below(struct work *w, const struct rule *rule, const char *what)
{
	const char *name = flip_quote(w->a, rule->name);

	if (flip_short(rule)) {
		struct endpoint *e = flip_endpoint(w, (struct rule *)rule);
		const char *host = e ? flip_host(w->a, &e->host) : NULL;

		return host ? arena_printf(w->a, "network:\n  - host: %s\n    %s\n", host, what) : NULL;
	}
	if (name && rule->name[strspn(rule->name, "abcdefghijklmnopqrstuvwxyz"
						  "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-0123456789")] == 0 &&
	    rule->name[strspn(rule->name, "0123456789")])
		name = rule->name;
	return name ? arena_printf(w->a, "network_policies:\n  %s:\n    %s\n", name, what) : NULL;
}

static const char *port_list(struct arena *a, const struct endpoint *e, uint32_t without)
{
	const char *text = "";

	for (uint32_t i = 0; text && i < e->n_ports; i++)
		if (e->ports[i] != without)
			text = arena_printf(a, "%s%s%u", text, *text ? ", " : "", e->ports[i]);
	return text;
}

static bool add_taint(struct work *w)
{
	struct rule *rule = flip_rule(w);

	if (w->d.why != OSH_WHY_TAINTED || !rule)
		return false;
	rule->taint_ok = true;
	w->c = (struct change){ "add", rule->at.line, flip_below(w, rule, "taint: ignore") };
	return true;
}

/* One more program, with the spellings and helpers that belong to it. */
static bool add_program(struct work *w)
{
	const char *bin = w->q->connect.binary;
	const char *path = bin ? flip_quote(w->a, bin) : NULL;
	struct rule *rule = flip_rule(w);
	const struct policy *with;
	bool ok = false;

	if (!is_net_ask(w) || w->d.why != OSH_WHY_BINARY || !rule || !path)
		return false;
	with = flip_read(w, arena_printf(w->a, "network_policies: {x: {endpoints: [{host: x.example.com, "
					 "port: 443}], binaries: [{path: %s}]}}\n", path));
	if (!with)
		return false;
	for EACH (struct rule, r, &with->rules)
		for EACH (struct program, from, &r->programs) {
			struct program *to = list_push(w->a, &rule->programs, sizeof(*to));

			ok = to;
			if (to)
				*to = *from;
		}
	w->c = (struct change){ "add", rule->at.line,
				flip_below(w, rule, arena_printf(w->a, flip_short(rule) ?
					"binaries: [%s]" : "binaries:\n      - {path: %s}", path)) };
	return ok;
}

static bool add_port(struct work *w)
{
	struct rule *rule = flip_rule(w);
	struct endpoint *e = flip_endpoint(w, rule);
	uint32_t *ports, port = w->q->connect.port;
	const char *host, *list;

	if (!is_net_ask(w) || w->d.why != OSH_WHY_PORT || !e)
		return false;
	ports = arena_zalloc(w->a, (e->n_ports + 1) * sizeof(*ports));
	list = port_list(w->a, e, 0);
	host = flip_host(w->a, &e->host);
	if (!ports || !list || !host || port_forbidden(port))
		return false;
	memcpy(ports, e->ports, e->n_ports * sizeof(*ports));
	ports[e->n_ports] = port;	/* eval looks at every one; order is for tables */
	e->ports = ports;
	e->n_ports++;
	list = arena_printf(w->a, "ports: [%s%s%u]", list, *list ? ", " : "", port);
	if (list && !flip_short(rule))
		list = arena_printf(w->a, "endpoints:\n      - {host: %s, %s}", host, list);
	w->c = (struct change){ "set", e->at.line, list ? flip_below(w, rule, list) : NULL };
	return true;
}

/* One entry of the short form, for this program alone. */
static bool add_rule(struct work *w)
{
	const struct eval_connect *c = &w->q->connect;
	const char *host, *bin = "", *ports = "", *allowed = "", *yaml;
	const struct policy *with;
	struct rule *rule;
	struct net addr;

	if (!is_net_ask(w))
		return false;
	host = flip_quote(w->a, c->host);
	if (w->q->kind != ASK_DNS && c->port != 443)
		ports = arena_printf(w->a, ", ports: [%u]", c->port);
	if (c->binary && w->q->kind != ASK_DNS)
		bin = arena_printf(w->a, ", binaries: [%s]", flip_quote(w->a, c->binary));
	if (net_parse(c->host, &addr) && net_class(&addr) == ADDR_PRIVATE)
		allowed = arena_printf(w->a, ", allowed_ips: [%s]", host);
	if (!host || !ports || !bin || !allowed)
		return false;
	yaml = arena_printf(w->a, "network:\n  - {host: %s%s%s%s}\n", host, ports, allowed, bin);
	with = flip_read(w, yaml);
	rule = with && with->rules.n ? list_push(w->a, &w->now.rules, sizeof(*rule)) : NULL;
	if (!rule)
		return false;
	*rule = *(struct rule *)with->rules.v;
	w->c = (struct change){ "add", 0, yaml };
	return true;
}

/* The entry that decided about a path, by its line; a path listed both ways has two. */
static struct fs_entry *deciding_entry(struct work *w, bool deny)
{
	struct fs_entry *f = w->now.fs.v;

	for (uint32_t i = 0; i < w->now.fs.n; i++)
		if (f[i].at.line == w->d.line && (f[i].mode == OSH_FS_DENY) == deny &&
		    (deny || path_covers(f[i].path, w->q->path)))
			return f + i;
	return NULL;
}

static const char *fs_yaml(struct work *w, const char *key, const char *path)
{
	const char *text = flip_quote(w->a, path);

	return text ? arena_printf(w->a, "filesystem_policy:\n  %s: [%s]\n", key, text) : NULL;
}

static const char *mode_key(const struct fs_entry *f)
{
	return f->mode == OSH_FS_DENY ? "deny" : f->mode == OSH_FS_RW ? "read_write" : "read_only";
}

static bool drop_entry(struct work *w, bool deny)
{
	struct fs_entry *f = w->q->path ? deciding_entry(w, deny) : NULL;

	if (!f)
		return false;
	w->c = (struct change){ "remove", f->at.line, fs_yaml(w, mode_key(f), f->path) };
	flip_drop(&w->now.fs, sizeof(*f), f);
	return true;
}

static bool drop_hole(struct work *w)
{
	return w->d.verdict == OSH_DENY && drop_entry(w, true);
}

static bool drop_tree(struct work *w)
{
	return drop_entry(w, false);
}

/* Lists this one path, with what the reader makes of it. */
static bool add_entry(struct work *w, const char *key)
{
	const char *yaml = w->q->path ? fs_yaml(w, key, w->q->path) : NULL;
	const struct policy *with = flip_read(w, yaml);
	struct fs_entry *f;

	if (!with || !with->fs.n)
		return false;
	f = list_push(w->a, &w->now.fs, sizeof(*f));
	if (!f)
		return false;
	*f = *(struct fs_entry *)with->fs.v;
	w->c = (struct change){ "add", 0, yaml };
	return true;
}

static bool add_path(struct work *w)
{
	return add_entry(w, w->q->write ? "read_write" : "read_only");
}

/* A read-only path below a writable tree; refuses writing alone. */
static bool add_read_only(struct work *w)
{
	return w->q->write && add_entry(w, "read_only");
}

/* Takes writing away; reading stays. */
static bool add_hole(struct work *w)
{
	return w->q->write && add_entry(w, "deny");
}

static bool drop_workdir(struct work *w)
{
	if (!w->q->path || !w->now.include_workdir || w->d.line != w->now.fs_at.line)
		return false;
	w->now.include_workdir = false;
	w->c = (struct change){ "remove", w->d.line,
				"filesystem_policy:\n  include_workdir: true\n" };
	return true;
}

static bool add_exec(struct work *w)
{
	const char *path = w->q->kind == ASK_EXEC ? flip_quote(w->a, w->q->path) : NULL;
	struct program *to;

	if (!path || w->now.exec.mode == OSH_EXEC_OPEN || strpbrk(w->q->path, "*?{}[]\\"))
		return false;
	to = list_push(w->a, &w->now.exec.allow, sizeof(*to));
	if (!to)
		return false;
	*to = (struct program){ .path = w->q->path };
	w->c = (struct change){ "add", w->now.exec.at.line, arena_printf(w->a,
				"process:\n  exec:\n    allow: [%s]\n", path) };
	return true;
}

static bool drop_exec(struct work *w)
{
	struct program *prog = w->now.exec.allow.v;
	const char *path;

	if (w->q->kind != ASK_EXEC || w->now.exec.mode == OSH_EXEC_OPEN)
		return false;
	for (uint32_t i = 0; i < w->now.exec.allow.n; i++) {
		if (prog[i].glob ? !glob_match(prog[i].path, w->q->path)
				 : strcmp(prog[i].path, w->q->path))
			continue;
		path = flip_quote(w->a, prog[i].path);
		w->c = (struct change){ "remove", w->now.exec.at.line, !path ? NULL : arena_printf(w->a,
					"process:\n  exec:\n    allow: [%s]\n", path) };
		flip_drop(&w->now.exec.allow, sizeof(*prog), prog + i);
		return true;
	}
	return false;
}

/* One port of several. A question about a name alone is not about ports. */
static bool drop_port(struct work *w)
{
	struct rule *rule = flip_rule(w);
	struct endpoint *e = flip_endpoint(w, rule);
	const char *host = e ? flip_host(w->a, &e->host) : NULL, *what;
	uint32_t *ports, n = 0;

	if (!is_net_ask(w) || w->q->kind == ASK_DNS || !host || e->n_ports < 2)
		return false;
	ports = arena_zalloc(w->a, e->n_ports * sizeof(*ports));
	for (uint32_t i = 0; ports && i < e->n_ports; i++)
		if (e->ports[i] != w->q->connect.port)
			ports[n++] = e->ports[i];
	if (!n || n == e->n_ports)
		return false;
	what = arena_printf(w->a, "ports: [%u]", w->q->connect.port);
	if (what && !flip_short(rule))
		what = arena_printf(w->a, "endpoints:\n      - {host: %s, %s}", host, what);
	e->ports = ports;
	e->n_ports = n;
	w->c = (struct change){ "remove", e->at.line, what ? flip_below(w, rule, what) : NULL };
	return true;
}

static bool drop_endpoint(struct work *w)
{
	struct rule *rule = flip_rule(w);
	struct endpoint *e = flip_endpoint(w, rule);
	const char *host = e ? flip_host(w->a, &e->host) : NULL;
	const char *list = e ? port_list(w->a, e, 0) : NULL, *what;

	if (!is_net_ask(w) || !host || !list || rule->endpoints.n < 2)
		return false;
	what = arena_printf(w->a, "endpoints:\n      - {host: %s, ports: [%s]}", host, list);
	w->c = (struct change){ "remove", e->at.line, what ? flip_below(w, rule, what) : NULL };
	flip_drop(&rule->endpoints, sizeof(*e), e);
	return true;
}

static bool drop_rule(struct work *w)
{
	struct rule *rule = flip_rule(w);
	const struct endpoint *e = flip_endpoint(w, rule);
	const char *list = e ? port_list(w->a, e, 0) : NULL, *what;

	if (!is_net_ask(w) || !list)
		return false;
	what = flip_short(rule) ? arena_printf(w->a, "ports: [%s]", list) : "# the whole rule";
	w->c = (struct change){ "remove", rule->at.line, what ? flip_below(w, rule, what) : NULL };
	flip_drop(&w->now.rules, sizeof(*rule), rule);
	return true;
}

edit_fn *const flip_allow[] = {
	add_taint, flip_drop_denial, flip_add_allow, flip_add_request, flip_more_access, flip_add_address,
	add_program, add_port, drop_hole, add_exec, add_rule, add_path, flip_add_served, NULL,
};

edit_fn *const flip_obstacle[] = { add_taint, flip_drop_denial, add_program, drop_hole, NULL };

edit_fn *const flip_deny[] = {
	flip_add_denial, flip_less_access, flip_drop_address, drop_port, drop_endpoint, drop_rule, add_read_only, add_hole, drop_exec, drop_tree,
	drop_workdir, flip_drop_served, NULL,
};
