// SPDX-License-Identifier: Apache-2.0
/*
 * Filling, flipping, undoing and clearing the tables of a sandbox, and adopting them: what is in the
 * maps afterwards, and what the hooks answer meanwhile.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

#include "netrig.h"
#include "own.h"

#include <cmocka.h>			/* last: it has a macro fail() */

static struct rig rig;
static struct rig_policy policy;

/* Entries of the sandbox `id` in all maps that know sandboxes. */
static int entries(struct kbpf *k, uint32_t id, const char **ret_where)
{
	int n = 0;

	for (int m = 0; m < KMAP_MAX; m++) {
		char key[512], next[512];
		int more;

		if (kbpf_maps[m].id_at < 0)
			continue;
		for (more = !bpf_map_get_next_key(k->map[m], NULL, next); more;) {
			uint32_t owner;

			memcpy(key, next, kbpf_maps[m].key);
			more = !bpf_map_get_next_key(k->map[m], key, next);
			memcpy(&owner, key + kbpf_maps[m].id_at, sizeof(owner));
			if (owner == id) {
				n++;
				*ret_where = kbpf_maps[m].name;
			}
		}
	}
	return n;
}

static uint32_t address_of(const char *name, uint32_t generation, uint32_t *ret_host)
{
	struct osh_name_key key = { .id = RIG_ID };
	struct osh_name v;

	strcpy(key.name, name);
	*ret_host = 0;
	if (bpf_map_lookup_elem(kbpf_map_fd(rig.k, "names"), &key, &v))
		return 0;
	*ret_host = OSH_HOST_IN(v.by, generation);
	return v.addr;
}

/* 0 or the errno of connecting to a synthetic address. */
static int try_connect(struct rig *g, void *arg)
{
	const uint32_t *to = arg;
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(to[1]),
				  .sin_addr.s_addr = htonl(OSH_NET4 + to[0]) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)g;
	return connect(fd, (void *)&in, sizeof(in)) < 0 ? errno : 0;
}

static int connects(uint32_t index, uint32_t port)
{
	uint32_t to[2] = { index, port };

	return rig_in(&rig, rig.box, NULL, try_connect, to);
}

static int start(void **state)
{
	(void)state;
	rig_policy(&policy);
	return rig_start(&rig) < 0 || rig_listen(&rig) < 0 ? -1 : 0;
}

static int stop(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

static void every_hook_is_in_the_object(void **state)
{
	(void)state;
	for (int h = 0; h < OSH_HOOK_MAX; h++)
		if (!kbpf_program(rig.k, h))
			fail_msg("no program '%s'", kbpf_hook_name(h));
}

static void fill_flip_clear(void **state)
{
	const char *where = NULL;
	uint32_t host;

	(void)state;
	assert_int_equal(kbpf_fill(rig.k, &rig.s, &policy.b, &rig.e), 0);
	assert_int_equal(address_of("allowed.test", 1, &host), 1);
	assert_int_equal(host, 1);
	assert_int_equal(address_of("prog.test", 1, &host), 2);
	assert_int_equal(address_of("*.wild.test", 1, &host), 0);
	/* Filled is not in force: nobody is in the slot yet. */
	assert_int_equal(connects(1, 443), EACCES);
	assert_int_equal(kbpf_flip(rig.k, &rig.s, &policy.b, &rig.e), 0);
	assert_int_equal(connects(1, 443), 0);
	assert_int_equal(connects(1, 444), EACCES);
	assert_int_equal(kbpf_env_exempt(rig.k, &rig.s, "GIT_EDITOR=true", &rig.e), 0);
	assert_int_equal(rig.k->sandboxes[RIG_SLOT].n_globs, 1);
	assert_int_equal(rig.k->sandboxes[RIG_SLOT].wild_budget, 8);

	kbpf_clear(rig.k, &rig.s);
	kbpf_clear(rig.k, &rig.s);
	if (entries(rig.k, RIG_ID, &where))
		fail_msg("%d entries left, one in '%s'", entries(rig.k, RIG_ID, &where), where);
	assert_int_equal(rig.k->sandboxes[RIG_SLOT].id, 0);
	assert_int_equal(connects(1, 443), EACCES);
}

/* The second policy: prog.test first, a new name, allowed.test gone. */
static void second_policy(struct rig_policy *p)
{
	rig_policy(p);
	p->hosts[0].name = rig_str("prog.test");
	p->hosts[1].name = rig_str("10.9.0.0/16") + 3;	/* "9.0.0/16": any text will do as a name */
	p->alts[1].group = 0;
}

static void reload_keeps_addresses(void **state)
{
	struct kbpf_sandbox next = rig.s;
	struct rig_policy second;
	const char *where = NULL;
	uint32_t host;

	(void)state;
	second_policy(&second);
	next.generation = 2;
	assert_int_equal(kbpf_fill(rig.k, &rig.s, &policy.b, &rig.e), 0);
	assert_int_equal(kbpf_flip(rig.k, &rig.s, &policy.b, &rig.e), 0);
	assert_int_equal(kbpf_fill(rig.k, &next, &second.b, &rig.e), 0);

	/* Before the flip the first policy holds, whole. */
	assert_int_equal(connects(1, 443), 0);
	assert_int_equal(connects(2, 443), EACCES);
	assert_int_equal(connects(3, 443), EACCES);
	assert_int_equal(kbpf_flip(rig.k, &next, &second.b, &rig.e), 0);

	/* prog.test is host 1 now and keeps address 2; the new name has the next one; 1 is nobody's. */
	assert_int_equal(address_of("prog.test", 2, &host), 2);
	assert_int_equal(host, 1);
	assert_int_equal(address_of("9.0.0/16", 2, &host), 3);
	assert_int_equal(host, 2);
	assert_int_equal(address_of("allowed.test", 2, &host), 1);
	assert_int_equal(host, 0);
	assert_int_equal(connects(1, 443), EACCES);
	assert_int_equal(connects(2, 443), 0);
	assert_int_equal(connects(3, 443), 0);
	kbpf_clear_old(rig.k, &next);
	assert_int_equal(connects(2, 443), 0);
	assert_int_equal(connects(1, 443), EACCES);
	kbpf_clear(rig.k, &next);
	if (entries(rig.k, RIG_ID, &where))
		fail_msg("%d entries left, one in '%s'", entries(rig.k, RIG_ID, &where), where);
}

static void failed_fill_leaves_nothing(void **state)
{
	struct kbpf_sandbox next = rig.s;
	struct rig_policy second;
	const char *where = NULL;
	int before;
	uint32_t host;

	(void)state;
	second_policy(&second);
	second.endpoints[4].port = 70000;
	assert_int_equal(kbpf_fill(rig.k, &rig.s, &second.b, &rig.e), -EINVAL);
	assert_int_equal(entries(rig.k, RIG_ID, &where), 0);

	assert_int_equal(kbpf_fill(rig.k, &rig.s, &policy.b, &rig.e), 0);
	assert_int_equal(kbpf_flip(rig.k, &rig.s, &policy.b, &rig.e), 0);
	before = entries(rig.k, RIG_ID, &where);
	next.generation = 2;
	assert_true(kbpf_fill(rig.k, &next, &second.b, &rig.e) < 0);
	assert_int_equal(entries(rig.k, RIG_ID, &where), before);
	assert_int_equal(connects(1, 443), 0);
	assert_int_equal(connects(2, 443), EACCES);
	address_of("prog.test", 2, &host);
	assert_int_equal(host, 0);
	assert_int_equal(address_of("9.0.0/16", 2, &host), 0);
	kbpf_clear(rig.k, &rig.s);
	assert_int_equal(entries(rig.k, RIG_ID, &where), 0);
}

static void full_table_is_an_error(void **state)
{
	uint32_t n = 70000;		/* small maps hold 65536 */
	struct osh_b_endpoint *many = calloc(n, sizeof(*many));
	const char *where = NULL;

	(void)state;
	for (uint32_t i = 0; i < n; i++)
		many[i] = (struct osh_b_endpoint){ 1 + i / 60000, 1 + i % 60000, 0, 1 };
	policy.b.endpoints = many;
	policy.b.n_endpoints = n;
	assert_int_equal(kbpf_fill(rig.k, &rig.s, &policy.b, &rig.e), -ENOSPC);
	assert_non_null(strstr(rig.e.text, "full"));
	assert_int_equal(entries(rig.k, RIG_ID, &where), 0);
	free(many);
}

static double ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void ten_thousand_names(void **state)
{
	uint32_t n = 10000, at = 1, host;
	char *text = calloc(n + 1, 32);
	struct osh_b_host *hosts = calloc(n, sizeof(*hosts));
	struct osh_b_endpoint *eps = calloc(n, sizeof(*eps));
	struct kbpf_sandbox next = rig.s;
	const char *where = NULL;
	double a, b, c, d;

	(void)state;
	for (uint32_t i = 0; i < n; i++) {
		hosts[i] = (struct osh_b_host){ at, OSH_HOST_EXACT };
		eps[i] = (struct osh_b_endpoint){ i + 1, 443, 0, 1 };
		at += sprintf(text + at, "host%u.example.test", i) + 1;
	}
	policy.b = (struct bundle){ .strings = text, .n_strings = at, .meta = &policy.meta, .hosts = hosts,
				    .n_hosts = n, .endpoints = eps, .n_endpoints = n,
				    .alts = policy.alts, .n_alts = 5 };
	a = ms();
	assert_int_equal(kbpf_fill(rig.k, &rig.s, &policy.b, &rig.e), 0);
	b = ms();
	assert_int_equal(kbpf_flip(rig.k, &rig.s, &policy.b, &rig.e), 0);
	assert_int_equal(address_of("host9999.example.test", 1, &host), 10000);
	assert_int_equal(connects(10000, 443), 0);
	next.generation = 2;
	c = ms();
	assert_int_equal(kbpf_fill(rig.k, &next, &policy.b, &rig.e), 0);
	d = ms();
	assert_int_equal(address_of("host9999.example.test", 2, &host), 10000);
	printf("# 10000 names: fill %.1f ms, reload %.1f ms", b - a, d - c);
	a = ms();
	kbpf_clear(rig.k, &rig.s);
	printf(", clear %.1f ms\n", ms() - a);
	assert_int_equal(entries(rig.k, RIG_ID, &where), 0);
	free(text);
	free(hosts);
	free(eps);
}

static void next_tenant_is_not_the_last(void **state)
{
	(void)state;
	assert_int_equal(kbpf_fill(rig.k, &rig.s, &policy.b, &rig.e), 0);
	assert_int_equal(kbpf_flip(rig.k, &rig.s, &policy.b, &rig.e), 0);
	assert_int_equal(connects(1, 443), 0);
	/* The slot is given to another id; what the first one left behind must not speak for it. */
	rig.k->sandboxes[RIG_SLOT].id = RIG_ID + 1;
	assert_int_equal(connects(1, 443), EACCES);
	rig.s.id = RIG_ID + 1;
	assert_int_equal(kbpf_fill(rig.k, &rig.s, &policy.b, &rig.e), -ENOMEM);
	rig.s.id = RIG_ID;
	rig.k->sandboxes[RIG_SLOT].id = RIG_ID;
	kbpf_clear(rig.k, &rig.s);
}

static int count_files(const char *dir)
{
	struct dirent *entry;
	DIR *d = opendir(dir);
	int n = 0;

	while (d && (entry = readdir(d)))
		n += !strchr(entry->d_name, '.');	/* the kernel's own: maps.debug */
	if (d)
		closedir(d);
	return n;
}

static void adopted_tables_are_the_same(void **state)
{
	char dir[64];
	const char *where = NULL;
	struct kbpf *former = rig.k;
	struct kbpf_sandbox next = rig.s;
	struct rig_policy second;
	int prog, map;

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/osh-test-bpffs-%d", getpid());
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(mount("bpf", dir, "bpf", 0, "mode=0700"), 0);
	assert_int_equal(kbpf_attach_global(rig.k, &rig.e), 0);
	assert_int_equal(kbpf_pin(rig.k, dir, &rig.e), 0);
	assert_int_equal(kbpf_fill(rig.k, &rig.s, &policy.b, &rig.e), 0);
	assert_int_equal(kbpf_flip(rig.k, &rig.s, &policy.b, &rig.e), 0);

	/* The daemon dies: its descriptors go, the pins and the cgroup's programs stay. */
	ring_buffer__free(rig.allow);
	ring_buffer__free(rig.deny);
	rig.allow = rig.deny = NULL;
	kbpf_free(former);
	rig.k = NULL;
	assert_int_equal(connects(1, 443), 0);
	assert_int_equal(connects(1, 80), EACCES);
	if (kbpf_adopt(&rig.k, dir, 0, &rig.e) < 0)
		fail_msg("%s", rig.e.text);
	assert_int_equal(rig.k->sandboxes[RIG_SLOT].id, RIG_ID);
	assert_int_equal(connects(1, 443), 0);
	assert_int_equal(kbpf_steer_new(rig.k, &prog, &map, &rig.e), 0);
	close(prog);
	close(map);

	/* It can reload and clear a sandbox whose keys it never wrote. */
	second_policy(&second);
	next.generation = 2;
	assert_int_equal(kbpf_fill(rig.k, &next, &second.b, &rig.e), 0);
	assert_int_equal(kbpf_flip(rig.k, &next, &second.b, &rig.e), 0);
	assert_int_equal(connects(1, 443), EACCES);
	assert_int_equal(connects(2, 443), 0);
	kbpf_clear_old(rig.k, &next);
	assert_int_equal(connects(2, 443), 0);
	kbpf_clear(rig.k, &next);
	assert_int_equal(entries(rig.k, RIG_ID, &where), 0);
	kbpf_unpin(dir);
	assert_int_equal(count_files(dir), 0);
	assert_int_equal(umount(dir), 0);
	rmdir(dir);
}

static void pins_of_another_abi_are_refused(void **state)
{
	char dir[64], path[96];
	struct kbpf *k = NULL;
	int map;

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/osh-test-bpffs-%d", getpid());
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(mount("bpf", dir, "bpf", 0, "mode=0700"), 0);
	assert_int_equal(kbpf_adopt(&k, dir, 0, &rig.e), -ENOENT);
	assert_int_equal(kbpf_pin(rig.k, dir, &rig.e), 0);
	snprintf(path, sizeof(path), "%s/map_names", dir);
	unlink(path);
	map = bpf_map_create(BPF_MAP_TYPE_HASH, "names", 4, 4, 16, NULL);
	assert_int_equal(bpf_obj_pin(map, path), 0);
	close(map);
	assert_int_equal(kbpf_adopt(&k, dir, 0, &rig.e), -EPROTO);
	assert_null(k);
	kbpf_unpin(dir);
	assert_int_equal(umount(dir), 0);
	rmdir(dir);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_hook_is_in_the_object),
		TEST(fill_flip_clear),
		TEST(reload_keeps_addresses),
		TEST(failed_fill_leaves_nothing),
		TEST(full_table_is_an_error),
		TEST(ten_thousand_names),
		TEST(next_tenant_is_not_the_last),
		TEST(adopted_tables_are_the_same),
		TEST(pins_of_another_abi_are_refused),
	};

	if (geteuid())
		return puts("1..0 # SKIP needs root"), 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
