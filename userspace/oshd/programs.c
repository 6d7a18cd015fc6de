/* SPDX-License-Identifier: Apache-2.0 */
/* osh-launch holds the same files; one of the two may be killed and gets them from the other. */
#include "programs.h"

#include "file.h"
#include "own.h"

int programs_keep(struct sandbox *s, struct chan_in *in, struct err *e)
{
	int *more = realloc(s->programs, sizeof(int) * (s->n_programs + (size_t)in->n_fds));

	if (!more)
		return fail(e, ENOMEM, "out of memory");
	s->programs = more;
	for (int i = 0; i < in->n_fds; i++)
		if (!file_among(in->fds[i], more, s->n_programs))
			s->programs[s->n_programs++] = chan_take(in, i);
	return 0;
}

void programs_close(struct sandbox *s)
{
	for (uint32_t i = 0; i < s->n_programs; i++)
		close(s->programs[i]);
	free(s->programs);
	s->programs = NULL;
	s->n_programs = 0;
}
