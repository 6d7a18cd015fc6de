/* SPDX-License-Identifier: Apache-2.0 */
/* A set that takes the place of another one while requests with the former are under way. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "cred/set.h"

/* The record is compared as it was written: what means the same and is written otherwise is another one, too. */
static bool same(const struct cred *a, const struct cred *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->placeholder, b->placeholder) && a->parts_len == b->parts_len &&
	       !memcmp(a->parts, b->parts, a->parts_len) && provider_same(&a->provider, &b->provider);
}

static void swap(struct cred *a, struct cred *b)
{
	struct cred was = *a;

	*a = *b;
	*b = was;
}

/* All slices of a credential point into memory of its own, so it may change its place. */
static void bury(struct creds *c, struct cred *one)
{
	if (c->n_gone == CREDS_GONE) {
		cred_done(&c->gone[0]);
		memmove(&c->gone[0], &c->gone[1], sizeof(c->gone[0]) * (CREDS_GONE - 1));
		c->n_gone--;
	}
	c->gone[c->n_gone++] = *one;
	*one = (struct cred){ 0 };
}

/* With too many to search for at once the oldest are let go: they are of hosts that have had another for long. */
static int scanners(struct creds *c, struct err *e)
{
	int r;

	for (;;) {
		scanner_drop(c->placeholders);
		scanner_drop(c->secrets);
		c->placeholders = c->secrets = NULL;
		r = creds_scanners(c, e);
		if (r == 0 || !c->n_gone)
			return r;
		cred_done(&c->gone[0]);
		memmove(&c->gone[0], &c->gone[1], sizeof(c->gone[0]) * --c->n_gone);
	}
}

/* Tokens and the like are in the former one; the new one, which was read from the set, goes with that. */
static void keep_same(struct creds *c, struct creds *was)
{
	for (uint32_t i = 0; i < c->n; i++)
		for (uint32_t k = 0; k < was->n; k++)
			if (was->cred[k].number && same(&c->cred[i], &was->cred[k])) {
				swap(&c->cred[i], &was->cred[k]);
				was->cred[k].number = 0;
			}
}

int creds_next(struct creds **io, int fd, struct err *e)
{
	struct creds *c, *was = *io;
	int r = creds_load(&c, fd, e);

	if (r < 0 || !was) {
		if (r == 0)
			*io = c;
		return r;
	}
	if (!c)
		c = calloc(1, sizeof(*c));
	if (!c)
		return fail(e, ENOMEM, "credentials: out of memory");
	keep_same(c, was);
	for (uint32_t i = 0; i < was->n_gone; i++)
		bury(c, &was->gone[i]);
	for (uint32_t i = 0; i < was->n; i++)
		if (was->cred[i].number)
			bury(c, &was->cred[i]);
	was->n_gone = 0;
	*io = c;
	creds_free(was);
	return scanners(c, e) < 0 ? -ENOTRECOVERABLE : 0;
}
