/* SPDX-License-Identifier: Apache-2.0 */
#include "provider_set.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hash.h"
#include "own.h"
#include "provider.h"
#include "say.h"

#ifndef MFD_NOEXEC_SEAL			/* Linux 6.3; Debian 12's header is older */
#define MFD_NOEXEC_SEAL 8u
#endif
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int open_file(const char *path, size_t most, size_t *ret_size, struct err *e)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return fail(e, errno, "'%s': %s", path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return fail(e, EINVAL, "'%s': not a regular file", path);
	if (st.st_size < 1 || (size_t)st.st_size > most)
		return fail(e, E2BIG, "'%s': wants 1 to %zu bytes", path, most);
	*ret_size = (size_t)st.st_size;
	return take_fd(&fd);
}

/* In the kernel, from file to set: no copy of a secret is made here. */
static int copy_in(struct provider_set *s, const char *path, size_t most, uint32_t *ret_at, uint32_t *ret_n,
		   struct err *e)
{
	off_t at = lseek(s->fd, 0, SEEK_END);
	size_t size = 0, left;
	_close_ int fd = open_file(path, most, &size, e);

	if (fd < 0)
		return fd;
	for (left = size; left;) {
		ssize_t n = sendfile(s->fd, fd, NULL, left);

		if (n <= 0)
			return fail(e, EIO, "'%s': changed while it was read", path);
		left -= (size_t)n;
	}
	*ret_at = (uint32_t)at;
	*ret_n = (uint32_t)size;
	return 0;
}

/* "~/" is the caller's home; anything else that is not absolute lies beside the record. */
static char *secret_path(const char *record, const char *path)
{
	const char *home = getenv("HOME"), *slash = strrchr(record, '/');
	char *ret = NULL;
	int n;

	if (!strncmp(path, "~/", 2) && home)
		n = asprintf(&ret, "%s/%s", home, path + 2);
	else if (path[0] == '/' || !slash)
		n = asprintf(&ret, "%s", path);
	else
		n = asprintf(&ret, "%.*s/%s", (int)(slash - record), record, path);
	return n < 0 ? NULL : ret;
}

static int good_name(const char *name, size_t n, struct err *e)
{
	if (!n || n >= OSH_CRED_NAME || strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") < n)
		return fail(e, EINVAL, "provider '%.*s': a name is 1 to %d of letters, digits, '_' and '-'", (int)n, name,
			    OSH_CRED_NAME - 1);
	return 0;
}

/* NAME=FILE, or FILE alone: its name without directory and ".json". */
static int split(const char *given, struct osh_creds_entry *en, const char **ret_file, struct err *e)
{
	const char *eq = strchr(given, '='), *slash = strrchr(given, '/'), *name = given;
	size_t n = eq ? (size_t)(eq - given) : 0;
	int r;

	*ret_file = eq ? eq + 1 : given;
	if (!eq) {
		name = slash ? slash + 1 : given;
		n = strlen(name);
		if (n > 5 && !strcmp(name + n - 5, ".json"))
			n -= 5;
	}
	r = good_name(name, n, e);
	if (r == 0)
		memcpy(en->name, name, n);
	return r;
}

static int stable_bytes(const char *provider, const char *sandbox, unsigned char ret[HASH_LEN])
{
	char text[OSH_CRED_NAME + OSH_SANDBOX_NAME + 64];
	int n = snprintf(text, sizeof(text), "osh placeholder %s %.*s", sandbox, OSH_CRED_NAME, provider);

	return n < 0 || (size_t)n >= sizeof(text) ? -EINVAL : hash_bytes(text, (size_t)n, ret);
}

/* Recognised by the egress wherever it turns up; 128 random bits, so that it is found nowhere by chance. */
static int make_placeholder(struct osh_creds_entry *en, const struct provider *p, const char *sandbox, struct err *e)
{
	unsigned char r[HASH_LEN];
	char hex[33], name[33];
	const char *shape = p->shape ? p->shape : "{}", *hole = strstr(shape, "{}");
	int n;

	if (sandbox ? stable_bytes(en->name, sandbox, r) < 0 : getrandom(r, sizeof(r), 0) != sizeof(r))
		return fail(e, errno, "random bytes: %s", strerror(errno));
	for (size_t i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", r[i]);
	snprintf(name, sizeof(name), "%.32s", en->name);
	n = snprintf(en->placeholder, sizeof(en->placeholder), "%.*sosh-%s-%s%s", (int)(hole - shape), shape, name, hex,
		     hole + 2);
	return n < 0 || (size_t)n >= sizeof(en->placeholder) ? fail(e, E2BIG, "provider '%s': shape too long", en->name) : 0;
}

static int add_env(struct provider_set *s, const struct osh_creds_entry *en, const struct provider *p, struct err *e)
{
	size_t n = 0;

	while (s->env[n])
		n++;
	for (size_t i = 0; p->env[i]; i++)
		if (asprintf(&s->env[n++], "%s=%s", p->env[i], en->placeholder) < 0) {
			s->env[n - 1] = NULL;
			return fail(e, ENOMEM, "out of memory");
		}
	return 0;
}

/* The record as it lies in the set now: what the egress will read is what is read here. */
static int read_record(struct provider_set *s, struct osh_creds_entry *en, const char *file, struct provider *p,
		       struct err *e)
{
	_free_ char *text = NULL;
	struct err why = { 0 };
	int r = copy_in(s, file, OSH_CRED_RECORD_BYTES, &en->record, &en->record_len, e);

	if (r < 0)
		return r;
	text = malloc(en->record_len);
	if (!text || pread(s->fd, text, en->record_len, en->record) != (ssize_t)en->record_len)
		return fail(e, EIO, "'%s': cannot be read back", file);
	if (provider_read(p, (struct slice){ text, en->record_len }, &why) < 0)
		return fail(e, EINVAL, "'%s': %s", file, why.text);
	return p->secret_file ? 0 : fail(e, EINVAL, "'%s': no 'secret_file'", file);
}

static int add(struct provider_set *s, const char *given, const char *sandbox, struct err *e)
{
	struct osh_creds_entry *en = &s->entry[s->n];
	struct provider p = { 0 };
	_free_ char *secret = NULL;
	const char *file;
	int r = split(given, en, &file, e);

	if (r == 0 && provider_set_has(s, en->name))
		r = fail(e, EEXIST, "provider '%s' is given twice", en->name);
	if (r == 0)
		r = read_record(s, en, file, &p, e);
	if (r == 0)
		secret = secret_path(file, p.secret_file);
	if (r == 0 && !secret)
		r = fail(e, ENOMEM, "out of memory");
	if (r == 0)
		r = copy_in(s, secret, OSH_CRED_SECRET_BYTES, &en->secret, &en->secret_len, e);
	if (r == 0)
		r = make_placeholder(en, &p, sandbox, e);
	if (r == 0)
		r = add_env(s, en, &p, e);
	s->n += r == 0;
	provider_done(&p);
	return r;
}

static int finish(struct provider_set *s, struct err *e)
{
	struct osh_creds head = { OSH_CREDS_MAGIC, s->n };
	ssize_t bytes = (ssize_t)(s->n * sizeof(s->entry[0]));

	if (pwrite(s->fd, &head, sizeof(head), 0) != sizeof(head) ||
	    pwrite(s->fd, s->entry, (size_t)bytes, sizeof(head)) != bytes ||
	    fcntl(s->fd, F_ADD_SEALS, SEALS) < 0)
		return fail(e, errno, "credentials: %s", strerror(errno));
	return 0;
}

int provider_set_open(struct provider_set *s, const char *const *given, const char *sandbox, struct err *e)
{
	size_t n = 0;
	int r = 0;

	*s = (struct provider_set){ .fd = -1 };
	while (given && given[n])
		n++;
	if (!n)
		return 0;
	if (n > OSH_CREDS)
		return fail(e, E2BIG, "more than %d providers", OSH_CREDS);
	s->fd = memfd_create("credentials", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (s->fd < 0 || ftruncate(s->fd, (off_t)(sizeof(struct osh_creds) + n * sizeof(s->entry[0]))) < 0)
		return fail(e, errno, "credentials: %s", strerror(errno));
	for (size_t i = 0; i < n && r == 0; i++)
		r = add(s, given[i], sandbox, e);
	return r < 0 ? r : finish(s, e);
}

bool provider_set_has(const struct provider_set *s, const char *name)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (!strcmp(s->entry[i].name, name))
			return true;
	return false;
}

void provider_set_done(struct provider_set *s)
{
	own_close(&s->fd);
	for (size_t i = 0; s->env[i]; i++)
		free(s->env[i]);
	s->n = 0;
}
