/* SPDX-License-Identifier: Apache-2.0 */
#include "eval.h"

#include <ctype.h>
#include <string.h>

#include "host.h"

/* The question as the kernel sees it: an address, or a lower-case name without trailing dot. */
struct target {
	bool is_net;
	struct net net;
	char name[OSH_NAME_MAX];
};

static bool target_of(const char *text, struct target *t)
{
	size_t n = strlen(text), label = 0;

	*t = (struct target){ 0 };
	t->is_net = net_parse(text, &t->net) && t->net.bits == 128;
	if (t->is_net)
		return true;
	if (n && text[n - 1] == '.')
		n--;
	if (!n || n > 253)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = (char)tolower((unsigned char)text[i]);

		label = c == '.' ? 0 : label + 1;
		if (label > 63 || (!label && (!i || text[i - 1] == '.')) ||
		    (label && !isalnum((unsigned char)c) && c != '-' && c != '_'))
			return false;
		t->name[i] = c;
	}
	return label > 0;
}

/* Is `name` SUFFIX with at least one label before it; with exactly one for HOST_ONE? */
static bool below(const char *name, const char *suffix, bool one)
{
	size_t n = strlen(name), s = strlen(suffix);

	if (n <= s || strcmp(name + n - s, suffix))
		return false;
	return !one || !memchr(name, '.', n - s);
}

static bool inside(const struct net *addr, const struct net *net)
{
	for (uint32_t i = 0; i < net->bits; i++)
		if ((addr->addr[i / 8] ^ net->addr[i / 8]) & (0x80 >> (i % 8)))
			return false;
	return true;
}

static bool host_covers(const struct host *h, const struct target *t)
{
	switch (h->kind) {
	case HOST_NAME:
		return !t->is_net && !strcmp(h->text, t->name);
	case HOST_ONE:
		return !t->is_net && below(t->name, h->text, true);
	case HOST_DEEP:
		return !t->is_net && below(t->name, h->text, false);
	case HOST_NET:
		return t->is_net && inside(&t->net, &h->net);
	}
	return false;
}

static bool has_port(const struct endpoint *e, uint32_t port)
{
	for (uint32_t i = 0; i < e->n_ports; i++)
		if (e->ports[i] == port)
			return true;
	return false;
}

static bool lists(const struct rule *rule, const char *binary)
{
	for EACH (struct program, prog, &rule->programs)
		if (prog->glob ? glob_match(prog->path, binary) : !strcmp(prog->path, binary))
			return true;
	return false;
}

/* Does this rule let the caller through, and if not, what is in the way? */
static enum osh_reason who(const struct rule *rule, const struct eval_connect *c)
{
	if (rule->any_program)
		return OSH_WHY_ALLOWED;
	if (!c->binary)
		return OSH_WHY_NO_IDENTITY;
	if (!lists(rule, c->binary))
		return OSH_WHY_BINARY;
	return c->tainted && !rule->taint_ok ? OSH_WHY_TAINTED : OSH_WHY_ALLOWED;
}

/* How near a reason is to being allowed: the denial names the last thing that was in the way. */
static int nearness(enum osh_reason why)
{
	static const enum osh_reason order[] = {
		OSH_WHY_DEST_UNKNOWN, OSH_WHY_PORT, OSH_WHY_BINARY, OSH_WHY_NO_IDENTITY,
		OSH_WHY_TAINTED, OSH_WHY_ALLOWED,
	};

	for (int i = 0; i < (int)(sizeof(order) / sizeof(*order)); i++)
		if (order[i] == why)
			return i;
	return -1;
}

struct decision eval_dns(const struct policy *p, const char *name)
{
	struct decision no = { OSH_DENY, OSH_WHY_NAME_UNKNOWN, NULL, 0 };
	struct target t;

	if (!target_of(name, &t) || t.is_net) {
		no.why = OSH_WHY_NAME_BAD;
		return no;
	}
	for EACH (struct rule, rule, &p->rules)
		for EACH (struct endpoint, e, &rule->endpoints)
			if (host_covers(&e->host, &t))
				return (struct decision){ OSH_ALLOW, OSH_WHY_ALLOWED, rule->name,
							  e->at.line };
	return no;
}

/* Rules are sorted by name, so the first that says the nearest thing is the one reported. */
struct decision eval_connect(const struct policy *p, const struct eval_connect *c)
{
	struct decision best = { OSH_DENY, OSH_WHY_DEST_UNKNOWN, NULL, 0 };
	struct target t;

	if (!target_of(c->host, &t)) {
		best.why = OSH_WHY_NAME_BAD;
		return best;
	}
	for EACH (struct rule, rule, &p->rules) {
		for EACH (struct endpoint, e, &rule->endpoints) {
			enum osh_reason why = OSH_WHY_PORT;

			if (!host_covers(&e->host, &t))
				continue;
			if (has_port(e, c->port))
				why = who(rule, c);
			if (nearness(why) > nearness(best.why))
				best = (struct decision){ why == OSH_WHY_ALLOWED ? OSH_ALLOW : OSH_DENY,
							  why, rule->name, e->at.line };
		}
	}
	return best;
}

static bool path_below(const char *path, const char *root)
{
	size_t n = strlen(root);

	if (n == 1 && *root == '/')
		return true;
	return !strncmp(path, root, n) && (path[n] == '/' || !path[n]);
}

/* The most specific listed path decides; at equal length writable wins, as the reader merged it. */
enum eval_access eval_file(const struct policy *p, const char *path, const char *workdir,
			   struct decision *ret)
{
	enum eval_access access = EVAL_NONE;
	size_t longest = 0;

	*ret = (struct decision){ OSH_DENY, OSH_WHY_FILE_DENIED, NULL, 0 };
	for EACH (struct fs_entry, f, &p->fs) {
		if (!path_below(path, f->path) || strlen(f->path) < longest)
			continue;
		longest = strlen(f->path);
		access = f->mode == OSH_FS_RW	? EVAL_WRITE
			 : f->mode == OSH_FS_RO ? EVAL_READ
						: EVAL_NONE;
		ret->line = f->at.line;
	}
	if (p->include_workdir && workdir && path_below(path, workdir) &&
	    strlen(workdir) >= longest) {
		access = EVAL_WRITE;
		ret->line = p->fs_at.line;
	}
	if (access != EVAL_NONE) {
		ret->verdict = OSH_ALLOW;
		ret->why = OSH_WHY_ALLOWED;
		ret->rule = "filesystem_policy";
	}
	return access;
}
