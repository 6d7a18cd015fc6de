/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of devices' memory, on directories that look like a kernel's: which lines are written for which device. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../userspace/oshd/kernel/dmem.h"
#include "own.h"

#include <cmocka.h>			/* last: it has a macro fail() */

#define CAPACITY                                                                                                     \
	"drm/0000:03:00.0/vram0 8514437120\ndrm/0000:03:00.0/stolen 67108864\ndrm/0000:03:00.01/vram 4096\n"      \
	"drm/0000:83:00.0/vram 4294967296\n"

static struct cgroup_base base;
static int box;

static int dir_of(const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", base.root, name);
	assert_int_equal(mkdir(path, 0700), 0);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void put(int dir, const char *name, const char *text)
{
	_close_ int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static const char *text_of(int dir, const char *name)
{
	static char text[1024];
	_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = 0;
	return text;
}

static int make(void **state)
{
	const int *way[] = { &base.slice_fd, &base.instance_fd, &base.box_fd, &box };
	static const char *const names[] = { "slice", "slice/instance", "slice/instance/box", "slice/instance/box/1" };
	_close_ int root = -1;

	(void)state;
	strcpy(base.root, "/tmp/test-dmem-XXXXXX");
	assert_non_null(mkdtemp(base.root));
	root = open(base.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put(root, "cgroup.controllers", "cpu memory pids dmem\n");
	put(root, "cgroup.subtree_control", "");
	put(root, "dmem.capacity", CAPACITY);
	for (size_t i = 0; i < 4; i++) {
		*(int *)way[i] = dir_of(names[i]);
		put(*way[i], "cgroup.controllers", "dmem\n");
		put(*way[i], "cgroup.subtree_control", "");
		put(*way[i], "dmem.max", "");
	}
	return 0;
}

static int removed(void **state)
{
	char command[300];

	(void)state;
	close(base.slice_fd);
	close(base.instance_fd);
	close(base.box_fd);
	close(box);
	snprintf(command, sizeof(command), "rm -r '%s'", base.root);
	return system(command);
}

static void a_region(void **state)
{
	const char *why = "";

	(void)state;
	assert_int_equal(dmem_set(&base, box, "0000:83:00.0", 1ull << 30, &why), 0);
	assert_string_equal(text_of(box, "dmem.max"), "drm/0000:83:00.0/vram 1073741824");
	assert_string_equal(text_of(base.box_fd, "cgroup.subtree_control"), "+dmem");
	assert_string_equal(text_of(base.slice_fd, "cgroup.subtree_control"), "+dmem");
	assert_string_equal(text_of(box, "cgroup.subtree_control"), "");
}

/* A file keeps what was written to it last; through a pipe all is seen. */
static void each_region_of_a_device(void **state)
{
	static const char want[] = "drm/0000:03:00.0/vram0 65536" "drm/0000:03:00.0/stolen 65536";	/* none of ...00.01 */
	char path[64], got[256];
	const char *why = "";
	int pipes[2];

	(void)state;
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	unlinkat(box, "dmem.max", 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", pipes[1]);
	assert_int_equal(symlinkat(path, box, "dmem.max"), 0);
	assert_int_equal(dmem_set(&base, box, "0000:03:00.0", 65536, &why), 0);
	close(pipes[1]);
	assert_int_equal(read(pipes[0], got, sizeof(got)), strlen(want));
	assert_memory_equal(got, want, strlen(want));
	close(pipes[0]);
}

static void what_is_not_counted(void **state)
{
	static const char *const others[] = { "", "0000:04:00.0", "0000:03:00", "drm", "0000:03:00.0/vram0" };
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		why = "";
		assert_int_equal(dmem_set(&base, box, others[i], 65536, &why), -ENODEV);
		assert_non_null(strstr(why, "driver"));
	}
	assert_string_equal(text_of(box, "dmem.max"), "");
}

static void no_controller(void **state)
{
	_close_ int root = open(base.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *why = "";

	(void)state;
	assert_true(dmem_has(&base));
	put(base.instance_fd, "cgroup.controllers", "memory\n");	/* somebody above passes nothing on */
	assert_int_equal(dmem_set(&base, box, "0000:83:00.0", 65536, &why), -ENOENT);
	put(base.instance_fd, "cgroup.controllers", "dmem\n");
	put(root, "cgroup.controllers", "cpu hugetlb\n");
	assert_false(dmem_has(&base));
	assert_int_equal(dmem_set(&base, box, "0000:83:00.0", 65536, &why), -ENOENT);
	assert_non_null(strstr(why, "dmem"));
	put(root, "cgroup.controllers", "dmem\n");
	unlinkat(root, "dmem.capacity", 0);
	assert_false(dmem_has(&base));
	assert_int_equal(dmem_set(&base, box, "0000:83:00.0", 65536, &why), -ENOENT);
	assert_string_equal(text_of(box, "dmem.max"), "");
}

static void refused(void **state)
{
	const char *why = "";

	(void)state;
	unlinkat(box, "dmem.max", 0);
	assert_int_equal(symlinkat("/dev/full", box, "dmem.max"), 0);
	assert_int_equal(dmem_set(&base, box, "0000:83:00.0", 65536, &why), -ENOSPC);
	assert_non_null(strstr(why, "refuses"));
}

static void use(void **state)
{
	(void)state;
	assert_int_equal(dmem_use(box), 0);
	put(box, "dmem.current", "drm/0000:03:00.0/vram0 1000\ndrm/0000:83:00.0/vram 24\nnonsense\n\n");
	assert_int_equal(dmem_use(box), 1024);
	assert_int_equal(dmem_use(-1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, make, removed)
		TEST(a_region), TEST(each_region_of_a_device), TEST(what_is_not_counted), TEST(no_controller), TEST(refused), TEST(use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
