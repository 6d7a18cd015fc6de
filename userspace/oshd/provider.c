/* SPDX-License-Identifier: Apache-2.0 */
#include "provider.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "own.h"
#include "vault.h"

#define CREDENTIAL "osh.provider-key"	/* of systemd's LoadCredentialEncrypted= */
#define FILE_NAME "provider.key"

/* Whoever can write it knows it; whoever can read it opens every backup. */
static int check_key(int fd, const char *what, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) ||
	    st.st_size != VAULT_KEY)
		return fail(e, EPERM, "%s: wants a file of root's, for nobody else to read, of %d bytes", what, VAULT_KEY);
	return 0;
}

static int credential(struct err *e)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	_close_ int at = dir ? open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1, fd = -1;
	int r;

	if (at < 0)
		return -ENOENT;
	fd = openat(at, CREDENTIAL, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -ENOENT;
	r = check_key(fd, "credential " CREDENTIAL, e);
	return r < 0 ? r : take_fd(&fd);
}

/* Whole or not at all: a crash in between leaves a file that the next try removes. */
static int make_file(int dir, struct err *e)
{
	_close_ int fd = -1;
	int r;

	(void)unlinkat(dir, FILE_NAME ".new", 0);
	fd = openat(dir, FILE_NAME ".new", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail(e, errno, "make " FILE_NAME ": %s", strerror(errno));
	r = vault_make_key(fd, e);
	if (r < 0)
		return r;
	if (fsync(fd) < 0 || linkat(dir, FILE_NAME ".new", dir, FILE_NAME, 0) < 0 ||
	    unlinkat(dir, FILE_NAME ".new", 0) < 0 || fsync(dir) < 0)
		return fail(e, errno, "make " FILE_NAME ": %s", strerror(errno));
	return take_fd(&fd);
}

int provider_key(struct daemon *d, bool make, int *ret_fd, struct err *e)
{
	int dir = state_dir(d->state), fd = credential(e), r;

	if (fd != -ENOENT) {
		*ret_fd = fd;
		return fd < 0 ? fd : 0;
	}
	fd = openat(dir, FILE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno != ENOENT)
		return fail(e, errno, FILE_NAME ": %s", strerror(errno));
	if (fd < 0 && !make)
		return fail(e, ENOKEY, "the key of the stored credentials is not there: give back " FILE_NAME
			    " or the credential " CREDENTIAL ", or store them again (docs/providers.md)");
	if (fd < 0)
		fd = make_file(dir, e);
	r = fd < 0 ? fd : check_key(fd, FILE_NAME, e);
	if (r < 0)
		own_close(&fd);
	*ret_fd = fd;
	return r;
}

static int compose(struct daemon *d, int base_fd, const struct vault_item *items, size_t n, int *ret_fd, struct err *e)
{
	_close_ int key = -1;
	int r = provider_key(d, false, &key, e);

	return r ? r : vault_compose(key, base_fd, items, n, NULL, ret_fd, e);
}

int provider_compose(struct daemon *d, uid_t owner, int base_fd, const struct state_provider_use *uses, size_t n,
		     int *ret_fd, struct err *e)
{
	struct state_provider p[OSH_CREDS] = { 0 };
	struct vault_item items[OSH_CREDS];
	size_t got = 0;
	int r = n > OSH_CREDS ? fail(e, E2BIG, "more than %d providers", OSH_CREDS) : 0;

	*ret_fd = -1;
	if (!r && !n) {
		*ret_fd = base_fd < 0 ? -1 : fcntl(base_fd, F_DUPFD_CLOEXEC, 3);
		return base_fd >= 0 && *ret_fd < 0 ? fail(e, errno, "duplicate a descriptor: %s", strerror(errno)) : 0;
	}
	if (!r && !d->state)
		r = fail(e, ENOTSUP, "this oshd lives for one run and stores no providers");
	for (; !r && got < n; got += !r) {
		r = state_provider_find(d->state, owner, uses[got].name, &p[got], e);
		if (!r)
			items[got] = (struct vault_item){ { owner, p[got].name, p[got].record }, p[got].box, p[got].box_len,
							  uses[got].placeholder[0] ? uses[got].placeholder : NULL };
	}
	if (!r)
		r = compose(d, base_fd, items, n, ret_fd, e);
	for (size_t i = 0; i < got; i++)
		state_provider_done(&p[i]);
	return r;
}

bool provider_in_set(int set_fd, const char *name, bool stored)
{
	struct osh_creds_entry en[OSH_CREDS];
	struct osh_creds head;

	if (set_fd < 0 || vault_entries(set_fd, &head, en, &(struct err){ 0 }) < 0)
		return false;
	for (unsigned i = 0; i < head.n; i++)
		if (!strcmp(en[i].name, name))
			return !stored || (head.stored & 1u << i);
	return false;
}

const char *provider_missing(const struct bundle *b, int set_fd)
{
	struct osh_creds_entry en[OSH_CREDS];
	struct osh_creds head = { 0 };
	const char *last = "";

	if (set_fd < 0 || vault_entries(set_fd, &head, en, &(struct err){ 0 }) < 0)
		head.n = 0;
	for (uint32_t i = 0; bundle_provider(b, i); i++) {
		const char *name = bundle_provider(b, i);
		unsigned k = 0;

		if (!*name || name == last)
			continue;
		while (k < head.n && strcmp(en[k].name, name) != 0)
			k++;
		if (k == head.n)
			return name;
		last = name;
	}
	return NULL;
}

unsigned provider_names(int set_fd, char ret[OSH_CREDS][OSH_CRED_NAME])
{
	struct osh_creds_entry en[OSH_CREDS];
	struct osh_creds head;
	unsigned n = 0;

	if (set_fd < 0 || vault_entries(set_fd, &head, en, &(struct err){ 0 }) < 0)
		return 0;
	for (unsigned i = 0; i < head.n; i++)
		if (head.stored & 1u << i)
			memcpy(ret[n++], en[i].name, OSH_CRED_NAME);
	return n;
}
