/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Run in a child of oshd. Reads a key, ciphertext and one set of credentials, which may be a caller's own making:
 * every offset in it is checked. Whatever is secret lies in locked memory and is wiped before the exit.
 */
#include "vault_work.h"

#include <fcntl.h>
#include <grp.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hash.h"
#include "osh/limits.h"
#include "own.h"
#include "secret.h"

#define SECRET_LEAST 8			/* a shorter one would be found by chance in what hosts answer */
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct vault {
	uint8_t key[VAULT_KEY];
	uint8_t key_id[8];
	uint8_t plain[OSH_CRED_SECRET_BYTES];
	struct vault_box box;
	struct osh_creds head;
	struct osh_creds_entry old[OSH_CREDS], now[OSH_CREDS];
	uint8_t copy[OSH_CRED_RECORD_BYTES];
};

static int drop_rights(void)
{
	const struct rlimit none = { 0, 0 };
	const uid_t uid = OSH_UID_VAULT;

	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return errno;
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0))
		return errno;
	/* A change of identity may have set it again. */
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return errno;
	return OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1 ? 0 : EIO;
}

static int read_at(int fd, void *p, size_t n, size_t at)
{
	return pread(fd, p, n, (off_t)at) == (ssize_t)n ? 0 : EPROTO;
}

static int write_all(int fd, const void *p, size_t n)
{
	ssize_t done = write(fd, p, n);

	return done == (ssize_t)n ? 0 : done < 0 ? errno : ENOSPC;
}

static int make_key(struct vault *v)
{
	if (getrandom(v->key, sizeof(v->key), 0) != sizeof(v->key))
		return EIO;
	return write_all(VAULT_KEY_FD, v->key, sizeof(v->key));
}

/* One hash of the key and a word, so that it says nothing of the key and differs with it. */
static int read_key(struct vault *v)
{
	static const char word[] = "osh provider key";
	uint8_t digest[HASH_LEN];

	if (pread(VAULT_KEY_FD, v->key, sizeof(v->key), 0) != sizeof(v->key))
		return ENOKEY;
	if (hash_pair(word, sizeof(word), v->key, sizeof(v->key), digest) < 0)
		return EIO;
	memcpy(v->key_id, digest, sizeof(v->key_id));
	return 0;
}

/* What is authenticated with it: the owner, the name and the whole record, each with its end. */
static bool bind_to(EVP_CIPHER_CTX *c, bool seal, const struct vault_bind *b)
{
	static const char word[] = "osh provider 1";
	const struct {
		const void *p;
		size_t n;
	} parts[] = { { word, sizeof(word) }, { &b->uid, sizeof(b->uid) }, { b->name, strlen(b->name) + 1 },
		      { b->record, strlen(b->record) + 1 } };
	int n;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if ((seal ? EVP_EncryptUpdate(c, NULL, &n, parts[i].p, (int)parts[i].n)
			  : EVP_DecryptUpdate(c, NULL, &n, parts[i].p, (int)parts[i].n)) != 1)
			return false;
	return true;
}

static int seal_box(struct vault *v, const struct vault_bind *b)
{
	struct vault_box *x = &v->box;
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	uint8_t none[1];
	int n;
	bool ok;

	memcpy(x->key_id, v->key_id, sizeof(x->key_id));
	ok = c && getrandom(x->nonce, sizeof(x->nonce), 0) == sizeof(x->nonce) &&
	     EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, v->key, x->nonce) == 1 && bind_to(c, true, b) &&
	     EVP_EncryptUpdate(c, x->data, &n, v->plain, (int)x->n) == 1 && n == (int)x->n &&
	     EVP_EncryptFinal_ex(c, none, &n) == 1 &&
	     EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, sizeof(x->tag), x->tag) == 1;
	EVP_CIPHER_CTX_free(c);		/* wipes the key's schedule */
	return ok ? 0 : EIO;
}

/* The plaintext is in v->plain only where the tag is right. */
static int open_box(struct vault *v, const struct vault_item *it)
{
	struct vault_box *x = &v->box;
	EVP_CIPHER_CTX *c;
	uint8_t none[1];
	int n;
	bool ok;

	if (it->box_len < VAULT_BOX_BYTES(1) || it->box_len > sizeof(*x))
		return EBADMSG;
	memcpy(x, it->box, it->box_len);
	if (it->box_len != VAULT_BOX_BYTES(x->n))
		return EBADMSG;
	if (memcmp(x->key_id, v->key_id, sizeof(x->key_id)) != 0)
		return ENOKEY;
	c = EVP_CIPHER_CTX_new();
	ok = c && EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, v->key, x->nonce) == 1 && bind_to(c, false, &it->bind) &&
	     EVP_DecryptUpdate(c, v->plain, &n, x->data, (int)x->n) == 1 && n == (int)x->n &&
	     EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, sizeof(x->tag), x->tag) == 1 &&
	     EVP_DecryptFinal_ex(c, none, &n) == 1;
	EVP_CIPHER_CTX_free(c);
	if (!ok)
		explicit_bzero(v->plain, sizeof(v->plain));
	return ok ? 0 : EBADMSG;
}

/* What the egress would refuse is refused while somebody is there to hear it. */
static bool good_secret(const uint8_t *p, size_t n)
{
	while (n && (p[n - 1] == '\n' || p[n - 1] == '\r'))
		n--;
	for (size_t i = 0; i < n; i++)
		if ((p[i] < 0x20 || p[i] > 0x7e) && p[i] != '\n' && p[i] != '\r' && p[i] != '\t')
			return false;
	return n >= SECRET_LEAST;
}

static int do_seal(struct vault *v, const struct vault_job *j)
{
	struct stat st;
	int r = read_key(v);

	if (r)
		return r;
	if (fstat(VAULT_IN_FD, &st) < 0 || st.st_size < 1 || st.st_size > (off_t)sizeof(v->plain))
		return EINVAL;
	v->box.n = (uint32_t)st.st_size;
	r = read_at(VAULT_IN_FD, v->plain, v->box.n, 0);
	if (!r && !good_secret(v->plain, v->box.n))
		r = EILSEQ;
	if (!r)
		r = seal_box(v, &j->bind);
	if (!r && v->box.n > sizeof(v->box.data))
		r = EINVAL;
	return r ? r : write_all(VAULT_OUT_FD, &v->box, VAULT_BOX_BYTES(v->box.n));
}

static int read_base(struct vault *v, size_t *ret_size)
{
	struct stat st;

	if (fcntl(VAULT_IN_FD, F_GETFD) < 0) {
		v->head = (struct osh_creds){ 0 };
		return 0;
	}
	if (fstat(VAULT_IN_FD, &st) < 0 || st.st_size > OSH_CREDS_BYTES ||
	    vault_entries(VAULT_IN_FD, &v->head, v->old, &(struct err){ 0 }) < 0)
		return EPROTO;
	*ret_size = (size_t)st.st_size;
	return 0;
}

/* Bytes at the end of the set that is being written. */
static int put(const void *p, size_t n, uint32_t *ret_at, uint32_t *ret_n)
{
	off_t at = lseek(VAULT_OUT_FD, 0, SEEK_END);

	if (at < 0 || (size_t)at + n > OSH_CREDS_BYTES)
		return E2BIG;
	*ret_at = (uint32_t)at;
	*ret_n = (uint32_t)n;
	return write_all(VAULT_OUT_FD, p, n);
}

static const struct vault_item *replaced(const struct vault_job *j, const char *name)
{
	for (size_t i = 0; i < j->n_items; i++)
		if (!strcmp(j->items[i].bind.name, name))
			return &j->items[i];
	return NULL;
}

static int copy_part(struct vault *v, size_t size, uint32_t at, uint32_t n, size_t most, uint32_t *ret_at, uint32_t *ret_n)
{
	int r = n > most || at > size || n > size - at ? EPROTO : read_at(VAULT_IN_FD, v->copy, n, at);

	return r ? r : put(v->copy, n, ret_at, ret_n);
}

/* What stays of the old set, byte for byte. */
static int copy_entry(struct vault *v, size_t size, unsigned i, struct osh_creds *head)
{
	const struct osh_creds_entry *old = &v->old[i];
	struct osh_creds_entry *en = &v->now[head->n];
	int r;

	*en = *old;
	r = copy_part(v, size, old->record, old->record_len, OSH_CRED_RECORD_BYTES, &en->record, &en->record_len);
	if (!r)
		r = copy_part(v, size, old->secret, old->secret_len, OSH_CRED_SECRET_BYTES, &en->secret, &en->secret_len);
	if (v->head.stored & 1u << i)
		head->stored |= (uint16_t)(1u << head->n);
	head->n++;
	return r;
}

static const char *placeholder_of(const struct vault *v, const struct vault_item *it)
{
	if (it->placeholder)
		return it->placeholder;
	for (unsigned i = 0; i < v->head.n; i++)
		if (!strcmp(v->old[i].name, it->bind.name))
			return v->old[i].placeholder;
	return NULL;
}

static int put_item(struct vault *v, const struct vault_item *it, struct osh_creds *head)
{
	struct osh_creds_entry *en = &v->now[head->n];
	const char *placeholder = placeholder_of(v, it);
	int r;

	if (head->n == OSH_CREDS)
		return E2BIG;
	if (!placeholder)
		return ENOENT;
	*en = (struct osh_creds_entry){ 0 };
	if (strlen(it->bind.name) >= sizeof(en->name) || strlen(placeholder) >= sizeof(en->placeholder) ||
	    strlen(it->bind.record) > OSH_CRED_RECORD_BYTES)
		return EPROTO;
	strcpy(en->name, it->bind.name);
	strcpy(en->placeholder, placeholder);
	r = open_box(v, it);
	if (!r)
		r = put(it->bind.record, strlen(it->bind.record), &en->record, &en->record_len);
	if (!r)
		r = put(v->plain, v->box.n, &en->secret, &en->secret_len);
	head->stored |= (uint16_t)(1u << head->n);
	head->n++;
	return r;
}

static int do_compose(struct vault *v, const struct vault_job *j)
{
	struct osh_creds head = { .magic = OSH_CREDS_MAGIC };
	size_t size = 0;
	int r = j->n_items ? read_key(v) : 0;

	if (!r)
		r = read_base(v, &size);
	if (!r && ftruncate(VAULT_OUT_FD, (off_t)(sizeof(head) + sizeof(v->now))) < 0)
		r = errno;
	for (unsigned i = 0; !r && i < v->head.n; i++)
		if (!replaced(j, v->old[i].name) && (!j->drop || strcmp(j->drop, v->old[i].name) != 0))
			r = copy_entry(v, size, i, &head);
	for (size_t i = 0; !r && i < j->n_items; i++)
		r = put_item(v, &j->items[i], &head);
	if (!r && !head.n)
		r = ftruncate(VAULT_OUT_FD, 0) < 0 ? errno : 0;
	else if (!r && (pwrite(VAULT_OUT_FD, &head, sizeof(head), 0) != sizeof(head) ||
			pwrite(VAULT_OUT_FD, v->now, sizeof(v->now), sizeof(head)) != sizeof(v->now)))
		r = errno ? errno : EIO;
	if (!r && fcntl(VAULT_OUT_FD, F_ADD_SEALS, SEALS) < 0)
		r = errno;
	return r;
}

int vault_work(const struct vault_job *j)
{
	int r = drop_rights();
	struct vault *v = r ? NULL : secret_alloc(sizeof(*v));

	if (r)
		return r;
	if (!v)
		return errno;
	r = j->kind == VAULT_MAKE ? make_key(v) : j->kind == VAULT_SEAL ? do_seal(v, j) : do_compose(v, j);
	secret_free(v, sizeof(*v));
	return r;
}

int vault_entries(int fd, struct osh_creds *ret_head, struct osh_creds_entry ret[OSH_CREDS], struct err *e)
{
	struct osh_creds head;
	bool ok = pread(fd, &head, sizeof(head), 0) == sizeof(head) && head.magic == OSH_CREDS_MAGIC && head.n &&
		  head.n <= OSH_CREDS;
	size_t n = ok ? head.n * sizeof(*ret) : 0;

	ok = ok && pread(fd, ret, n, sizeof(head)) == (ssize_t)n;
	for (unsigned i = 0; ok && i < head.n; i++)
		ok = ret[i].name[0] && memchr(ret[i].name, 0, sizeof(ret[i].name)) &&
		     memchr(ret[i].placeholder, 0, sizeof(ret[i].placeholder));
	if (!ok)
		return fail(e, EBADMSG, "the credentials that the sandbox was given are malformed");
	*ret_head = head;
	return 0;
}
