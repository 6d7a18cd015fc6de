/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is never proposed, whoever was denied it and how often. A log is what an agent made happen,
 * so each name in it is taken for one that was chosen to be believed.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "learn.h"
#include "own.h"

#define LABEL_LONG  40 /* no host that people name has such a label */
#define LABEL_MIXED 16 /* from here on one of letters and digits in turn is no word */
#define TURNS       5  /* from a letter to a digit or back */
#define NAME_LONG   100
#define NAMES_EACH  16 /* distinct names below one domain, in one log */

static bool plain(const char *text)
{
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e)
			return false;
	return true;
}

/* As eval takes it: absolute, resolved. */
static bool path_ok(const char *path)
{
	size_t n = strlen(path);

	return *path == '/' && n < OSH_FS_PATH_LEN && !strstr(path, "//") &&
	       !strstr(path, "/../") && !strstr(path, "/./") &&
	       !(n >= 3 && !strcmp(path + n - 3, "/..")) &&
	       !(n >= 2 && !strcmp(path + n - 2, "/."));
}

static bool host_ok(const char *host)
{
	struct net addr;

	if (net_parse(host, &addr))
		return addr.bits == 128;
	return *host && strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-_") == strlen(host);
}

static bool ends_in(const char *name, const char *tail)
{
	size_t n = strlen(name), t = strlen(tail);

	return n >= t && !strcmp(name + n - t, tail) && (n == t || name[n - t - 1] == '.');
}

/* Names that mean something on the inside of a network, metadata services among them. */
static bool local_name(const char *name)
{
	static const char *const zones[] = { "internal", "local", "localhost", "localdomain",
					     "lan",      "home",  "corp",      "intranet",
					     "private",  "arpa",  "onion",     "cluster.local",
					     "svc" };

	if (!strchr(name, '.') || strspn(name, "0123456789.") == strlen(name))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(zones); i++)
		if (ends_in(name, zones[i]))
			return true;
	return strstr(name, "metadata.") == name || strstr(name, "instance-data.") == name;
}

/* Letters and digits in turn, nothing but hex digits, or longer than a name that people make. */
static bool label_is_data(const char *p, size_t n)
{
	size_t turns = 0, hex = 0, digits = 0;

	for (size_t i = 0; i < n; i++) {
		digits += isdigit((unsigned char)p[i]) != 0;
		hex += isxdigit((unsigned char)p[i]) != 0;
		turns += i && isalnum((unsigned char)p[i]) && isalnum((unsigned char)p[i - 1]) &&
			 !isdigit((unsigned char)p[i]) != !isdigit((unsigned char)p[i - 1]);
	}
	return n >= LABEL_LONG ||
	       (n >= LABEL_MIXED && (hex == n || turns >= TURNS || digits * 2 > n));
}

/* An alphabet without digits has no turns: then vowels are too few for words. */
static bool label_is_noise(const char *p, size_t n)
{
	size_t letters = 0, vowels = 0;

	for (size_t i = 0; i < n; i++) {
		letters += isalpha((unsigned char)p[i]) != 0;
		vowels += isalpha((unsigned char)p[i]) && strchr("aeiouy", p[i]);
	}
	return letters >= LABEL_MIXED && vowels * 5 < letters;
}

static bool name_is_data(const char *name)
{
	if (strlen(name) > NAME_LONG)
		return true;
	for (const char *p = name; *p;) {
		size_t n = strcspn(p, ".");

		if (label_is_data(p, n) || label_is_noise(p, n))
			return true;
		p += n + (p[n] == '.');
	}
	return false;
}

/* The last two labels: whoever can serve one name of it can serve them all. */
static const char *domain_of(const char *name)
{
	const char *dot = strrchr(name, '.');

	while (dot && dot > name && dot[-1] != '.')
		dot--;
	return dot ? dot : name;
}

static bool is_net(const struct learn_item *it)
{
	return it->kind <= LEARN_REQUEST;
}

static int by_domain(const void *pa, const void *pb)
{
	const struct learn_item *a = *(struct learn_item *const *)pa,
				*b = *(struct learn_item *const *)pb;
	int order = strcmp(domain_of(a->host), domain_of(b->host));

	return order ? order : strcmp(a->host, b->host);
}

void learn_count_names(struct learn *l)
{
	uint32_t next;

	qsort(l->items, l->n, sizeof(*l->items), by_domain);
	for (uint32_t i = 0; i < l->n; i = next) {
		const char *domain = domain_of(l->items[i]->host), *last = "";
		uint32_t names = 0;

		for (next = i; next < l->n && !strcmp(domain_of(l->items[next]->host), domain);
		     next++) {
			names += strcmp(l->items[next]->host, last) != 0;
			last = l->items[next]->host;
		}
		for (uint32_t k = i; k < next; k++)
			l->items[k]->names = names;
	}
}

static enum learn_why guard_host(const struct learn_item *it)
{
	struct net addr;

	if (net_parse(it->host, &addr))
		return net_class(&addr) == ADDR_PUBLIC    ? LEARN_PROPOSED
		       : net_class(&addr) == ADDR_PRIVATE ? LEARN_ADDRESS_PRIVATE
							  : LEARN_ADDRESS_SPECIAL;
	if (local_name(it->host))
		return LEARN_NAME_LOCAL;
	if (name_is_data(it->host))
		return LEARN_NAME_DATA;
	return it->names > NAMES_EACH ? LEARN_NAMES_MANY : LEARN_PROPOSED;
}

static bool below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(path, dir, n) && (path[n] == '/' || !path[n]);
}

static enum learn_why guard_program(const struct learn *l, const char *program)
{
	/* Trees of every sandbox in which it can put files, whatever the policy lists. */
	static const char *const own[] = {
		"/tmp", "/dev", "/proc", "/run", "/var/tmp", "/sandbox"
	};

	if (*program != '/')
		return LEARN_NO_PROGRAM;
	if (pattern_special(program))
		return LEARN_PATTERN;
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (below(program, own[i]))
			return LEARN_PROGRAM_WRITABLE;
	if (eval_file(l->p, program, l->workdir, program, true).verdict == OSH_ALLOW)
		return LEARN_PROGRAM_WRITABLE;
	if ((l->p->fs.n || l->p->include_workdir) &&
	    eval_file(l->p, program, NULL, program, false).verdict != OSH_ALLOW)
		return LEARN_PROGRAM_UNLISTED;
	return LEARN_PROPOSED;
}

/* What lies below the working directory may do so anywhere: which one it was, no log says. */
static bool matches(const char *glob, const char *path)
{
	struct pattern p;
	struct arena a = { 0 };
	bool met;

	if (*glob != '/' && *glob != '*')
		glob = arena_printf(&a, "**/%s", glob);
	met = !glob || (pattern_parse(&a, glob, &p) == PATTERN_OK && pattern_match(&p, path, '/'));
	arena_done(&a);
	return met;
}

/* The prover's own lists (find_persistence.c, find_exfiltration.c): where it would warn, nothing is
 * proposed. */
static enum learn_why guard_path(const struct learn_item *it)
{
	static const char *const lures[] = {
#define LURE(who, glob) glob,
#include "../prove/lures.def"
#undef LURE
		"/{etc,boot,root,dev,proc,sys,run,var}/**",
		"**/{.git,.ssh,.config,.local/bin}/**",
		"**/.{bash,zsh,profile}*",
	};
	static const char *const secrets[] = {
#define SECRET(what, glob) glob,
#include "../prove/secrets.def"
#undef SECRET
		"**/.ssh/**", "**/.gnupg/**", "/proc/**", "/sys/**", "/dev/**",
	};

	if (pattern_special(it->path))
		return LEARN_PATTERN;
	for (size_t i = 0; i < ARRAY_SIZE(lures) && it->kind == LEARN_WRITE; i++)
		if (matches(lures[i], it->path))
			return LEARN_RUN_OUTSIDE;
	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
		if (matches(secrets[i], it->path))
			return LEARN_SECRET;
	return LEARN_PROPOSED;
}

/* What a rule would have to hold is there, and says one thing alone. */
enum learn_why learn_guard_text(const struct learn *l, const struct learn_item *it)
{
	static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-";
	static struct ask q;

	if (!plain(it->host) || !plain(it->binary) || !plain(it->method) || !plain(it->path))
		return LEARN_UNREADABLE;
	if (it->kind >= LEARN_READ)
		return it->kind == LEARN_OTHER || path_ok(it->path) ? LEARN_PROPOSED
								    : LEARN_UNREADABLE;
	if (!host_ok(it->host) || !it->port || (*it->binary && !path_ok(it->binary)))
		return LEARN_UNREADABLE;
	if (it->kind == LEARN_REQUEST &&
	    (!isupper((unsigned char)*it->method) || it->method[strspn(it->method, capitals)] ||
	     !learn_question(l, it, &q)))
		return LEARN_UNREADABLE;
	return LEARN_PROPOSED;
}

static bool covers(const struct endpoint *e, const struct learn_item *it)
{
	struct rule any = { .name = "", .any_program = true, .endpoints = { (void *)e, 1 } };
	const struct policy one = { .rules = { &any, 1 } };
	const struct eval_connect c = { .host = it->host, .port = it->port };

	return eval_connect(&one, &c).verdict == OSH_ALLOW;
}

/* On whatever port: it is the same machine that answers there. */
static bool covers_host(const struct endpoint *e, const struct learn_item *it)
{
	struct learn_item there = *it;

	if (e->n_ports && e->host.kind != HOST_ANY)
		there.port = e->ports[0];
	return covers(e, &there);
}

bool learn_inspected(const struct policy *p, const struct learn_item *it)
{
	for EACH (struct rule, rule, &p->rules)
		for EACH (struct endpoint, e, &rule->endpoints)
			if (endpoint_inspected(e) && covers_host(e, it))
				return true;
	return false;
}

/* A rule for this request but for its query, which no log has. */
static bool query_decides(const struct ask *q, const struct rule *rule, const struct endpoint *e)
{
	for EACH (struct l7_rule, allow, &e->l7.rules) {
		struct l7_rule bare = *allow;
		struct endpoint one = *e;
		struct rule alone = *rule;
		const struct policy p = { .rules = { &alone, 1 } };

		bare.query = (struct list){ 0 };
		one.l7.rules = (struct list){ &bare, 1 };
		one.l7.deny = (struct list){ 0 };
		alone.endpoints = (struct list){ &one, 1 };
		if (allow->query.n && ask_eval(&p, q).verdict == OSH_ALLOW)
			return true;
	}
	return false;
}

/* What the policy says of the same host and port already. */
static enum learn_why guard_beside(const struct learn *l, const struct learn_item *it,
				   const struct ask *q)
{
	for EACH (struct rule, rule, &l->p->rules)
		for EACH (struct endpoint, e, &rule->endpoints) {
			if (e->n_allowed && covers_host(e, it))
				return LEARN_ADDRESS_PRIVATE;
			if (!covers(e, it))
				continue;
			if (e->protocol > PROTO_WEBSOCKET)
				return LEARN_BODY;
			if (e->tls_skip || e->l7.inference)
				return LEARN_CONTRADICTS;
			if (it->kind == LEARN_REQUEST && endpoint_inspected(e) &&
			    query_decides(q, rule, e))
				return LEARN_QUERY;
		}
	return it->kind != LEARN_REQUEST && learn_inspected(l->p, it) ? LEARN_INSPECTED
								      : LEARN_PROPOSED;
}

static enum learn_why guard_net(const struct learn *l, const struct learn_item *it)
{
	static struct ask q;
	enum learn_why why = guard_host(it);

	if (!why && port_forbidden(it->port))
		why = LEARN_PORT;
	if (!why)
		why = guard_program(l, it->binary);
	if (!why && it->kind == LEARN_REQUEST && pattern_special(it->path))
		why = LEARN_PATTERN;
	if (!why && learn_question(l, it, &q))
		why = guard_beside(l, it, &q);
	return why;
}

enum learn_why learn_guard(const struct learn *l, const struct learn_item *it, uint32_t *ret_line)
{
	enum learn_why why = is_net(it)               ? guard_net(l, it)
			     : it->kind == LEARN_EXEC ? guard_program(l, it->path)
						      : guard_path(it);

	*ret_line = why ? 0 : learn_forbidden(l, it);
	return *ret_line ? LEARN_ASSERT : why;
}
