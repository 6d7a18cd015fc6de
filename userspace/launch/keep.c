/* SPDX-License-Identifier: Apache-2.0 */
/* A list: a host has tens of sandboxes, and what is looked up is looked up once in a life. */
#include "keep.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chan.h"
#include "file.h"

struct kept {
	struct kept *next;
	uint32_t id;
	bool whole;			/* m and fds are filled */
	struct osh_msg_stored m;
	int fds[OSH_SFD_MAX];
	int *programs;
	int n_programs;
};

static void close_all(const int *fds, int n)
{
	for (int i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

bool keep_has(const struct keep *s, uint32_t id)
{
	for (const struct kept *x = s->first; x; x = x->next)
		if (x->id == id)
			return x->whole;
	return false;
}

static struct kept *find(struct keep *s, uint32_t id, bool make)
{
	struct kept *x = s->first;

	while (x && x->id != id)
		x = x->next;
	if (x || !make)
		return x;
	x = calloc(1, sizeof(*x));
	if (!x)
		return NULL;
	x->id = id;
	x->next = s->first;
	s->first = x;
	return x;
}

int keep_sandbox(struct keep *s, const struct osh_msg_stored *m, const int fds[OSH_SFD_MAX])
{
	struct kept *x = find(s, m->id, true);

	if (!x) {
		close_all(fds, OSH_SFD_MAX);
		return -ENOMEM;
	}
	if (x->whole)
		close_all(x->fds, OSH_SFD_MAX);
	x->whole = true;
	x->m = *m;
	memcpy(x->fds, fds, sizeof(x->fds));
	return 0;
}

int keep_programs(struct keep *s, uint32_t id, const int *fds, int n)
{
	struct kept *x = find(s, id, true);
	int *more = x ? realloc(x->programs, sizeof(int) * (size_t)(x->n_programs + n)) : NULL;

	if (!more || x->n_programs + n > OSH_PROGRAMS_OPEN) {
		close_all(fds, n);
		if (more)
			x->programs = more;
		return more ? -E2BIG : -ENOMEM;
	}
	x->programs = more;
	for (int i = 0; i < n; i++) {
		if (file_among(fds[i], more, (size_t)x->n_programs))
			close(fds[i]);	/* policies that take turns list it again and again */
		else
			more[x->n_programs++] = fds[i];
	}
	return 0;
}

void keep_forget(struct keep *s, uint32_t id)
{
	for (struct kept **at = &s->first; *at; at = &(*at)->next) {
		struct kept *x = *at;

		if (x->id != id)
			continue;
		*at = x->next;
		if (x->whole)
			close_all(x->fds, OSH_SFD_MAX);
		close_all(x->programs, x->n_programs);
		free(x->programs);
		free(x);
		return;
	}
}

static int tell_programs(const struct kept *x, int peer)
{
	int r = 0;

	for (int i = 0, n; !r && i < x->n_programs; i += n) {
		struct osh_msg_programs m = { .id = x->id };

		n = x->n_programs - i < OSH_PROGRAMS_MSG ? x->n_programs - i : OSH_PROGRAMS_MSG;
		m.n = (uint32_t)n;
		r = chan_send(peer, OSH_MSG_PROGRAMS, &m, sizeof(m), x->programs + i, n);
	}
	return r;
}

int keep_tell(const struct keep *s, int peer)
{
	struct osh_msg_id all = { 0 };
	int r = 0;

	for (const struct kept *x = s->first; !r && x; x = x->next) {
		struct osh_msg_stored m = x->m;

		if (x->whole)
			r = chan_send(peer, OSH_MSG_STORED, &m, sizeof(m), x->fds, OSH_SFD_MAX);
		if (!r && x->whole)
			r = tell_programs(x, peer);
	}
	return r ? r : chan_send(peer, OSH_MSG_STORED_ALL, &all, sizeof(all), NULL, 0);
}
