/* SPDX-License-Identifier: Apache-2.0 */
/* Stored credentials: what is sealed is opened with the same key, owner, name and record, and with nothing else. */
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../userspace/oshd/vault.h"
#include "../../userspace/oshd/vault_work.h"
#include "own.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

#define SECRET "sk-live-0123456789abcdef"
#define RECORD "{\"hosts\": [\"api.example.com\"]}"

static int memory(const void *p, size_t n)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_int_equal(write(fd, p, n), (ssize_t)n);
	return fd;
}

static int new_key(void)
{
	int fd = memfd_create("key", MFD_CLOEXEC);
	struct err e = { 0 };

	assert_int_equal(vault_make_key(fd, &e), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), VAULT_KEY);
	return fd;
}

static struct vault_box sealed(int key, uid_t uid, const char *name, const char *secret)
{
	_close_ int in = memory(secret, strlen(secret));
	struct vault_bind b = { uid, name, RECORD };
	struct vault_box box;
	struct err e = { 0 };

	if (vault_seal(key, &b, in, &box, &e) < 0)
		fail_msg("seal: %s", e.text);
	return box;
}

static struct vault_item item(uid_t uid, const char *name, const struct vault_box *box)
{
	return (struct vault_item){ { uid, name, RECORD }, box, VAULT_BOX_BYTES(box->n), "osh-placeholder" };
}

/* The secret of entry i, as the egress will read it. */
static void expect(int fd, unsigned i, const char *name, const char *secret, bool stored)
{
	struct osh_creds head;
	struct osh_creds_entry en[OSH_CREDS];
	char text[OSH_CRED_SECRET_BYTES];
	struct err e = { 0 };

	assert_int_equal(vault_entries(fd, &head, en, &e), 0);
	assert_true(i < head.n);
	assert_string_equal(en[i].name, name);
	assert_int_equal(en[i].secret_len, strlen(secret));
	assert_int_equal(pread(fd, text, en[i].secret_len, en[i].secret), en[i].secret_len);
	assert_memory_equal(text, secret, strlen(secret));
	assert_int_equal(!!(head.stored & 1u << i), stored);
	assert_int_equal(fcntl(fd, F_GET_SEALS) & (F_SEAL_WRITE | F_SEAL_GROW), F_SEAL_WRITE | F_SEAL_GROW);
}

static void what_is_sealed_is_opened(void **state)
{
	_close_ int key = new_key(), set = -1;
	struct vault_box box = sealed(key, 1000, "acme", SECRET), other = sealed(key, 1000, "acme", SECRET);
	struct vault_item it = item(1000, "acme", &box);
	struct err e = { 0 };

	(void)state;
	assert_null(memmem(&box, VAULT_BOX_BYTES(box.n), "sk-live", 7));
	assert_memory_not_equal(box.data, other.data, box.n);
	if (vault_compose(key, -1, &it, 1, NULL, &set, &e) < 0)
		fail_msg("%s", e.text);
	expect(set, 0, "acme", SECRET, true);
}

static int refused(int key, const struct vault_item *it)
{
	struct err e = { 0 };
	int set = -1, r = vault_compose(key, -1, it, 1, NULL, &set, &e);

	assert_int_equal(set, -1);
	assert_true(r == 0 || e.text[0]);
	return r;
}

static void nothing_else_opens_it(void **state)
{
	_close_ int key = new_key(), another = new_key(), none = memfd_create("none", MFD_CLOEXEC);
	struct vault_box box = sealed(key, 1000, "acme", SECRET);
	struct vault_item it = item(1000, "acme", &box);
	unsigned char *bytes = (unsigned char *)&box;

	(void)state;
	assert_int_equal(refused(another, &it), -ENOKEY);
	assert_int_equal(refused(none, &it), -ENOKEY);
	it.bind.uid = 1001;
	assert_int_equal(refused(key, &it), -EBADMSG);
	it = item(1000, "acme2", &box);
	assert_int_equal(refused(key, &it), -EBADMSG);
	it = item(1000, "acme", &box);
	it.bind.record = "{\"hosts\": [\"evil.example.com\"]}";
	assert_int_equal(refused(key, &it), -EBADMSG);
	it = item(1000, "acme", &box);
	for (size_t i = sizeof(box.key_id); i < VAULT_BOX_BYTES(box.n); i++) {
		bytes[i] ^= 1;
		if (i % 7 == 0 || i >= VAULT_BOX_BYTES(0))
			assert_int_equal(refused(key, &it), -EBADMSG);
		bytes[i] ^= 1;
	}
	it.box_len--;
	assert_int_equal(refused(key, &it), -EBADMSG);
	it.box_len = 3;
	assert_int_equal(refused(key, &it), -EBADMSG);
}

static void a_set_changes_by_name(void **state)
{
	_close_ int key = new_key(), one = -1, two = -1, three = -1, four = -1;
	struct vault_box a = sealed(key, 1000, "a", "secret-of-a-1"), b = sealed(key, 1000, "b", "secret-of-b-1"),
			 a2 = sealed(key, 1000, "a", "the-new-secret-of-a");
	struct vault_item both[] = { item(1000, "a", &a), item(1000, "b", &b) }, next = item(1000, "a", &a2);
	struct osh_creds_entry en[OSH_CREDS];
	struct osh_creds head;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(vault_compose(key, -1, both, 2, NULL, &one, &e), 0);
	next.placeholder = NULL;
	assert_int_equal(vault_compose(key, one, &next, 1, NULL, &two, &e), 0);
	expect(two, 0, "b", "secret-of-b-1", true);
	expect(two, 1, "a", "the-new-secret-of-a", true);
	assert_int_equal(vault_entries(two, &head, en, &e), 0);
	assert_string_equal(en[1].placeholder, "osh-placeholder");
	assert_int_equal(vault_compose(-1, two, NULL, 0, "b", &three, &e), 0);
	expect(three, 0, "a", "the-new-secret-of-a", true);
	assert_int_equal(vault_compose(-1, three, NULL, 0, "a", &four, &e), 0);
	assert_int_equal(four, -1);
	next.bind.name = "c";
	assert_int_equal(vault_compose(key, one, &next, 1, NULL, &four, &e), -ENOENT);
}

/* A set may be of a caller's own making. */
static void odd_sets_are_refused(void **state)
{
	static const struct {
		uint32_t magic;
		uint16_t n;
		struct osh_creds_entry en;
	} odd[] = {
		{ 0, 1, { "x", "placeholder", 0, 8, 0, 8 } },
		{ OSH_CREDS_MAGIC, 0, { "x", "placeholder", 0, 8, 0, 8 } },
		{ OSH_CREDS_MAGIC, 17, { "x", "placeholder", 0, 8, 0, 8 } },
		{ OSH_CREDS_MAGIC, 2, { "x", "placeholder", 0, 8, 0, 8 } },
		{ OSH_CREDS_MAGIC, 1, { "", "placeholder", 0, 8, 0, 8 } },
		{ OSH_CREDS_MAGIC, 1, { "x", "placeholder", 0xffffffff, 8, 0, 8 } },
		{ OSH_CREDS_MAGIC, 1, { "x", "placeholder", 0, 0xffffffff, 0, 8 } },
		{ OSH_CREDS_MAGIC, 1, { "x", "placeholder", 0, 8, 0, 5000 } },
		{ OSH_CREDS_MAGIC, 1, { "x", "placeholder", 0, 8, 300, 4000 } },
	};
	_close_ int key = new_key();
	struct vault_box a = sealed(key, 1000, "a", "secret-of-a-1");
	struct vault_item it = item(1000, "a", &a);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		struct osh_creds head = { .magic = odd[i].magic, .n = odd[i].n };
		_close_ int fd = memory(&head, sizeof(head)), set = -1;
		struct err e = { 0 };

		assert_int_equal(write(fd, &odd[i].en, sizeof(odd[i].en)), sizeof(odd[i].en));
		assert_int_equal(vault_compose(key, fd, &it, 1, NULL, &set, &e), -EPROTO);
		assert_int_equal(set, -1);
	}
}

static void bounds(void **state)
{
	_close_ int key = new_key(), empty = memfd_create("empty", MFD_CLOEXEC), big = memfd_create("big", MFD_CLOEXEC),
		    small = memory("seven-c\n", 8);
	struct vault_bind b = { 1000, "acme", RECORD };
	struct vault_box box;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(ftruncate(big, OSH_CRED_SECRET_BYTES + 1), 0);
	assert_int_equal(vault_seal(key, &b, empty, &box, &e), -EINVAL);
	assert_int_equal(vault_seal(key, &b, big, &box, &e), -EINVAL);
	assert_int_equal(ftruncate(big, OSH_CRED_SECRET_BYTES), 0);
	assert_int_equal(vault_seal(key, &b, big, &box, &e), -EILSEQ);
	assert_int_equal(vault_seal(key, &b, small, &box, &e), -EILSEQ);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sealed_is_opened), cmocka_unit_test(nothing_else_opens_it),
		cmocka_unit_test(a_set_changes_by_name), cmocka_unit_test(odd_sets_are_refused), cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
