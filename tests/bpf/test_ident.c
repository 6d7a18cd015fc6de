/* SPDX-License-Identifier: Apache-2.0 */
/* Who is a task? Honest starts and attempts to pass for a listed program, as real processes. */
#include "ident_world.h"

#define LISTED 2ull			/* group 1: exact /ro/probe */
#define GLOBBED 4ull			/* group 2: glob over /ro/a */
#define WRITABLE 8ull			/* group 3: /rw/tool, never registered as an inode */
#define DEEP 16ull			/* group 4 */

static char deep_path[600], long_path[600];

static void make_tree(const char *top, const char *name, int n, char *ret, size_t cap)
{
	int len = snprintf(ret, cap, "%s", top);

	for (int i = 0; i < n; i++) {
		len += snprintf(ret + len, cap - len, "/%s", name);
		must(!mkdir(ret, 0755), ret);
	}
	snprintf(ret + len, cap - len, "/t");
	copy_file("/ro/probe", ret);
}

static void prepare(void)
{
	char name[101];

	copy_file("/ro/probe", "/ro/other");
	copy_file("/ro/probe", "/ro/a/one");
	copy_file("/ro/probe", "/ro/a/two");
	copy_file("/ro/probe", "/ro/a/three");
	must(!link("/ro/probe", "/ro/hard"), "hard link");
	must(!symlink("/ro/probe", "/ro/soft"), "symbolic link");
	copy_file("/ro/probe", "/rw/tool");
	copy_file("/ro/probe", "/disk/tool");
	make_tree("/ro", "d", 120, deep_path, sizeof(deep_path));
	memset(name, 'n', 100);
	name[100] = 0;
	make_tree("/ro", name, 3, long_path, sizeof(long_path));
	must(!mkdir("/rw/x", 0777) && !mkdir("/rw/x/y", 0777) && !mkdir("/rw/m", 0777), "/rw/x");
	must(!mount("m", "/rw/x/y", "tmpfs", 0, NULL), "/rw/x/y");
	must(!mount("m", "/rw/m", "tmpfs", 0, NULL), "/rw/m");
	copy_file("/ro/probe", "/rw/x/y/t");
	copy_file("/ro/probe", "/rw/m/t");
	must(!mount(NULL, "/rw/x/y", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), "/rw/x/y");
	must(!mount(NULL, "/rw/m", NULL, MS_REMOUNT | MS_RDONLY, NULL), "/rw/m");
	policy_program(1, "/ro/probe", LISTED, 0);
	policy_program(1, "/rw/tool", WRITABLE, OSH_PROG_INODE);
	policy_program(1, "/disk/tool", WRITABLE, 0);
	policy_program(1, "/rw/x/y/t", WRITABLE, 0);
	policy_program(1, "/rw/m/t", WRITABLE, 0);
	policy_program(1, deep_path, DEEP, 0);
	policy_glob(1, 0, "/ro/a/*", GLOBBED);
	policy_glob(1, 1, "/**/probe", GLOBBED);
	policy_glob(1, 2, "/rw/**", WRITABLE);
}

static void listed_program(void **state)
{
	struct osh_task t = run("/ro/probe"), again = run("/ro/probe");

	(void)state;
	assert_int_equal(t.slot, SLOT);
	assert_int_equal(t.id, ID);
	assert_int_equal(t.generation, 1);
	assert_true(t.ident > 0);
	assert_int_equal(t.ident, again.ident);
	assert_int_equal(t.groups[0], LISTED | GLOBBED);	/* exact entry and glob together */
	assert_int_equal(again.groups[0], LISTED | GLOBBED);
	assert_int_equal(t.why, 0);
	assert_int_equal(t.tainted, 0);
	assert_true(t.exec_id > 0);
	assert_string_equal(ident_path(t.ident), "/ro/probe");
}

static void globbed_program(void **state)
{
	struct osh_task t = run("/ro/a/one");

	(void)state;
	assert_int_equal(t.groups[0], GLOBBED);
	assert_string_equal(ident_path(t.ident), "/ro/a/one");
}

static void unlisted_program(void **state)
{
	struct osh_task t = run("/ro/other");

	(void)state;
	assert_true(t.ident > 0);
	assert_int_equal(t.groups[0], 0);
	assert_string_equal(ident_path(t.ident), "/ro/other");
}

static void other_names_of_a_file(void **state)
{
	struct osh_task hard = run("/ro/hard"), soft = run("/ro/soft");

	(void)state;
	assert_string_equal(ident_path(hard.ident), "/ro/hard");
	assert_int_equal(hard.groups[0], 0);
	assert_string_equal(ident_path(soft.ident), "/ro/probe");
	assert_int_equal(soft.groups[0], LISTED | GLOBBED);
	assert_int_equal(link("/ro/probe", "/rw/hard"), -1);	/* two mounts: no way to link across */
}

static void argv0_is_not_read(void **state)
{
	struct osh_task t = run_start((struct start){ .path = "/ro/other", .argv0 = "/ro/probe" });

	(void)state;
	assert_int_equal(t.groups[0], 0);
	assert_string_equal(ident_path(t.ident), "/ro/other");
}

static void children_and_threads(void **state)
{
	static const char *const modes[] = { "fork", "fork2", "thread" };
	struct osh_task first = run("/ro/probe");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct osh_task t = run_start((struct start){ .path = "/ro/probe", .mode = modes[i] });

		assert_int_equal(t.ident, first.ident);
		assert_int_equal(t.groups[0], LISTED | GLOBBED);
		assert_true(t.exec_id > 0);
	}
}

static void exec_from_thread_and_vfork(void **state)
{
	struct osh_task t;

	(void)state;
	t = run_start((struct start){ .path = "/ro/probe", .how = BY_THREAD });
	assert_int_equal(t.groups[0], LISTED | GLOBBED);
	t = run_start((struct start){ .path = "/ro/other", .how = BY_THREAD });
	assert_int_equal(t.groups[0], 0);
	t = run_start((struct start){ .path = "/ro/probe", .how = BY_VFORK });
	assert_int_equal(t.groups[0], LISTED | GLOBBED);
}

static void exec_by_descriptor(void **state)
{
	_close_ int fd = open("/ro/probe", O_PATH | O_CLOEXEC);
	struct osh_task t = run_start((struct start){ .how = BY_FD, .fd = fd });

	(void)state;
	assert_string_equal(ident_path(t.ident), "/ro/probe");
	assert_int_equal(t.groups[0], LISTED | GLOBBED);
}

static void script_is_its_interpreter(void **state)
{
	_fclose_ FILE *f = fopen("/rw/script", "we");
	struct osh_task t;

	(void)state;
	fprintf(f, "#!/ro/probe --probe\n");
	fchmod(fileno(f), 0755);
	own_fclose(&f);
	f = NULL;
	/* argv: /ro/probe "--probe" /rw/script ...: an unknown mode holds like "hold" */
	t = run_start((struct start){ .path = "/rw/script" });
	assert_string_equal(ident_path(t.ident), "/ro/probe");
	assert_int_equal(t.groups[0], LISTED | GLOBBED);
}

static void writable_tree_has_no_groups(void **state)
{
	struct osh_task t = run("/rw/tool");

	(void)state;
	assert_true(t.ident > 0);
	assert_int_equal(t.groups[0], 0);
	assert_int_equal(t.why, OSH_WHY_REPLACED);	/* listed by inode, and this is not it */
	assert_string_equal(ident_path(t.ident), "/rw/tool");
	t = run("/disk/tool");
	assert_int_equal(t.groups[0], 0);
}

static void renamed_ancestor_of_read_only_mount(void **state)
{
	struct osh_task t = run("/rw/m/t");

	(void)state;
	/* /rw/m is busy as a mount point and so keeps its name; /rw/x does not. */
	assert_int_equal(t.groups[0], WRITABLE);
	assert_int_equal(rename("/rw/m", "/rw/m2"), -1);
	t = run("/rw/x/y/t");
	assert_int_equal(t.groups[0], 0);
	assert_int_equal(rename("/rw/x", "/rw/z"), 0);
	t = run("/rw/z/y/t");
	assert_int_equal(t.groups[0], 0);
	assert_int_equal(rename("/rw/z", "/rw/x"), 0);
}

static void deleted_file(void **state)
{
	_close_ int fd = -1;
	struct osh_task t;

	(void)state;
	copy_file("/ro/probe", "/rw/gone");
	fd = open("/rw/gone", O_PATH | O_CLOEXEC);
	unlink("/rw/gone");
	t = run_start((struct start){ .how = BY_FD, .fd = fd });
	assert_int_equal(t.ident, 0);
	assert_int_equal(t.why, OSH_WHY_PATH_LONG);
}

static void memory_file(void **state)
{
	struct osh_task t = run_start((struct start){ .path = "/ro/probe", .how = BY_MEMFD });

	(void)state;
	assert_int_equal(t.ident, 0);
	assert_int_equal(t.groups[0], 0);
	assert_int_equal(t.why, OSH_WHY_PATH_LONG);
}

static void long_and_deep_paths(void **state)
{
	struct osh_task t = run(long_path);

	(void)state;
	assert_int_equal(t.ident, 0);
	assert_int_equal(t.why, OSH_WHY_PATH_LONG);
	t = run(deep_path);			/* 120 levels, 245 bytes: still a text */
	assert_int_equal(t.groups[0], DEEP);
	assert_string_equal(ident_path(t.ident), deep_path);
}

/* ld.so as a program is ld.so, whatever it maps. */
static void loader_is_itself(void **state)
{
	char *const argv[] = { (char *)"/ro/probe", (char *)"/rw/tool", (char *)"--probe", (char *)"hold", NULL };
	struct osh_task t = run_start((struct start){ .path = "/lib64/ld-linux-x86-64.so.2", .argv = argv });

	(void)state;
	assert_true(t.ident > 0);
	assert_int_equal(t.groups[0], 0);
	assert_non_null(strstr(ident_path(t.ident), "ld-linux"));
}

/* In a mount namespace of its own a process could put any file at any path. */
static void foreign_mount_namespace(void **state)
{
	struct osh_task t = run_start((struct start){ .path = "/ro/probe", .how = BY_NEWNS });

	(void)state;
	assert_int_equal(t.ident, 0);
	assert_int_equal(t.groups[0], 0);
	assert_int_equal(t.why, OSH_WHY_PATH_LONG);
}

static void chroot_does_not_shorten_the_path(void **state)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)"echo $$; read x", NULL };
	struct osh_task t = run_start((struct start){ .path = "/bin/sh", .how = BY_CHROOT, .argv = argv });

	(void)state;
	assert_non_null(strstr(ident_path(t.ident), "/usr/bin/"));
}

/* What connect sees: the entry's count stays behind the task's own. */
static void missed_exec_shows_in_the_count(void **state)
{
	struct osh_task first, missed, seen;
	struct running r;

	(void)state;
	start(&r, (struct start){ .path = "/ro/probe" });
	assert_int_equal(task_read(r.pid, &first), 0);
	bpf_link__destroy(w.k->links[OSH_HOOK_EXEC]);
	w.k->links[OSH_HOOK_EXEC] = NULL;
	assert_int_equal(write(r.in, "x", 1), 1);
	hear(&r);
	assert_int_equal(task_read(r.pid, &missed), 0);
	w.k->links[OSH_HOOK_EXEC] = bpf_program__attach(kbpf_program(w.k, OSH_HOOK_EXEC));
	assert_non_null(w.k->links[OSH_HOOK_EXEC]);
	assert_int_equal(write(r.in, "x", 1), 1);
	hear(&r);
	assert_int_equal(task_read(r.pid, &seen), 0);
	stop(&r);
	assert_int_equal(missed.exec_id, first.exec_id);
	assert_int_equal(seen.exec_id, first.exec_id + 2);
}

static void too_many_programs(void **state)
{
	volatile uint32_t *used = &w.k->sandboxes[SLOT].ident_used;
	uint32_t was = *used;
	struct osh_task t;

	(void)state;
	copy_file("/ro/probe", "/rw/new1");
	copy_file("/ro/probe", "/rw/new2");
	*used = OSH_IDENTS / 4 * 3;		/* what programs without groups may use up */
	t = run("/rw/new1");
	assert_int_equal(t.ident, 0);
	assert_int_equal(t.why, OSH_WHY_IDENT_FULL);
	t = run("/ro/a/two");
	assert_true(t.ident > OSH_IDENTS / 4 * 3);
	assert_int_equal(t.groups[0], GLOBBED);
	*used = OSH_IDENTS;
	t = run("/ro/a/three");
	assert_int_equal(t.ident, 0);
	assert_int_equal(t.groups[0], 0);
	assert_int_equal(t.why, OSH_WHY_IDENT_FULL);
	t = run("/ro/a/one");			/* known already */
	assert_int_equal(t.groups[0], GLOBBED);
	*used = was;
	t = run("/rw/new2");
	assert_true(t.ident > 0);
}

/* Two events for a first exec and a loss, none for repeats. */
static int on_event(void *ctx, void *data, size_t size)
{
	const struct osh_event_named *ev = data;
	int *n = ctx;

	if (size >= sizeof(*ev) && ev->ev.kind == OSH_EV_EXEC && !strcmp(ev->name, "/rw/noted") &&
	    ev->ev.name_len == strlen("/rw/noted"))
		n[ev->ev.why == OSH_WHY_TAINTED]++;
	return 0;
}

static void events(void **state)
{
	char *const env[] = { (char *)"LD_PRELOAD=", NULL };
	struct ring_buffer *rb;
	int n[2] = { 0, 0 };

	(void)state;
	rb = ring_buffer__new(kbpf_map_fd(w.k, "ring_allow"), on_event, n, NULL);
	assert_non_null(rb);
	assert_int_equal(ring_buffer__add(rb, kbpf_map_fd(w.k, "ring_deny"), on_event, n), 0);
	copy_file("/ro/probe", "/rw/noted");
	for (int i = 0; i < 3; i++) {
		run("/rw/noted");
		run_start((struct start){ .path = "/rw/noted", .env = env });
	}
	ring_buffer__consume(rb);
	ring_buffer__free(rb);
	assert_int_equal(n[0], 1);
	assert_int_equal(n[1], 1);
}

static int on_loss(void *ctx, void *data, size_t size)
{
	const struct osh_event *ev = data;

	(void)size;
	if (ev->kind == OSH_EV_EXEC && ev->why == OSH_WHY_PATH_LONG)
		++*(int *)ctx;
	return 0;
}

/* osh-init is no program of the agent's: one exec, the sandbox's first, and only as process 1. */
static void starter_is_no_event(void **state)
{
	static const struct {
		enum how how;
		uint32_t id;
		int losses;
	} cases[] = {
		{ BY_INIT, ID + 1, 0 },
		{ BY_INIT, ID + 1, 1 },		/* the same once more */
		{ BY_MEMFD, ID + 2, 1 },	/* first, but not process 1 */
		{ BY_INIT, ID + 2, 1 },
	};
	struct osh_sandbox *sb = &w.k->sandboxes[SLOT];
	uint32_t losses = 0, id = sb->id;
	struct ring_buffer *rb;

	(void)state;
	rb = ring_buffer__new(kbpf_map_fd(w.k, "ring_deny"), on_loss, &losses, NULL);
	assert_non_null(rb);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kbpf_sandbox s = { .slot = SLOT, .id = cases[i].id };
		struct running r;

		kbpf_drop(w.k, &s, KMAP_DENIALS, 0);
		sb->id = cases[i].id;
		losses = 0;
		start(&r, (struct start){ .path = "/ro/probe", .how = cases[i].how });
		stop(&r);
		ring_buffer__consume(rb);
		if (losses != (uint32_t)cases[i].losses)
			fail_msg("case %zu: %u events, want %d", i, losses, cases[i].losses);
	}
	sb->id = id;
	ring_buffer__free(rb);
}

static void outside_the_sandbox(void **state)
{
	struct osh_task t;
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		close(1);
		execl("/ro/probe", "/ro/probe", "--probe", "hold", NULL);
		_exit(99);
	}
	usleep(50000);
	assert_int_equal(task_read(pid, &t), -ENOENT);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int tests(void)
{
	static const struct CMUnitTest all[] = {
		cmocka_unit_test(listed_program),
		cmocka_unit_test(globbed_program),
		cmocka_unit_test(unlisted_program),
		cmocka_unit_test(other_names_of_a_file),
		cmocka_unit_test(argv0_is_not_read),
		cmocka_unit_test(children_and_threads),
		cmocka_unit_test(exec_from_thread_and_vfork),
		cmocka_unit_test(exec_by_descriptor),
		cmocka_unit_test(script_is_its_interpreter),
		cmocka_unit_test(writable_tree_has_no_groups),
		cmocka_unit_test(renamed_ancestor_of_read_only_mount),
		cmocka_unit_test(deleted_file),
		cmocka_unit_test(memory_file),
		cmocka_unit_test(long_and_deep_paths),
		cmocka_unit_test(loader_is_itself),
		cmocka_unit_test(foreign_mount_namespace),
		cmocka_unit_test(chroot_does_not_shorten_the_path),
		cmocka_unit_test(missed_exec_shows_in_the_count),
		cmocka_unit_test(too_many_programs),
		cmocka_unit_test(events),
		cmocka_unit_test(starter_is_no_event),
		cmocka_unit_test(outside_the_sandbox),
	};

	return cmocka_run_group_tests(all, NULL, NULL);
}

int main(int argc, char **argv)
{
	return world_main(argc, argv, prepare, tests);
}
