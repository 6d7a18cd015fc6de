/* SPDX-License-Identifier: Apache-2.0 */
#include "spec.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "own.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

int spec_fds(const struct osh_msg_init_spec *m, struct err *e)
{
	if (m->flags & ~OSH_SPEC_ALL)
		return fail(e, EINVAL, "command spec: unknown flags 0x%x", m->flags);
	if (m->flags & OSH_SPEC_BASE)
		return m->flags == OSH_SPEC_BASE ? 1 : fail(e, EINVAL, "command spec: a base has no other flags");
	if (!(m->flags & OSH_SPEC_TTY) && (m->flags & ~OSH_SPEC_INHERIT) != OSH_SPEC_FDS)
		return fail(e, EINVAL, "command spec: without a terminal all of stdio must be given");
	return 1 + __builtin_popcount(m->flags & OSH_SPEC_FDS);
}

/* Takes n strings from *at, which the caller knows to end in a NUL. */
static char **take_strings(char **at, const char *end, uint32_t n)
{
	char **list = calloc((size_t)n + 1, sizeof(*list));

	for (uint32_t i = 0; list && i < n; i++) {
		if (*at >= end) {
			free(list);
			return NULL;
		}
		list[i] = *at;
		*at += strlen(*at) + 1;
	}
	return list;
}

int spec_read(char *p, size_t n, const struct osh_msg_init_spec *m, struct spec *s, struct err *e)
{
	_free_ char **argv = NULL, **envp = NULL;
	char *at = p, *end = p + n;

	if (!m->argc != !!(m->flags & OSH_SPEC_BASE) || m->argc > OSH_SPEC_STRINGS || m->envc > OSH_SPEC_STRINGS)
		return fail(e, EINVAL, "command spec: %u arguments, %u variables", m->argc, m->envc);
	if (!n || p[n - 1])
		return fail(e, EINVAL, "command spec: the last string is cut off");
	argv = take_strings(&at, end, m->argc);
	envp = argv ? take_strings(&at, end, m->envc) : NULL;
	if (!envp || at >= end)
		return fail(e, EINVAL, "command spec: fewer strings than announced");
	if ((*at != '/' && (*at || !(m->flags & OSH_SPEC_INHERIT))) || at + strlen(at) + 1 != end)
		return fail(e, EINVAL, "command spec: no absolute directory at its end");
	for (uint32_t i = 0; i < m->envc; i++)
		if (envp[i][0] == '=' || !strchr(envp[i], '='))
			return fail(e, EINVAL, "command spec: variable %u is not NAME=value", i);
	s->cwd = at;
	s->envc = m->envc;
	s->argv = take_ptr(&argv);
	s->envp = take_ptr(&envp);
	return 0;
}

int spec_map(int fd, const struct osh_msg_init_spec *m, struct spec *s, struct err *e)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	char *p;
	int r;

	if (seals < 0 || (seals & SEALS) != SEALS)
		return fail(e, EINVAL, "command spec: not a sealed memfd");
	if (fstat(fd, &st) < 0 || st.st_size != (off_t)m->bytes || m->bytes > OSH_SPEC_BYTES || !m->bytes)
		return fail(e, EINVAL, "command spec: %u bytes announced", m->bytes);
	p = mmap(NULL, m->bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return fail(e, errno, "command spec: mmap: %s", strerror(errno));
	s->map = p;
	s->map_len = m->bytes;
	r = spec_read(p, m->bytes, m, s, e);
	if (r < 0)
		spec_done(s);
	return r;
}

static bool same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return !strncmp(a, b, n + 1);
}

static bool names(char *const *list, uint32_t n, const char *text)
{
	for (uint32_t i = 0; i < n; i++)
		if (same_name(list[i], text))
			return true;
	return false;
}

int spec_inherit(struct spec *s, const struct spec_base *b, struct err *e)
{
	uint32_t n = 0;
	char **all;

	if (!b->envp)
		return fail(e, ENOENT, "the sandbox has no environment yet that could be inherited");
	if (s->envc > OSH_ENV_VARS)
		return fail(e, E2BIG, "command spec: more than %d variables on top of the sandbox's", OSH_ENV_VARS);
	all = calloc((size_t)b->envc + s->envc + 1, sizeof(*all));
	if (!all)
		return fail(e, ENOMEM, "out of memory");
	for (uint32_t i = 0; i < b->envc; i++)
		if (!names(s->envp, s->envc, b->envp[i]))
			all[n++] = b->envp[i];
	for (uint32_t i = 0; i < s->envc; i++)
		all[n++] = s->envp[i];
	free(s->envp);
	s->envp = all;
	s->envc = n;
	if (!*s->cwd)
		s->cwd = b->cwd;
	return 0;
}

int spec_given(struct spec *s, char *const *given, struct err *e)
{
	uint32_t n = 0, n_given = 0;
	char **all;

	while (given[n_given])
		n_given++;
	all = n_given ? calloc((size_t)s->envc + n_given + 1, sizeof(*all)) : NULL;
	if (!all)
		return n_given ? fail(e, ENOMEM, "out of memory") : 0;
	for (uint32_t i = 0; i < s->envc; i++)
		if (!names(given, n_given, s->envp[i]))
			all[n++] = s->envp[i];
	for (uint32_t i = 0; i < n_given; i++)
		all[n++] = given[i];
	free(s->envp);
	s->envp = all;
	s->envc = n;
	return 0;
}

int spec_keep(struct spec *s, struct spec_base *b, struct err *e)
{
	char **envp;

	if (s->envc > OSH_ENV_VARS)	/* every heir compares with each of them */
		return fail(e, E2BIG, "command spec: more than %d variables", OSH_ENV_VARS);
	envp = calloc((size_t)s->envc + 1, sizeof(*envp));
	if (!envp)
		return fail(e, ENOMEM, "out of memory");
	memcpy(envp, s->envp, s->envc * sizeof(*envp));
	free(b->envp);
	if (b->map)
		munmap(b->map, b->map_len);
	*b = (struct spec_base){ envp, s->cwd, s->envc, s->map, s->map_len };
	s->map = NULL;
	return 0;
}

void spec_done(struct spec *s)
{
	free(s->argv);
	free(s->envp);
	if (s->map)
		munmap(s->map, s->map_len);
	*s = (struct spec){ 0 };
}
