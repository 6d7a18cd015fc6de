/* SPDX-License-Identifier: Apache-2.0 */
#include "root.h"

#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cert.h"
#include "osh/root.h"
#include "own.h"
#include "spawn.h"
#include "secret.h"

#define DAY 86400
#define SLACK (7 * DAY)			/* clocks differ, are set and jump */
#define CLOCK_DRIFT 3600
#define LIFE (366 * DAY)		/* a sandbox that lives longer is restarted; the key dies with it anyway */
#define SEALS (F_SEAL_SEAL | F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

/* Where distributions keep the roots that the operator trusts: Debian, Fedora, SUSE, Alpine. */
static const char *const host_bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/ca-bundle.pem",
	"/etc/ssl/cert.pem",
};

static int write_all(int fd, const void *p, size_t n, struct err *e)
{
	for (size_t at = 0; at < n;) {
		ssize_t r = write(fd, (const char *)p + at, n - at);

		if (r <= 0)
			return fail(e, r ? errno : EIO, "write: %s", strerror(r ? errno : EIO));
		at += (size_t)r;
	}
	return 0;
}

static bool key_bytes(EVP_PKEY *key, uint8_t out[32])
{
	BIGNUM *n = NULL;
	bool ok = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &n) && BN_bn2lebinpad(n, out, 32) == 32;

	BN_clear_free(n);
	return ok;
}

static int fill(const char *name, struct osh_root *r, char *pem, size_t *n_pem)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	time_t now = time(NULL);
	struct cert_spec c = { .org = "osh sandbox", .name = name, .key = key, .signer = key, .ca = true,
			       .from = now - SLACK, .to = now + LIFE };
	X509 *x = key ? cert_make(&c) : NULL;
	BIO *text = BIO_new(BIO_s_mem());
	unsigned char *p = r->cert;
	int n = x ? i2d_X509(x, NULL) : -1, r_pem = -1;

	if (n > 0 && (size_t)n <= sizeof(r->cert) && text && key_bytes(key, r->key) && i2d_X509(x, &p) == n &&
	    PEM_write_bio_X509(text, x))
		r_pem = BIO_read(text, pem, OSH_ROOT_PEM);
	r->magic = OSH_ROOT_MAGIC;
	r->n_cert = n > 0 ? (uint32_t)n : 0;
	*n_pem = r_pem > 0 ? (size_t)r_pem : 0;
	BIO_free(text);
	X509_free(x);
	EVP_PKEY_free(key);
	return r_pem > 0 ? 0 : -EIO;
}

int root_make(const char *name, int key_fd, int cert_fd, struct err *e)
{
	struct osh_root *r = secret_alloc(sizeof(*r));
	char pem[OSH_ROOT_PEM];
	size_t n = 0;
	int x = 0;

	if (!r)
		return fail(e, errno, "locked memory: %s", strerror(errno));
	if (fill(name, r, pem, &n) < 0)
		x = fail(e, EIO, "make the sandbox's root");
	if (!x)
		x = write_all(key_fd, r, sizeof(*r), e);
	secret_free(r, sizeof(*r));
	if (!x && fcntl(key_fd, F_ADD_SEALS, SEALS) < 0)
		x = fail(e, errno, "seal the sandbox's root: %s", strerror(errno));
	return x ? x : write_all(cert_fd, pem, n, e);
}

/* Two descriptors, no privileges, no input but a name of ours. What it leaves is in the memfd. */
_Noreturn static void child(const char *name, int key_fd, int cert_fd)
{
	const uid_t uid = OSH_UID_ROOT;
	struct err e = { 0 };

	if (dup2(key_fd, 3) < 0 || dup2(cert_fd, 4) < 0 || close_range(5, ~0u, 0) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0) < 0 || OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1 ||
	    CRYPTO_secure_malloc_init(16384, 32) != 1 || setgroups(0, NULL) < 0 ||
	    setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		_exit(1);
	_exit(root_make(name, 3, 4, &e) < 0);
}

struct maker {
	pid_t pid;
};

static int on_maker(sd_event_source *src, int fd, uint32_t events, void *data)
{
	struct maker *m = data;

	(void)fd;
	(void)events;
	waitpid(m->pid, NULL, 0);
	free(m);
	sd_event_source_disable_unref(src);
	return 0;
}

static int spawn(struct daemon *d, const char *name, int key_fd, int cert_fd, struct err *e)
{
	_free_ struct maker *m = malloc(sizeof(*m));
	_close_ int pidfd = -1;
	sd_event_source *src = NULL;

	if (!m)
		return fail(e, ENOMEM, "out of memory");
	m->pid = spawn_fork(&pidfd);
	if (m->pid == 0)
		child(name, key_fd, cert_fd);
	if (m->pid < 0)
		return fail(e, errno, "fork: %s", strerror(errno));
	if (sd_event_add_io(d->event, &src, pidfd, EPOLLIN, on_maker, m) < 0) {
		waitpid(m->pid, NULL, 0);	/* it takes a few milliseconds */
		return fail(e, ENOMEM, "watch the maker of a root: out of memory");
	}
	sd_event_source_set_io_fd_own(src, 1);
	(void)take_fd(&pidfd);
	(void)take_ptr(&m);
	return 0;
}

static int64_t seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec;
}

/* Nobody needs to know whose it is before it is used: the name is random, so that no two are called the same. */
static int make(struct daemon *d, struct root_made *ret, struct err *e)
{
	_close_ int key = memfd_create("osh-root", MFD_CLOEXEC | MFD_ALLOW_SEALING), out = -1, in = -1;
	char name[24];
	uint64_t id;
	int both[2], r;

	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return fail(e, EIO, "no random bytes");
	if (key < 0 || pipe2(both, O_CLOEXEC) < 0)
		return fail(e, errno, "a place for the sandbox's root: %s", strerror(errno));
	in = both[0];
	out = both[1];
	snprintf(name, sizeof(name), "%016" PRIx64, id);
	r = spawn(d, name, key, out, e);
	if (r < 0)
		return r;
	*ret = (struct root_made){ take_fd(&key), take_fd(&in), seconds(CLOCK_REALTIME), seconds(CLOCK_BOOTTIME),
				   true };
	return 0;
}

/* Not of yesterday, and of the same clock: one that was set meanwhile gave it another life than it should have. */
static bool fresh(const struct root_made *m)
{
	int64_t age = seconds(CLOCK_BOOTTIME) - m->boot_s, drift = seconds(CLOCK_REALTIME) - m->wall_s - age;

	return m->set && age < DAY && drift > -CLOCK_DRIFT && drift < CLOCK_DRIFT;
}

int root_start(struct daemon *d, int *ret_key, int *ret_cert, struct err *e)
{
	struct root_made m = d->next_root;
	int r = 0;

	if (!fresh(&m)) {
		root_close(d);
		r = make(d, &m, e);
	}
	d->next_root = (struct root_made){ 0 };
	if (r < 0)
		return r;
	*ret_key = m.key;
	*ret_cert = m.cert;
	return 0;
}

void root_ahead(struct daemon *d)
{
	if (!d->next_root.set && !d->config.embedded)
		(void)make(d, &d->next_root, &(struct err){ 0 });
}

void root_close(struct daemon *d)
{
	if (!d->next_root.set)
		return;
	close(d->next_root.key);
	close(d->next_root.cert);
	d->next_root = (struct root_made){ 0 };
}

/* From the file's start to its end. Too large, or unreadable: an error, never half of the roots. */
static int copy(int from, int to, size_t *total, struct err *e)
{
	static char part[65536];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(from, part, sizeof(part), at)) > 0) {
		int r;

		at += n;
		*total += (size_t)n;
		if (*total > OSH_ANCHORS_BYTES)
			return fail(e, E2BIG, "trusted roots: more than %u bytes", OSH_ANCHORS_BYTES);
		r = write_all(to, part, (size_t)n, e);
		if (r < 0)
			return r;
	}
	if (n < 0)
		return fail(e, errno, "read trusted roots: %s", strerror(errno));
	*total += 1;			/* a file may end without a newline */
	return at ? write_all(to, "\n", 1, e) : 0;
}

int root_none(void)
{
	_close_ int fd = memfd_create("osh-none", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return fd < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0 ? -1 : take_fd(&fd);
}

static int open_host(struct stat *st)
{
	for (size_t i = 0; i < ARRAY_SIZE(host_bundles); i++) {
		int fd = open(host_bundles[i], O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

		if (fd >= 0 && fstat(fd, st) == 0 && S_ISREG(st->st_mode) && st->st_size)
			return fd;
		if (fd >= 0)
			close(fd);
	}
	*st = (struct stat){ 0 };
	return -1;			/* no roots: every upstream fails to verify, with that reason */
}

static int build(int host, int extra, int *ret, struct err *e)
{
	_close_ int fd = memfd_create("osh-anchors", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t total = 0;
	int r = fd < 0 ? fail(e, errno, "memfd: %s", strerror(errno)) : 0;

	if (!r && host >= 0)
		r = copy(host, fd, &total, e);
	if (!r && extra >= 0)
		r = copy(extra, fd, &total, e);
	if (!r && fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		r = fail(e, errno, "seal the trusted roots: %s", strerror(errno));
	if (!r)
		*ret = take_fd(&fd);
	return r;
}

int root_anchors(struct daemon *d, int extra, int *ret, struct err *e)
{
	struct stat st;
	_close_ int host = open_host(&st);
	struct root_shared *s = &d->anchors;
	int r;

	if (extra >= 0)
		return build(host, extra, ret, e);
	if (!s->fd || s->dev != st.st_dev || s->ino != st.st_ino || s->size != st.st_size ||
	    s->mtime.tv_sec != st.st_mtim.tv_sec || s->mtime.tv_nsec != st.st_mtim.tv_nsec) {
		int fd = -1;

		r = build(host, -1, &fd, e);
		if (r < 0)
			return r;
		if (s->fd)
			close(s->fd);
		*s = (struct root_shared){ fd, st.st_dev, st.st_ino, st.st_size, st.st_mtim };
	}
	*ret = fcntl(s->fd, F_DUPFD_CLOEXEC, 3);
	return *ret < 0 ? fail(e, errno, "duplicate a descriptor: %s", strerror(errno)) : 0;
}
