/* SPDX-License-Identifier: Apache-2.0 */
/* The static sections: filesystem_policy, landlock, process, dns. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "home.h"
#include "osh/limits.h"
#include "own.h"
#include "path.h"
#include "program.h"

static void bad_path(struct reader *r, const struct node *n, enum path_error why, const char *text)
{
	static const char *const says[] = {
		[PATH_RELATIVE] = "path must be absolute (start with '/')",
		[PATH_DOTDOT] = "path contains '..' traversal component",
		[PATH_LONG] = "path is longer than 4095 bytes",
		[PATH_CONTROL] = "path contains a control byte",
	};

	diag_add(r->d, DIAG_PATH, n->at, *text == '~' ? "only '~' and '~/...' stand for a home, the caller's" : NULL,
		 "%s: %.120s", says[why], text);
}

/* An entry of filesystem_policy: a path, or a mapping. */
struct fs_in {
	const struct node *path;
	const struct node *binaries;
};

/* Segments are what the kernel matches: '*' and '?' in them, and '**' for any number of them. */
static void check_deny(struct reader *r, const struct fs_entry *f)
{
	const char *const *alt = f->glob.alts.v;

	for (uint32_t i = 0; i < f->glob.alts.n; i++, alt++) {
		if (strpbrk(*alt, "[]\\")) {
			unkept(r, f->at, "[] and \\ in deny");
			return;
		}
		for (const char *p = *alt; (p = strstr(p, "**")); p += strspn(p, "*"))
			if ((p > *alt && p[-1] != '/') || (p[2] && p[2] != '/')) {
				unkept(r, f->at, "'**' beside other bytes of a name in deny");
				return;
			}
	}
}

static void push_fs(struct reader *r, const struct fs_in *in, enum osh_b_fs_mode mode)
{
	struct fs_entry *f, one = { .mode = mode, .at = in->path->at };
	const struct node *n = in->path;
	enum path_error why;
	const char *text;

	if (!read_text(r, n, &text))
		return;
	text = home_expand(r, n, text, DIAG_PATH);
	if (!text)
		return;
	why = path_clean(r->a, text, OSH_FS_PATH_LEN, mode == OSH_FS_DENY, &one.path);
	if (why != PATH_OK) {
		bad_path(r, n, why, text);
		return;
	}
	if (mode == OSH_FS_RW && !strcmp(one.path, "/")) {
		diag_add(r->d, DIAG_PATH, n->at, "list the directories that are meant",
			 "read-write path is overly broad: /");
		return;
	}
	if (mode == OSH_FS_DENY && pattern_parse(r->a, one.path, &one.glob) != PATTERN_OK) {
		diag_add(r->d, DIAG_PATTERN, n->at, NULL, "malformed pattern: %.120s", text);
		return;
	}
	if (mode == OSH_FS_DENY)
		check_deny(r, &one);
	/* It would be for whoever is not known as one of them. */
	if (mode == OSH_FS_DENY && in->binaries)
		unkept(r, in->binaries->key->at, "binaries in deny");
	for (const struct node *v = in->binaries ? in->binaries->first : NULL; v; v = v->next)
		program_add(r, &(struct program_in){ .path = v }, &one.programs);
	programs_sort(&one.programs);
	f = list_push(r->a, &r->p->fs, sizeof(*f));
	if (f)
		*f = one;
}

static void read_entry_path(struct reader *r, const struct node *n, void *obj)
{
	(void)r;
	((struct fs_in *)obj)->path = n;
}

static void read_entry_binaries(struct reader *r, const struct node *n, void *obj)
{
	if (!want_kind(r, n, NODE_LIST))
		return;
	((struct fs_in *)obj)->binaries = n;
	if (!n->n)
		diag_add(r->d, DIAG_VALUE, n->at, "remove the entry",
			 "an empty list of programs is for nobody");
}

/* osh's own form of an entry: a path for some programs only. */
static const struct field fs_object_fields[] = {
	{ "path", read_entry_path, FIELD_KEPT, FIELD_REQUIRED, "path", "what the entry is about" },
	{ "binaries", read_entry_binaries, FIELD_KEPT, 0, "[path | glob]", "programs that it is for" },
	{ 0 },
};

static void read_paths(struct reader *r, const struct node *n, enum osh_b_fs_mode mode)
{
	if (!want_kind(r, n, NODE_LIST))
		return;
	for (const struct node *v = n->first; v; v = v->next) {
		struct fs_in in = { .path = v };

		if (v->kind != NODE_SCALAR) {
			in.path = NULL;
			if (!read_map(r, v, fs_object_fields, "path entry", &in) || !in.path)
				continue;
		}
		push_fs(r, &in, mode);
	}
}

static void read_ro(struct reader *r, const struct node *n, void *obj)
{
	(void)obj;
	read_paths(r, n, OSH_FS_RO);
}

static void read_rw(struct reader *r, const struct node *n, void *obj)
{
	(void)obj;
	read_paths(r, n, OSH_FS_RW);
}

static void read_deny(struct reader *r, const struct node *n, void *obj)
{
	(void)obj;
	read_paths(r, n, OSH_FS_DENY);
}

static void read_workdir(struct reader *r, const struct node *n, void *obj)
{
	struct policy *p = obj;

	(void)read_bool(r, n, &p->include_workdir);
}

/* clang-format off */
const struct field filesystem_fields[] = {
	{ "include_workdir", read_workdir, FIELD_KEPT,   0,         "bool",   "the working directory is readable and writable" },
	{ "read_only",       read_ro,      FIELD_KEPT,   0,         "[path | {path, binaries}]", "may be read and executed", fs_object_fields },
	{ "read_write",      read_rw,      FIELD_KEPT,   0,         "[path | {path, binaries}]", "may be read, executed and written", fs_object_fields },
	{ "deny",            read_deny,    FIELD_KEPT,   FIELD_OWN, "[glob]", "not written, made, renamed or removed, but read; relative = below the working directory" },
	{ 0 }
};
/* clang-format on */

static int by_path(const void *pa, const void *pb)
{
	const struct fs_entry *a = pa, *b = pb;
	int order = strcmp(a->path, b->path);

	return order ? order : (int)b->mode - (int)a->mode;
}

/* One entry a path. Listed both ways it is writable, as the union of two rules is. */
static void merge_paths(struct reader *r)
{
	struct fs_entry *f = r->p->fs.v;
	uint32_t n = 0;

	if (r->p->fs.n)
		qsort(f, r->p->fs.n, sizeof(*f), by_path);
	for (uint32_t i = 0; i < r->p->fs.n; i++) {
		if (n && !strcmp(f[n - 1].path, f[i].path) && f[i].mode != OSH_FS_DENY &&
		    f[n - 1].mode != OSH_FS_DENY && !f[i].programs.n && !f[n - 1].programs.n) {
			if (f[n - 1].mode != f[i].mode)
				diag_add(r->d, DIAG_OVERLAP, f[i].at, NULL,
					 "'%.120s' is also in read_write (line %u), so it is writable",
					 f[i].path, f[n - 1].at.line);
			continue;
		}
		f[n++] = f[i];
	}
	r->p->fs.n = n;
}

static bool lies_in(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return n == 1 || (!strncmp(path, dir, n) && (path[n] == '/' || !path[n]));
}

/* What others have of it by another entry. */
static void check_shared(struct reader *r, const struct fs_entry *f)
{
	for EACH (struct fs_entry, up, &r->p->fs)
		if (f->programs.n && !up->programs.n && (up->mode == f->mode || up->mode == OSH_FS_RW) &&
		    lies_in(f->path, up->path)) {
			diag_add(r->d, DIAG_OVERLAP, f->at, "list what is around it instead of what it lies in",
				 "'%.120s' is for some programs, and by '%.120s' (line %u) it is for all", f->path,
				 up->path, up->at.line);
			return;
		}
}

/*
 * What is for some programs only is known by its directory's inode. So nobody inside may move that, or what it lies
 * in: it lies below nothing that can be written, and where it can be written itself nothing else lies below it.
 */
static void check_reserved(struct reader *r, const struct fs_entry *f)
{
	for EACH (struct fs_entry, up, &r->p->fs)
		if (up->mode == OSH_FS_RW && (f->programs.n || up->programs.n) && strcmp(f->path, up->path) &&
		    lies_in(f->path, up->path)) {
			unkept(r, f->programs.n ? f->at : up->at,
			       "binaries, of a path below one that can be written, or of one that can and has others below it");
			return;
		}
	check_shared(r, f);
}

void read_filesystem(struct reader *r, const struct node *n, void *obj)
{
	uint32_t paths = 0;

	r->p->fs_at = n->at;
	if (!read_map(r, n, filesystem_fields, "filesystem_policy", obj))
		return;
	for EACH (struct fs_entry, f, &r->p->fs)
		paths += f->mode == OSH_FS_DENY ? f->glob.alts.n : 1;
	if (paths > OSH_FS_PATHS)
		diag_add(r->d, DIAG_LIMIT, n->at, NULL, "too many filesystem paths (%u > %u)", paths, OSH_FS_PATHS);
	merge_paths(r);
	for EACH (struct fs_entry, f, &r->p->fs)
		if (f->mode != OSH_FS_DENY)
			check_reserved(r, f);
}

static void read_compat(struct reader *r, const struct node *n, void *obj)
{
	static const char *const words[] = {
		[OSH_COMPAT_BEST_EFFORT] = "best_effort",
		[OSH_COMPAT_HARD] = "hard_requirement",
		NULL,
	};
	struct policy *p = obj;
	unsigned v;

	if (read_word(r, n, words, &v))
		p->compat = (enum osh_b_compat)v;
}

const struct field landlock_fields[] = {
	{ "compatibility", read_compat, FIELD_KEPT, 0, "best_effort | hard_requirement",
	  "a listed path that is missing is skipped, or an error" },
	{ 0 },
};

void read_landlock(struct reader *r, const struct node *n, void *obj)
{
	(void)read_map(r, n, landlock_fields, "landlock", obj);
}

static void read_identity(struct reader *r, const struct node *n, struct identity *ret)
{
	const char *key = n->key->text;
	uint64_t v = 0;
	size_t i = 0;

	if (n->kind == NODE_SCALAR && !strcmp(n->text, "sandbox")) {
		*ret = (struct identity){ .kind = OSH_RUNAS_SANDBOX };
		return;
	}
	while (n->kind == NODE_SCALAR && i < 11 && isdigit((unsigned char)n->text[i]))
		v = v * 10 + (uint64_t)(n->text[i++] - '0');
	if (i && !n->text[i] && n->text[0] != '0' && v < UINT32_MAX) {
		*ret = (struct identity){ .kind = OSH_RUNAS_UID, .id = (uint32_t)v };
		return;
	}
	diag_add(r->d, DIAG_VALUE, n->at, NULL,
		 "%s must be 'sandbox' or a numeric UID/GID in range [1, 4294967294], got '%.60s'",
		 key, n->kind == NODE_SCALAR ? n->text : "a list or mapping");
}

static void read_user(struct reader *r, const struct node *n, void *obj)
{
	struct policy *p = obj;

	read_identity(r, n, &p->user);
}

static void read_group(struct reader *r, const struct node *n, void *obj)
{
	struct policy *p = obj;

	read_identity(r, n, &p->group);
}

static bool env_name(struct reader *r, const struct node *at, const char *s)
{
	bool ok = *s && !isdigit((unsigned char)*s);

	for (const char *p = s; *p; p++)
		ok &= isalnum((unsigned char)*p) || *p == '_';
	if (!ok)
		diag_add(r->d, DIAG_VALUE, at->at, NULL, "'%.80s' is no variable name", s);
	return ok;
}

static void push_env(struct reader *r, enum osh_b_env_kind kind, const char *text, struct place at)
{
	struct env_entry *v;

	if (!text)
		return;
	if (strlen(text) >= OSH_ENV_LEN || r->p->env.n >= OSH_LIST_MAX) {
		diag_add(r->d, DIAG_LIMIT, at, NULL, "too many or too long environment entries");
		return;
	}
	v = list_push(r->a, &r->p->env, sizeof(*v));
	if (v)
		*v = (struct env_entry){ .text = text, .kind = kind };
}

static void read_env_pass(struct reader *r, const struct node *n, void *obj)
{
	const char *s;

	(void)obj;
	if (!want_kind(r, n, NODE_LIST))
		return;
	for (const struct node *v = n->first; v; v = v->next)
		if (read_text(r, v, &s) && env_name(r, v, s))
			push_env(r, OSH_ENV_PASS, s, v->at);
}

static void read_env_set(struct reader *r, const struct node *n, void *obj)
{
	const char *s;

	(void)obj;
	if (!want_kind(r, n, NODE_MAP))
		return;
	for (const struct node *v = n->first; v; v = v->next)
		if (env_name(r, v->key, v->key->text) && read_text(r, v, &s))
			push_env(r, OSH_ENV_SET, arena_printf(r->a, "%s=%s", v->key->text, s), v->at);
}

static const struct field env_fields[] = {
	{ "pass", read_env_pass, FIELD_KEPT, FIELD_OWN, "[name]", "variables taken over from the caller" },
	{ "set", read_env_set, FIELD_KEPT, FIELD_OWN, "name -> text", "variables with a value of their own" },
	{ 0 },
};

static void read_env(struct reader *r, const struct node *n, void *obj)
{
	(void)read_map(r, n, env_fields, "process.env", obj);
}

/* clang-format off */
const struct field process_fields[] = {
	{ "run_as_user",  read_user,  FIELD_KEPT, 0,         "sandbox | uid", "whose identity the agent has" },
	{ "run_as_group", read_group, FIELD_KEPT, 0,         "sandbox | gid", "likewise" },
	{ "env",          read_env,   FIELD_KEPT, FIELD_OWN, "mapping",       "environment of the agent", env_fields },
	{ "exec",         read_exec,  FIELD_KEPT, FIELD_OWN, "mapping",       "programs that may run", exec_fields },
	{ 0 }
};
/* clang-format on */

void read_process(struct reader *r, const struct node *n, void *obj)
{
	(void)read_map(r, n, process_fields, "process", obj);
}

static void read_wild(struct reader *r, const struct node *n, void *obj)
{
	struct policy *p = obj;

	(void)read_uint(r, n, 0, OSH_WILD_MAX, &p->wildcard_names);
}

const struct field dns_fields[] = {
	{ "wildcard_names", read_wild, FIELD_KEPT, FIELD_OWN, "number",
	  "distinct names under wildcards in one sandbox's life" },
	{ 0 },
};

void read_dns(struct reader *r, const struct node *n, void *obj)
{
	(void)read_map(r, n, dns_fields, "dns", obj);
}
