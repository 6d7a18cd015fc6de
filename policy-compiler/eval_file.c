/* SPDX-License-Identifier: Apache-2.0 */
/* What may be done to a path. */
#include "eval_parts.h"

#include <string.h>

#include "osh/limits.h"

static bool path_below(const char *path, const char *root)
{
	size_t n = strlen(root);

	if (n == 1 && *root == '/')
		return true;
	return !strncmp(path, root, n) && (path[n] == '/' || !path[n]);
}

static const char *segment(const char *at, char *ret, size_t room)
{
	size_t n = strcspn(at, "/");

	memcpy(ret, at, n < room ? n : room - 1);
	ret[n < room ? n : room - 1] = 0;
	return at + n + (at[n] == '/');
}

/* Segment by segment, where `**` is any number of them, none included: the top is not left out. */
static bool segments_match(const char *pattern, const char *path)
{
	const char *deep = NULL, *deep_at = NULL, *next_p, *next_t;
	char p[OSH_FS_PATH_LEN], t[OSH_FS_PATH_LEN];

	while (*pattern || *path) {
		next_p = segment(pattern, p, sizeof(p));
		next_t = segment(path, t, sizeof(t));
		if (!strcmp(p, "**")) {
			pattern = deep = next_p;
			deep_at = path;
		} else if (*pattern && *path && glob_match(p, t)) {
			pattern = next_p;
			path = next_t;
		} else if (deep && *deep_at) {
			path = deep_at = segment(deep_at, t, sizeof(t));
			pattern = deep;
		} else {
			return false;
		}
	}
	return true;
}

/* A pattern that ends in two stars after a slash means the directory itself too. */
static bool denies_one(const struct fs_entry *f, const char *path)
{
	char slash[OSH_FS_PATH_LEN + 2];
	size_t n = strlen(path);

	if (pattern_match(&f->glob, path, '/'))
		return true;
	for (uint32_t i = 0; i < f->glob.alts.n; i++)
		if (segments_match(((const char *const *)f->glob.alts.v)[i], path))
			return true;
	if (n + 2 > sizeof(slash) || !strcmp(f->glob.text, "**"))
		return false;
	memcpy(slash, path, n);
	memcpy(slash + n, "/", 2);
	n = strlen(f->glob.text);
	return n > 3 && !strcmp(f->glob.text + n - 3, "/**") && pattern_match(&f->glob, slash, '/');
}

/* A denied directory takes everything below it along. */
static bool denied(const struct fs_entry *f, const char *path, const char *workdir)
{
	char part[OSH_FS_PATH_LEN];
	size_t n;

	if (*f->path != '/') {
		if (!workdir || !path_below(path, workdir) || !path[strlen(workdir)])
			return false;
		path += strlen(workdir) + (workdir[1] != 0);
	}
	n = strlen(path);
	if (n >= sizeof(part))
		return true;
	memcpy(part, path, n + 1);
	while (n) {
		if (denies_one(f, part))
			return true;
		while (n && part[n - 1] != '/')
			n--;
		n -= n > 0;
		part[n] = 0;
	}
	return false;
}

static bool concerns(const struct fs_entry *f, const char *binary)
{
	const struct eval_connect c = { .binary = binary };

	return !f->programs.n || (binary && programs_list(&f->programs, &c));
}

enum eval_access { EVAL_NONE, EVAL_READ, EVAL_WRITE };

static enum eval_access access_of(enum osh_b_fs_mode mode)
{
	return mode == OSH_FS_RW ? EVAL_WRITE : mode == OSH_FS_RO ? EVAL_READ : EVAL_NONE;
}

/* The most specific listed path decides, writable before readable. */
static enum eval_access listed(const struct policy *p, const char *path, const char *workdir,
			       const char *binary, struct decision *ret)
{
	enum eval_access access = EVAL_NONE;
	size_t longest = 0;

	for EACH (struct fs_entry, f, &p->fs) {
		size_t n = strlen(f->path);

		if (f->mode == OSH_FS_DENY || !path_below(path, f->path) || n < longest ||
		    !concerns(f, binary) || (n == longest && access_of(f->mode) < access))
			continue;
		longest = n;
		access = access_of(f->mode);
		ret->line = f->at.line;
	}
	if (p->include_workdir && workdir && path_below(path, workdir) &&
	    strlen(workdir) >= longest) {
		access = EVAL_WRITE;
		ret->line = p->fs_at.line;
	}
	return access;
}

/* Whoever wants to write has to pass the list of denials; for reading, what is not listed is absent. */
struct decision eval_file(const struct policy *p, const char *path, const char *workdir,
			  const char *binary, bool write)
{
	struct decision d = { .why = OSH_WHY_FILE_DENIED };
	enum eval_access access = listed(p, path, workdir, binary, &d);

	if (access != EVAL_NONE)
		d.rule = "filesystem_policy";
	if (access >= (write ? EVAL_WRITE : EVAL_READ)) {
		d.verdict = OSH_ALLOW;
		d.why = OSH_WHY_ALLOWED;
	}
	for EACH (struct fs_entry, f, &p->fs)
		if (write && f->mode == OSH_FS_DENY && concerns(f, binary) && denied(f, path, workdir))
			return (struct decision){ .why = OSH_WHY_FILE_DENIED, .line = f->at.line,
						  .rule = "filesystem_policy.deny" };
	return d;
}
