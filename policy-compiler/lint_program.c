/* SPDX-License-Identifier: Apache-2.0 */
/* Identities that anyone in the sandbox can take: interpreters, and files that it may write. */
#include <string.h>

#include "eval.h"
#include "lint_parts.h"
#include "own.h"

/* Programs that do what their arguments or input say. A version may follow: python3.11. */
static const char *const interpreters[] = {
	"sh",	  "bash",  "dash",    "ash",	 "zsh",	   "fish",   "ksh",  "mksh",   "csh",	"tcsh",
	"busybox", "toybox", "python", "pypy",	 "node",   "nodejs", "deno", "bun",    "perl",	"ruby",
	"php",	  "lua",   "luajit",  "java",	 "jshell", "tclsh",  "expect", "Rscript", "guile", "awk",
	"gawk",	  "mawk",  "env",     "xargs",	 "make",   "find",   "gdb",  "npx",    "uvx",	"pipx",
};

static bool named(const char *base, const char *name)
{
	size_t n = strlen(name);

	return !strncmp(base, name, n) && !base[n + strspn(base + n, "0123456789.-*")];
}

/* The interpreter that this entry lists, or NULL. */
static const char *interpreter(struct lint *l, const struct program *prog)
{
	const char *base = strrchr(prog->path, '/') + 1;

	for (size_t i = 0; i < ARRAY_SIZE(interpreters); i++) {
		const char *path;

		if (named(base, interpreters[i]))
			return prog->path;
		if (!prog->glob || !lint_look(l))
			continue;
		path = arena_printf(&l->p->arena, "/usr/bin/%s", interpreters[i]);
		if (path && glob_match(prog->path, path))
			return path;
	}
	return NULL;
}

void lint_interpreters(struct lint *l)
{
	for EACH (struct rule, rule, &l->p->rules) {
		const char *found = NULL;

		for EACH (struct program, prog, &rule->programs)
			if (!found)
				found = interpreter(l, prog);
		if (found)
			diag_add(l->d, DIAG_INTERPRETER, rule->at, NULL,
				 "rule '%.60s' lists %.100s, which runs whatever its caller gives it",
				 rule->name, found);
	}
}

/* Is `path` the directory or below it? */
static bool below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(path, dir, n) && (!path[n] || path[n] == '/');
}

/* Can a program that this glob lists lie below the directory? What comes before a wildcard decides mostly. */
static bool glob_meets(struct lint *l, const struct program *prog, const struct fs_entry *f)
{
	size_t fixed = strcspn(prog->path, "*?"), dir = strlen(f->path);
	struct pattern a = { 0 }, b = { .text = prog->path, .alts = { .v = (void *)&prog->path, .n = 1 } };
	const char *tree;

	if (strncmp(f->path, prog->path, fixed < dir ? fixed : dir) || (fixed > dir && prog->path[dir] != '/'))
		return false;
	tree = arena_printf(&l->p->arena, "%s/**", f->path);
	a = (struct pattern){ .text = tree, .alts = { .v = &tree, .n = 1 } };
	return tree && pattern_overlaps(&a, &b);
}

/* The writable tree that a program's file may lie in, or NULL. The most specific path decides. */
static const struct fs_entry *writable(struct lint *l, const struct program *prog)
{
	const struct fs_entry *best = NULL;

	for EACH (struct fs_entry, f, &l->p->fs) {
		if (!lint_look(l))
			return NULL;
		if (f->mode == OSH_FS_DENY || f->programs.n)
			continue;
		if (prog->glob && f->mode == OSH_FS_RW && !pattern_special(f->path) && glob_meets(l, prog, f))
			return f;
		if (!prog->glob && below(prog->path, f->path) &&
		    (!best || strlen(f->path) > strlen(best->path)))
			best = f;
	}
	return best && best->mode == OSH_FS_RW ? best : NULL;
}

static void check_programs(struct lint *l, const struct list *programs, struct place at, const char *what)
{
	for EACH (struct program, prog, programs) {
		const struct fs_entry *f = prog->sha256 ? NULL : writable(l, prog);

		if (!f)
			continue;
		diag_add(l->d, DIAG_WRITABLE, at, "keep programs where the sandbox cannot write",
			 "%.60s lists %.90s, which the sandbox can write (%.60s, line %u)", what,
			 prog->path, f->path, f->at.line);
		return;
	}
}

void lint_writable(struct lint *l)
{
	static const char *const system[] = { "/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt", "/etc", "/boot" };

	for EACH (struct rule, rule, &l->p->rules)
		check_programs(l, &rule->programs, rule->at,
			       arena_printf(&l->p->arena, "rule '%.45s'", rule->name));
	check_programs(l, &l->p->exec.allow, l->p->exec.at, "process.exec");
	for EACH (struct fs_entry, f, &l->p->fs)
		for (size_t i = 0; f->mode == OSH_FS_RW && i < ARRAY_SIZE(system); i++)
			if (below(f->path, system[i]))
				diag_add(l->d, DIAG_WRITABLE, f->at, "list what must be written alone",
					 "programs and settings of the system under %.100s are writable and "
					 "executable",
					 f->path);
}
