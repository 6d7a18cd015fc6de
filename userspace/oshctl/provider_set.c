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
#include "profile.h"
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

/* The head and room for every entry come first; what they point at lies behind. */
static int want_fd(struct provider_set *s, struct err *e)
{
	if (s->n >= OSH_CREDS)
		return fail(e, E2BIG, "more than %d providers", OSH_CREDS);
	if (s->fd >= 0)
		return 0;
	s->fd = memfd_create("credentials", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (s->fd < 0 || ftruncate(s->fd, (off_t)(sizeof(struct osh_creds) + sizeof(s->entry))) < 0)
		return fail(e, errno, "credentials: %s", strerror(errno));
	return 0;
}

/* The entry s->entry[s->n] has its name, record and secret: it becomes one of the set. */
static void provision(struct provider_set *s, const char *name, const struct provider *p, const struct profile *of,
		      bool adds)
{
	size_t n = s->n_provisions;

	if (n == OSH_CREDS)
		return;
	s->profiles[n] = json_incref(of->json);
	memcpy(s->binaries[n], of->binaries, sizeof(s->binaries[0]));
	s->provision[n] = (struct provision){
		.name = name, .hosts = p->hosts, .paths = p->paths, .ports = p->ports, .n_ports = p->n_ports,
		.binaries = s->binaries[n], .adds = adds,
	};
	s->n_provisions++;
}

static int enter(struct provider_set *s, const char *sandbox, struct err *e)
{
	struct osh_creds_entry *en = &s->entry[s->n];
	struct provider *p = &s->record[s->n];
	int r = make_placeholder(en, p, sandbox, e);

	if (r == 0)
		r = add_env(s, en, p, e);
	s->n += r == 0;
	if (r < 0)
		provider_done(p);
	return r;
}

static int add_file(struct provider_set *s, const char *given, const char *sandbox, struct err *e)
{
	struct osh_creds_entry *en = &s->entry[s->n];
	struct provider *p = &s->record[s->n];
	_free_ char *secret = NULL;
	const char *file;
	int r = split(given, en, &file, e);

	if (r == 0 && provider_set_has(s, en->name))
		r = fail(e, EEXIST, "provider '%s' is given twice", en->name);
	if (r == 0)
		r = read_record(s, en, file, p, e);
	if (r < 0)
		return r;
	secret = secret_path(file, p->secret_file);
	if (!secret)
		r = fail(e, ENOMEM, "out of memory");
	if (r == 0)
		r = copy_in(s, secret, OSH_CRED_SECRET_BYTES, &en->secret, &en->secret_len, e);
	if (r == 0)
		return enter(s, sandbox, e);
	provider_done(p);
	return r;
}

int provider_set_files(struct provider_set *s, const char *const *given, const char *sandbox, struct err *e)
{
	int r = 0;

	for (; given && *given && r == 0; given++) {
		if (provider_set_is_stored(*given))
			continue;
		r = want_fd(s, e);
		if (r == 0)
			r = add_file(s, *given, sandbox, e);
	}
	return r;
}

static int put_in(struct provider_set *s, struct slice bytes, uint32_t *ret_at, uint32_t *ret_n, struct err *e)
{
	off_t at = lseek(s->fd, 0, SEEK_END);

	if (at < 0 || write(s->fd, bytes.p, bytes.n) != (ssize_t)bytes.n)
		return fail(e, errno, "credentials: %s", strerror(errno));
	*ret_at = (uint32_t)at;
	*ret_n = (uint32_t)bytes.n;
	return 0;
}

/* The profile's record, with the one variable that the agent is to find. */
static char *record_text(const struct provider_item *it)
{
	json_t *record = json_deep_copy(it->profile->record), *env = it->variable ? json_array() : NULL;
	char *text = NULL;

	if (record && (!it->variable || (json_array_append_new(env, json_string(it->variable)) == 0 &&
					 json_object_set(record, "env", env) == 0)))
		text = json_dumps(record, JSON_COMPACT);
	json_decref(env);
	json_decref(record);
	return text;
}

/* A type that this oshctl does not know binds as one without programs of its own. */
int provider_set_stored(struct provider_set *s, const char *name, const char *type, const char *record, const char *sandbox,
			struct err *e)
{
	struct osh_creds_entry *en = &s->stored[s->n_stored];
	struct provider *p = &s->stored_record[s->n_stored];
	struct profile of = { 0 };
	int r = s->n_stored + s->n >= OSH_CREDS ? fail(e, E2BIG, "more than %d providers", OSH_CREDS)
						: good_name(name, strlen(name), e);

	if (r == 0 && provider_set_has(s, name))
		r = fail(e, EEXIST, "provider '%s' is given twice", name);
	if (r == 0)
		r = provider_read(p, slice_of(record), e);
	if (r < 0)
		return r;
	strcpy(en->name, name);
	s->n_stored++;
	r = make_placeholder(en, p, sandbox, e);
	if (r == 0)
		r = add_env(s, en, p, e);
	if (r == 0 && profile_open(&of, type, &(struct err){ 0 }) == 0) {
		provision(s, en->name, p, &of, true);
		profile_done(&of);
	}
	return r;
}

bool provider_set_is_stored(const char *given)
{
	size_t n = strlen(given);

	return n && !strpbrk(given, "/=") && (n < 5 || strcmp(given + n - 5, ".json") != 0);
}

int provider_set_add(struct provider_set *s, const struct provider_item *it, const char *sandbox, struct err *e)
{
	struct osh_creds_entry *en = &s->entry[s->n];
	_free_ char *text = NULL;
	int r = want_fd(s, e);

	if (r == 0)
		r = good_name(it->name, strlen(it->name), e);
	if (r == 0 && it->secret.n > OSH_CRED_SECRET_BYTES)
		r = fail(e, E2BIG, "provider '%s': a secret has at most %d bytes", it->name, OSH_CRED_SECRET_BYTES);
	text = r == 0 ? record_text(it) : NULL;
	if (r == 0 && !text)
		r = fail(e, ENOMEM, "out of memory");
	if (r < 0)
		return r;
	memcpy(en->name, it->name, strlen(it->name));
	r = put_in(s, slice_of(text), &en->record, &en->record_len, e);
	if (r == 0)
		r = put_in(s, it->secret, &en->secret, &en->secret_len, e);
	if (r == 0)
		r = provider_read(&s->record[s->n], slice_of(text), e);
	if (r == 0)
		r = enter(s, sandbox, e);
	if (r == 0)
		provision(s, s->entry[s->n - 1].name, &s->record[s->n - 1], it->profile, it->adds);
	return r;
}

int provider_set_seal(struct provider_set *s, struct err *e)
{
	struct osh_creds head = { OSH_CREDS_MAGIC, s->n };
	ssize_t bytes = (ssize_t)(s->n * sizeof(s->entry[0]));

	policy_provide(s->provision, s->n_provisions);
	if (s->fd < 0)
		return 0;
	if (pwrite(s->fd, &head, sizeof(head), 0) != sizeof(head) ||
	    pwrite(s->fd, s->entry, (size_t)bytes, sizeof(head)) != bytes ||
	    fcntl(s->fd, F_ADD_SEALS, SEALS) < 0)
		return fail(e, errno, "credentials: %s", strerror(errno));
	return 0;
}

static bool is_for(const struct provider *p, const char *host)
{
	for (size_t h = 0; p->hosts[h]; h++)
		if (!strcmp(p->hosts[h], host))
			return true;
	return false;
}

bool provider_set_near(const struct provider_set *s, const struct profile *p)
{
	json_t *hosts = json_object_get(p->record, "hosts");

	for (size_t i = 0; i < json_array_size(hosts); i++) {
		const char *host = json_string_value(json_array_get(hosts, i));

		for (uint32_t k = 0; k < s->n; k++)
			if (is_for(&s->record[k], host))
				return true;
		for (uint32_t k = 0; k < s->n_stored; k++)
			if (is_for(&s->stored_record[k], host))
				return true;
	}
	return provider_set_has(s, p->type);
}

bool provider_set_has(const struct provider_set *s, const char *name)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (!strcmp(s->entry[i].name, name))
			return true;
	for (uint32_t i = 0; i < s->n_stored; i++)
		if (!strcmp(s->stored[i].name, name))
			return true;
	return false;
}

void provider_set_done(struct provider_set *s)
{
	own_close(&s->fd);
	policy_provide(NULL, 0);
	for (uint32_t i = 0; i < s->n; i++)
		provider_done(&s->record[i]);
	for (uint32_t i = 0; i < s->n_stored; i++)
		provider_done(&s->stored_record[i]);
	for (size_t i = 0; i < s->n_provisions; i++)
		json_decref(s->profiles[i]);
	for (size_t i = 0; s->env[i]; i++)
		free(s->env[i]);
	s->n = 0;
}
