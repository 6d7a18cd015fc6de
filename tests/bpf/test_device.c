// SPDX-License-Identifier: Apache-2.0
/*
 * The device program alone: nodes made outside any sandbox, of numbers that no driver has, opened by a
 * process in a sandbox's cgroup with nothing else in its way. ENXIO is the kernel's word for an open that
 * was let through to a driver that is not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "netrig.h"
#include "own.h"
#include "text.h"

#include <cmocka.h>			/* last: it has a macro fail() */

#define NVIDIA 195
#define OTHER_ID (RIG_ID + 1)

static struct rig rig;
static struct rig_policy policy;
static char dir[] = "/tmp/osh-device-XXXXXX";

struct attempt {
	unsigned major, minor;
	int flags;			/* of open(2), -1 = mknod */
	mode_t type;
	int want;
	unsigned why;			/* of the event, 0 = none */
};

static void path_of(const struct attempt *a, char ret[64])
{
	snprintf(ret, 64, "%s/%c%u.%u", dir, a->type == S_IFBLK ? 'b' : 'c', a->major, a->minor);
}

static int try(struct rig *g, void *arg)
{
	const struct attempt *a = arg;
	char path[64];
	int r;

	(void)g;
	(void)setsid();			/* no terminal: /dev/tty is then ENXIO for everybody */
	path_of(a, path);
	if (a->flags >= 0)
		r = open(path, a->flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	else
		r = mknod(strcat(path, "x"), a->type | 0600, makedev(a->major, a->minor));
	r = r < 0 ? errno : 0;
	if (a->flags < 0)
		unlink(path);
	return r;
}

static void forget(void)
{
	kbpf_drop(rig.k, &rig.s, KMAP_DENIALS, 0);
	rig.k->sandboxes[RIG_SLOT].denials = 0;
	rig_forget_events(&rig);
}

static void check(struct attempt a, const char *note)
{
	char path[64];
	int got;

	path_of(&a, path);
	if (mknod(path, a.type | 0600, makedev(a.major, a.minor)) < 0 && errno != EEXIST)
		fail_msg("mknod outside: %s", strerror(errno));
	forget();
	got = rig_in(&rig, rig.box, NULL, try, &a);
	rig_read_allows(&rig);
	ring_buffer__consume(rig.deny);
	unlink(path);
	if (got != a.want || rig.n_events != !!a.why || (a.why && rig.events[0].ev.why != a.why))
		fail_msg("%s: %u:%u flags %d: errno %d, want %d; %d events, %s", note, a.major, a.minor, a.flags, got,
			 a.want, rig.n_events, rig.n_events ? reason_id(rig.events[0].ev.why) : "-");
	if (!a.why)
		return;
	assert_int_equal(rig.events[0].ev.kind, OSH_EV_DEVICE);
	assert_int_equal(rig.events[0].ev.verdict, OSH_DENY);
	assert_int_equal(rig.events[0].ev.aux, OSH_DEVICE_AUX(a.type == S_IFCHR, a.major, a.minor));
}

static void grant(uint32_t id, unsigned minor, uint32_t rights)
{
	struct osh_device_key key = { .id = id, .major = NVIDIA, .minor = minor };

	assert_int_equal(bpf_map_update_elem(kbpf_map_fd(rig.k, "devices"), &key, &rights, BPF_ANY), 0);
}

static void take_back(uint32_t id, unsigned minor)
{
	struct osh_device_key key = { .id = id, .major = NVIDIA, .minor = minor };

	assert_int_equal(bpf_map_delete_elem(kbpf_map_fd(rig.k, "devices"), &key), 0);
}

static void base_nodes(void **state)
{
	(void)state;
#define NODE(name, major, minor)                                                                   \
	check((struct attempt){ major, minor, O_RDWR, S_IFCHR, major == 5 ? ENXIO : 0, 0 }, #name);
#include "osh/devices.def"
#undef NODE
}

static void others_are_refused(void **state)
{
	static const unsigned numbers[][2] = { { NVIDIA, 0 }, { NVIDIA, 255 }, { 511, 0 }, { 226, 128 }, { 1, 1 },
					       { 1, 4 }, { 1, 11 }, { 10, 229 }, { 10, 200 }, { 4, 64 }, { 5, 1 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		check((struct attempt){ numbers[i][0], numbers[i][1], O_RDONLY, S_IFCHR, EPERM, OSH_WHY_DEVICE }, "char");
	check((struct attempt){ 7, 0, O_RDONLY, S_IFBLK, EPERM, OSH_WHY_DEVICE }, "block");
	check((struct attempt){ 1, 3, O_RDONLY, S_IFBLK, EPERM, OSH_WHY_DEVICE }, "block with the numbers of null");
}

static void granted(void **state)
{
	(void)state;
	grant(RIG_ID, 0, OSH_DEVICE_READ | OSH_DEVICE_WRITE);
	check((struct attempt){ NVIDIA, 0, O_RDWR, S_IFCHR, ENXIO, 0 }, "granted");
	check((struct attempt){ NVIDIA, 1, O_RDWR, S_IFCHR, EPERM, OSH_WHY_DEVICE }, "its neighbour");
	check((struct attempt){ NVIDIA, 0, O_RDWR, S_IFBLK, EPERM, OSH_WHY_DEVICE }, "a block device of that number");
	check((struct attempt){ NVIDIA, 0, -1, S_IFCHR, EPERM, OSH_WHY_MKNOD }, "making what may be opened");
	take_back(RIG_ID, 0);
	check((struct attempt){ NVIDIA, 0, O_RDWR, S_IFCHR, EPERM, OSH_WHY_DEVICE }, "no longer granted");
}

static void rights(void **state)
{
	(void)state;
	grant(RIG_ID, 3, OSH_DEVICE_READ);
	check((struct attempt){ NVIDIA, 3, O_RDONLY, S_IFCHR, ENXIO, 0 }, "read");
	check((struct attempt){ NVIDIA, 3, O_WRONLY, S_IFCHR, EPERM, OSH_WHY_DEVICE }, "write");
	check((struct attempt){ NVIDIA, 3, O_RDWR, S_IFCHR, EPERM, OSH_WHY_DEVICE }, "both");
	take_back(RIG_ID, 3);
}

static void another_sandboxs(void **state)
{
	(void)state;
	grant(OTHER_ID, 0, OSH_DEVICE_READ | OSH_DEVICE_WRITE);
	check((struct attempt){ NVIDIA, 0, O_RDONLY, S_IFCHR, EPERM, OSH_WHY_DEVICE }, "another's");
	take_back(OTHER_ID, 0);
}

static void making(void **state)
{
	uint32_t *flags = &rig.k->sandboxes[RIG_SLOT].flags;

	(void)state;
	check((struct attempt){ 1, 3, -1, S_IFCHR, 0, 0 }, "null, while the sandbox is being built");
	check((struct attempt){ NVIDIA, 0, -1, S_IFCHR, EPERM, OSH_WHY_MKNOD }, "no other, even then");
	kbpf_guard(rig.k, &rig.s);
	check((struct attempt){ 1, 3, -1, S_IFCHR, EPERM, OSH_WHY_MKNOD }, "null, afterwards");
	check((struct attempt){ 1, 3, O_RDWR, S_IFCHR, 0, 0 }, "and it is opened");
	check((struct attempt){ 7, 0, -1, S_IFBLK, EPERM, OSH_WHY_MKNOD }, "a disk");
	*flags &= ~OSH_SB_GUARD;
}

/* A cgroup of the tree that no table knows: nobody's, so nothing but what everybody has. */
static void unknown_sandbox(void **state)
{
	struct attempt a = { NVIDIA, 0, O_RDONLY, S_IFCHR, EPERM, 0 };
	uint64_t id;
	int fd;
	char path[64];

	(void)state;
	grant(RIG_ID, 0, OSH_DEVICE_READ);
	assert_int_equal(cgroup_make(rig.cgroups.box_fd, 77, &fd, &id, &rig.e), 0);
	path_of(&a, path);
	assert_int_equal(mknod(path, S_IFCHR | 0600, makedev(a.major, a.minor)), 0);
	assert_int_equal(rig_in(&rig, fd, NULL, try, &a), EPERM);
	unlink(path);
	close(fd);
	cgroup_remove(rig.cgroups.box_fd, 77);
	take_back(RIG_ID, 0);
}

static void gone_with_the_sandbox(void **state)
{
	struct osh_device_key key = { .id = RIG_ID, .major = NVIDIA, .minor = 9 };
	struct kbpf_device dev = { NVIDIA, 9, OSH_DEVICE_READ };
	int fd = kbpf_map_fd(rig.k, "devices");
	uint32_t value;

	(void)state;
	assert_int_equal(kbpf_devices(rig.k, &rig.s, &dev, 1, &rig.e), 0);
	assert_int_equal(bpf_map_lookup_elem(fd, &key, &value), 0);
	kbpf_clear(rig.k, &rig.s);
	assert_int_equal(bpf_map_lookup_elem(fd, &key, &value), -ENOENT);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir) || rig_start(&rig) < 0)
		return -1;
	rig_policy(&policy);
	if (kbpf_fill(rig.k, &rig.s, &policy.b, &rig.e) < 0 || kbpf_flip(rig.k, &rig.s, &policy.b, &rig.e) < 0) {
		fprintf(stderr, "# fill: %s\n", rig.e.text);
		return -1;
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rig_stop(&rig);
	rmdir(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base_nodes),	      cmocka_unit_test(others_are_refused),
		cmocka_unit_test(granted),	      cmocka_unit_test(rights),
		cmocka_unit_test(another_sandboxs),   cmocka_unit_test(making),
		cmocka_unit_test(unknown_sandbox),    cmocka_unit_test(gone_with_the_sandbox),
	};

	if (geteuid())
		return puts("1..0 # SKIP needs root"), 0;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
