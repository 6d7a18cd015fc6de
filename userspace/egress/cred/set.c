/* SPDX-License-Identifier: Apache-2.0 */
#include "cred/set.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "own.h"
#include "secret.h"

static int read_at(int fd, void *p, size_t n, size_t at, struct err *e)
{
	for (size_t done = 0; done < n;) {
		ssize_t r = pread(fd, (char *)p + done, n - done, (off_t)(at + done));

		if (r <= 0)
			return fail(e, EBADMSG, "credentials: cut short");
		done += (size_t)r;
	}
	return 0;
}

/* Printable ASCII: anything else could end a header line. */
static bool printable(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return true;
}

/*
 * The value of "key" in a flat JSON object of plain texts, in place: no library may spread copies of it
 * over the heap. An escape in it is refused.
 */
static struct slice member(struct slice json, const char *key)
{
	char quoted[40];
	int n = snprintf(quoted, sizeof(quoted), "\"%s\"", key);
	const char *p = memmem(json.p, json.n, quoted, (size_t)n), *end = json.p + json.n, *q;

	if (!p)
		return (struct slice){ 0 };
	for (p += n; p < end && strchr(" \t\r\n:", *p) && *p; p++)
		;
	if (p >= end || *p++ != '"')
		return (struct slice){ 0 };
	q = memchr(p, '"', (size_t)(end - p));
	if (!q || memchr(p, '\\', (size_t)(q - p)))
		return (struct slice){ 0 };
	return (struct slice){ p, (size_t)(q - p) };
}

/* What the file holds, as the placement wants it. */
static int split(struct cred *c, struct err *e)
{
	struct slice all = { c->parts, c->parts_len };

	while (all.n && strchr("\r\n", all.p[all.n - 1]) && all.p[all.n - 1])
		all.n--;
	c->secret = all;
	if (c->provider.placement == PLACE_SIGV4) {
		c->secret = member(all, "secret_access_key");
		c->key_id = member(all, "access_key_id");
		c->token = member(all, "session_token");
		if (!c->key_id.n || !printable(c->key_id) || !printable(c->token))
			return fail(e, EINVAL, "credential '%s': no access_key_id and secret_access_key", c->name);
	}
	if (c->secret.n < SCAN_TEXT_MIN)
		return fail(e, EINVAL, "credential '%s': a secret of %zu bytes is too short to be guarded", c->name,
			    c->secret.n);
	if (!printable(c->secret))
		return fail(e, EINVAL, "credential '%s': the secret holds bytes that no header carries", c->name);
	return 0;
}

static int read_entry(struct cred *c, const struct osh_creds_entry *en, int fd, size_t size, struct err *e)
{
	_free_ char *record = NULL;
	struct err why = { 0 };
	int r;

	memcpy(c->name, en->name, sizeof(c->name));
	memcpy(c->placeholder, en->placeholder, sizeof(c->placeholder));
	if (!memchr(c->name, 0, sizeof(c->name)) || !memchr(c->placeholder, 0, sizeof(c->placeholder)) ||
	    strlen(c->placeholder) < SCAN_TEXT_MIN || en->record_len > OSH_CRED_RECORD_BYTES ||
	    en->secret_len > OSH_CRED_SECRET_BYTES || en->record > size || en->record_len > size - en->record ||
	    en->secret > size || en->secret_len > size - en->secret)
		return fail(e, EBADMSG, "credentials: malformed");
	record = malloc(en->record_len + 1u);
	c->parts_len = en->secret_len;
	c->parts = secret_alloc(c->parts_len);
	if (!record || !c->parts)
		return fail(e, ENOMEM, "credential '%s': no locked memory", c->name);
	r = read_at(fd, record, en->record_len, en->record, e);
	if (r == 0)
		r = read_at(fd, c->parts, c->parts_len, en->secret, e);
	if (r == 0 && provider_read(&c->provider, (struct slice){ record, en->record_len }, &why) < 0)
		return fail(e, EINVAL, "credential '%s': %s", c->name, why.text);
	return r < 0 ? r : split(c, e);
}

static int build_scanners(struct creds *c, struct err *e)
{
	uint32_t texts = 0, marks = 0;
	int r;

	for (uint32_t i = 0; i < c->n; i++) {
		texts += scanner_forms_size(c->cred[i].secret.n) + scanner_forms_size(c->cred[i].token.n);
		marks += scanner_forms_size(strlen(c->cred[i].placeholder));
	}
	r = scanner_init(&c->secrets, texts);
	if (r == 0)
		r = scanner_init(&c->placeholders, marks);
	for (uint32_t i = 0; r == 0 && i < c->n; i++) {
		uint16_t tag = (uint16_t)(i + 1);

		scanner_add_forms(&c->secrets, c->cred[i].secret, tag);
		if (c->cred[i].token.n >= SCAN_TEXT_MIN)
			scanner_add_forms(&c->secrets, c->cred[i].token, tag);
		scanner_add_forms(&c->placeholders, slice_of(c->cred[i].placeholder), tag);
	}
	if (r == 0)
		r = scanner_ready(&c->secrets);
	if (r == 0)
		r = scanner_ready(&c->placeholders);
	return r < 0 ? fail(e, -r, "credentials: too long to be guarded, or no locked memory") : 0;
}

static int read_all(struct creds *c, int fd, size_t size, struct err *e)
{
	struct osh_creds head;
	int r = read_at(fd, &head, sizeof(head), 0, e);

	if (r < 0)
		return r;
	if (head.magic != OSH_CREDS_MAGIC || !head.n || head.n > OSH_CREDS)
		return fail(e, EBADMSG, "credentials: malformed");
	for (uint32_t i = 0; i < head.n; i++) {
		struct osh_creds_entry en;

		r = read_at(fd, &en, sizeof(en), sizeof(head) + i * sizeof(en), e);
		if (r == 0) {
			c->n = i + 1;
			r = read_entry(&c->cred[i], &en, fd, size, e);
		}
		if (r < 0)
			return r;
	}
	return build_scanners(c, e);
}

int creds_load(struct creds **ret, int fd, struct err *e)
{
	struct creds *c;
	struct stat st;
	int r;

	*ret = NULL;
	if (fstat(fd, &st) < 0)
		return fail(e, errno, "credentials: %s", strerror(errno));
	if (!st.st_size)
		return 0;
	if (st.st_size > OSH_CREDS_BYTES)
		return fail(e, E2BIG, "credentials: more than %u bytes", OSH_CREDS_BYTES);
	c = calloc(1, sizeof(*c));
	if (!c)
		return fail(e, ENOMEM, "credentials: out of memory");
	r = read_all(c, fd, (size_t)st.st_size, e);
	if (r < 0)
		creds_free(c);
	else
		*ret = c;
	return r;
}

void creds_free(struct creds *c)
{
	if (!c)
		return;
	for (uint32_t i = 0; i < c->n; i++) {
		secret_free(c->cred[i].parts, c->cred[i].parts_len);
		provider_done(&c->cred[i].provider);
	}
	scanner_done(&c->secrets);
	scanner_done(&c->placeholders);
	free(c);
}

uint32_t creds_number(const struct creds *c, const char *name)
{
	const struct cred *found = creds_find(c, name);

	return found ? (uint32_t)(found - c->cred) + 1 : 0;
}

const struct cred *creds_find(const struct creds *c, const char *name)
{
	for (uint32_t i = 0; c && i < c->n; i++)
		if (!strcmp(c->cred[i].name, name))
			return &c->cred[i];
	return NULL;
}
