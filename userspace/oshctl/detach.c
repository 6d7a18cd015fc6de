/* SPDX-License-Identifier: Apache-2.0 */
#include "detach.h"

/* One key: its byte, or -1. */
static int read_key(const char *p, size_t n)
{
	if (n == 1 && *p > ' ' && *p < 0x7f)
		return (unsigned char)*p;
	if (n != 6 || strncmp(p, "ctrl-", 5))
		return -1;
	if (p[5] >= 'a' && p[5] <= 'z')
		return p[5] - 'a' + 1;
	return p[5] >= '@' && p[5] <= '_' ? p[5] - '@' : -1;
}

int detach_parse(struct detach *d, const char *text, struct err *e)
{
	*d = (struct detach){ 0 };
	while (*text) {
		size_t n = strcspn(text, ",");
		int key = read_key(text, n);

		if (key < 0 || d->n == DETACH_KEYS)
			return fail(e, EINVAL, "detach keys: '%.20s' is not up to %d of a letter, or ctrl- and a letter or "
				    "one of @[\\]^_", text, DETACH_KEYS);
		d->keys[d->n++] = (char)key;
		text += n;
		if (*text && !*++text)
			return fail(e, EINVAL, "detach keys: nothing after the last ','");
	}
	return 0;
}

/* How much of the keys the last bytes are, when `seen` of them were, and then came c. */
static size_t advance(const struct detach *d, char c, size_t *ret_passed)
{
	char now[DETACH_KEYS + 1];
	size_t n = d->seen;

	memcpy(now, d->keys, n);
	now[n++] = c;
	for (*ret_passed = 0; *ret_passed < n; ++*ret_passed)
		if (!memcmp(now + *ret_passed, d->keys, n - *ret_passed))
			break;
	return n - *ret_passed;
}

size_t detach_filter(struct detach *d, const char *in, size_t n, char *out, bool *ret_detached)
{
	size_t used = 0;

	*ret_detached = false;
	for (size_t i = 0; i < n; i++) {
		size_t passed, seen;

		if (!d->n) {
			out[used++] = in[i];
			continue;
		}
		seen = advance(d, in[i], &passed);
		for (size_t k = 0; k < passed; k++)	/* what turned out to begin nothing */
			out[used++] = k < d->seen ? d->keys[k] : in[i];
		d->seen = seen;
		if (seen == d->n) {
			*ret_detached = true;
			return used;
		}
	}
	return used;
}
