/* SPDX-License-Identifier: Apache-2.0 */
/* What may be done to a path: eval_file() and eval_exec(). */
#include "sym.h"

#include <stdlib.h>
#include <string.h>

#include "pattern.h"

const char *sym_literal(struct sym *s, const char *path)
{
	char *out = arena_zalloc(s->z.a, strlen(path) * 2 + 1), *to = out;

	if (!out)
		abort();
	for (; *path; path++) {
		if (strchr("*?[]{}\\", *path))
			*to++ = '\\';
		*to++ = *path;
	}
	return out;
}

static void push(struct sym *s, struct list *to, const char *text)
{
	const char **slot = text ? list_push(s->z.a, to, sizeof(*slot)) : NULL;

	if (!slot)
		abort();
	*slot = text;
}

Z3_ast sym_below(struct sym *s, struct dim *file, const char *path)
{
	struct list alts = { 0 };
	const char *text = sym_literal(s, path);

	if (!strcmp(path, "/")) {
		push(s, &alts, "/**");
	} else {
		push(s, &alts, text);
		push(s, &alts, arena_printf(s->z.a, "%s/**", text));
	}
	return dim_list(file, &alts, '/', false);
}

static Z3_ast concerns(struct sym *s, struct dim *who, const struct fs_entry *f)
{
	if (!who)	/* everybody: what is for some gives nothing, and takes away */
		return f->programs.n && f->mode != OSH_FS_DENY ? z_false(&s->z) : z_true(&s->z);
	return f->programs.n ? sym_programs(who, &f->programs) : z_true(&s->z);
}

/* A whole segment of two stars is also none at all. */
static void push_shorter(struct sym *s, struct list *to, const char *glob)
{
	const char *deep = glob;

	push(s, to, glob);
	while ((deep = strstr(deep, "**/")) != NULL) {
		if (deep == glob || deep[-1] == '/')
			push_shorter(s, to, arena_printf(s->z.a, "%.*s%s", (int)(deep - glob), glob, deep + 3));
		deep += 3;
	}
}

/* The entry's paths with what is below each, and the top of a subtree. */
static Z3_ast denied(struct sym *s, struct dim *file, const struct fs_entry *f)
{
	struct list alts = { 0 }, all = { 0 };

	for (uint32_t i = 0; i < f->glob.alts.n; i++) {
		const char *alt = ((const char *const *)f->glob.alts.v)[i];

		if (*alt != '/' && !s->workdir)
			continue;
		if (*alt != '/')
			alt = arena_printf(s->z.a, "%s/%s", strcmp(s->workdir, "/") ? sym_literal(s, s->workdir) : "", alt);
		push_shorter(s, &alts, alt);
	}
	for (uint32_t i = 0; i < alts.n; i++) {
		const char *alt = ((const char *const *)alts.v)[i];
		size_t n = strlen(alt);

		push(s, &all, alt);
		push(s, &all, arena_printf(s->z.a, "%s/**", alt));
		if (n > 3 && !strcmp(alt + n - 3, "/**"))
			push(s, &all, arena_printf(s->z.a, "%.*s", (int)n - 3, alt));
	}
	return dim_list(file, &all, '/', false);
}

static const char *list_of(const struct fs_entry *f)
{
	return f->mode == OSH_FS_RW ? "filesystem_policy.read_write" : "filesystem_policy.read_only";
}

static const char *path_of(const struct fs_entry *f)
{
	return !f ? "filesystem_policy.include_workdir" :
	       f->mode == OSH_FS_RW ? "filesystem_policy.read_write.path" : "filesystem_policy.read_only.path";
}

static const char *programs_of(const struct fs_entry *f)
{
	return f->mode == OSH_FS_RW ? "filesystem_policy.read_write.binaries" : "filesystem_policy.read_only.binaries";
}

struct entry {
	const char *path;
	const struct fs_entry *f;	/* NULL: the working directory */
	int rank;			/* of two for one path the later one decides */
};

static int widest_first(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	size_t n = strlen(a->path), m = strlen(b->path);

	return n != m ? (n > m) - (n < m) : a->rank - b->rank;
}

Z3_ast sym_file(struct sym *s, struct dim *file, struct dim *who, bool write)
{
	struct entry *v = calloc(s->p->fs.n + 1, sizeof(*v));
	Z3_ast may = z_false(&s->z);
	uint32_t n = 0;

	if (!v)
		abort();
	for EACH (struct fs_entry, f, &s->p->fs)
		if (f->mode != OSH_FS_DENY && sees(list_of(f)))
			v[n++] = (struct entry){ f->path, f, f->mode == OSH_FS_RW };
	if (s->p->include_workdir && s->workdir && sees("filesystem_policy.include_workdir"))
		v[n++] = (struct entry){ s->workdir, NULL, 2 };
	qsort(v, n, sizeof(*v), widest_first);
	for (uint32_t i = 0; i < n; i++) {
		Z3_ast speaks = sees(path_of(v[i].f)) ? sym_below(s, file, v[i].path) : z_true(&s->z);

		if (v[i].f && sees(programs_of(v[i].f)))
			speaks = z_and(&s->z, speaks, concerns(s, who, v[i].f));
		may = z_ite(&s->z, speaks, !write || v[i].rank ? z_true(&s->z) : z_false(&s->z), may);
	}
	free(v);
	for EACH (struct fs_entry, f, &s->p->fs)
		if (write && f->mode == OSH_FS_DENY && sees("filesystem_policy.deny"))
			may = z_and(&s->z, may,
				    z_not(&s->z, z_and(&s->z, concerns(s, who, f), denied(s, file, f))));
	return may;
}

Z3_ast sym_exec(struct sym *s, struct dim *program)
{
	Z3_ast may = s->no_files ? z_true(&s->z) : sym_file(s, program, program, false);

	if (s->p->exec.mode == OSH_EXEC_OPEN || !sees("process.exec.mode") || !sees("process.exec.allow"))
		return may;
	return z_and(&s->z, may, sym_programs(program, &s->p->exec.allow));
}
