/* SPDX-License-Identifier: Apache-2.0 */
#include "strays.h"

#include <stdlib.h>

#define ROOM 16384			/* a full ring of plain events is three times as many */
#define KEEP_MS 5000

struct strays {
	struct {
		struct osh_event_named e;
		uint64_t until_ms;
	} *at;				/* in order of arrival; pages are touched only when used */
	uint32_t n;
	uint64_t lost;
};

struct strays *strays_new(void)
{
	struct strays *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->at = calloc(ROOM, sizeof(*s->at));
	if (!s->at) {
		free(s);
		return NULL;
	}
	return s;
}

void strays_keep(struct strays *s, const struct osh_event_named *e, uint64_t now_ms)
{
	if (!e->ev.id || s->n == ROOM) {	/* id 0 is nobody's and will never be claimed */
		s->lost++;
		return;
	}
	s->at[s->n].e = *e;
	s->at[s->n++].until_ms = now_ms + KEEP_MS;
}

void strays_claim(struct strays *s, uint32_t id,
		  void (*each)(void *, const struct osh_event_named *), void *data)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		if (s->at[i].e.ev.id == id)
			each(data, &s->at[i].e);
		else if (kept++ != i)
			s->at[kept - 1] = s->at[i];
	}
	s->n = kept;
}

uint64_t strays_expire(struct strays *s, uint64_t now_ms)
{
	uint32_t old = 0;
	uint64_t lost;

	while (old < s->n && s->at[old].until_ms <= now_ms)
		old++;
	for (uint32_t i = old; old && i < s->n; i++)
		s->at[i - old] = s->at[i];
	s->n -= old;
	lost = s->lost + old;
	s->lost = 0;
	return lost;
}
