/* SPDX-License-Identifier: Apache-2.0 */
/* Which environments taint a program, read by the exec tracker from real processes. */
#include "ident_world.h"

#include "text.h"

#define GROUP 2ull

static void prepare(void)
{
	policy_program(1, "/ro/probe", GROUP, 0);
}

static struct osh_task with_env(char *const *env)
{
	struct osh_task t = run_start((struct start){ .path = "/ro/probe", .env = env });

	assert_int_equal(t.groups[0], GROUP);		/* `taint: ignore` still needs them */
	assert_int_equal(t.why, t.tainted ? OSH_WHY_TAINTED : 0);
	return t;
}

static unsigned tainted_by(const char *a, const char *b)
{
	char *const env[] = { (char *)a, (char *)b, NULL };

	return with_env(env).tainted;
}

static void every_listed_variable(void **state)
{
	static const char *const names[] = {
#define TAINT(name) name,
#include "osh/taint.def"
#undef TAINT
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char var[64];

		assert_true(strlen(names[i]) <= 23);
		snprintf(var, sizeof(var), "%s=", names[i]);
		assert_string_equal(taint_name(tainted_by("A=b", var)), names[i]);
		assert_string_equal(taint_name(tainted_by(var, "A=b")), names[i]);
	}
}

static void harmless_variables(void **state)
{
	static const char *const vars[] = {
		"GIT_EDITOR=vi", "PYTHONUNBUFFERED=1", "XLD_PRELOAD=", "LD_PRELOADX=a", "LD_PRELOA=", "LD_PRELOAD",
		"ld_preload=a", "A=LD_PRELOAD=x", " LD_PRELOAD=x", "PYTHONPATHS=", "=LD_PRELOAD=", "", "PHPR=C=",
	};

	(void)state;
	assert_int_equal(tainted_by(NULL, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(vars); i++)
		assert_int_equal(tainted_by(vars[i], "PATH=/bin"), 0);
}

static void own_values_are_exempt(void **state)
{
	struct kbpf_sandbox s = { .slot = SLOT, .id = ID, .generation = 1 };
	struct kbpf_sandbox other = { .slot = SLOT + 1, .id = ID + 1, .generation = 1 };
	char longest[OSH_PATH_MAX], over[OSH_PATH_MAX + 1];
	struct err e;

	(void)state;
	assert_int_equal(kbpf_env_exempt(w.k, &s, "NODE_OPTIONS=--use-ca", &e), 0);
	assert_int_equal(kbpf_env_exempt(w.k, &other, "NODE_PATH=/x", &e), 0);
	assert_int_equal(tainted_by("NODE_OPTIONS=--use-ca", "A=b"), 0);
	assert_string_equal(taint_name(tainted_by("NODE_OPTIONS=--use-ca ", NULL)), "NODE_OPTIONS");
	assert_string_equal(taint_name(tainted_by("NODE_OPTIONS=--use-c", NULL)), "NODE_OPTIONS");
	assert_string_equal(taint_name(tainted_by("NODE_PATH=/x", NULL)), "NODE_PATH");
	/* The same name twice, and another one behind it: each string is judged alone. */
	assert_string_equal(taint_name(tainted_by("NODE_OPTIONS=--use-ca", "NODE_OPTIONS=--require=x")),
			    "NODE_OPTIONS");
	assert_string_equal(taint_name(tainted_by("NODE_OPTIONS=--use-ca", "LD_AUDIT=")), "LD_AUDIT");
	memset(longest, 'v', sizeof(longest));
	memcpy(longest, "PHPRC=", 6);
	longest[sizeof(longest) - 1] = 0;
	assert_int_equal(kbpf_env_exempt(w.k, &s, longest, &e), 0);
	assert_int_equal(tainted_by(longest, NULL), 0);
	snprintf(over, sizeof(over), "%sv", longest);
	assert_int_equal(kbpf_env_exempt(w.k, &s, over, &e), 0);
	assert_string_equal(taint_name(tainted_by(over, NULL)), "PHPRC");
}

static unsigned with_many(int n, const char *last)
{
	char **env = calloc(n + 2, sizeof(*env));
	unsigned t;

	for (int i = 0; i < n; i++)
		if (asprintf(&env[i], "VAR_%d=some value", i) < 0)
			env[i] = NULL;
	env[n] = (char *)last;
	t = with_env(env).tainted;
	for (int i = 0; i < n; i++)
		free(env[i]);
	free(env);
	return t;
}

static void many_variables(void **state)
{
	(void)state;
	assert_int_equal(with_many(OSH_ENV_VARS, NULL), 0);
	assert_string_equal(taint_name(with_many(OSH_ENV_VARS - 1, "GIT_SSH=x")), "GIT_SSH");
	assert_int_equal(with_many(OSH_ENV_VARS + 1, NULL), OSH_TAINT_UNREAD);
	assert_int_equal(with_many(2000, NULL), OSH_TAINT_UNREAD);
}

static unsigned with_long(size_t len, const char *next)
{
	char *v = malloc(len + 1);
	unsigned t;

	memset(v, 'L', len);
	v[1] = '=';
	v[len] = 0;
	t = tainted_by(v, next);
	free(v);
	return t;
}

static void long_values(void **state)
{
	static const size_t edges[] = { 4093, 4094, 4095, 4096, 4097, 8189, 8190, 8191, 8192, 60000 };
	size_t at = 4095;
	char *v;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(edges); i++) {
		assert_int_equal(with_long(edges[i], NULL), 0);
		assert_string_equal(taint_name(with_long(edges[i], "BASH_ENV=x")), "BASH_ENV");
	}
	assert_int_equal(with_long(70000, NULL), OSH_TAINT_UNREAD);
	/* The middle of a value is no name, even where a chunk begins. */
	v = calloc(1, 2 * at);
	memset(v, 'L', at);
	strcpy(v + at, "LD_PRELOAD=x");
	assert_int_equal(tainted_by(v, NULL), 0);
	free(v);
}

static void taint_goes_with_fork_and_ends_at_exec(void **state)
{
	char *const env[] = { (char *)"LD_PRELOAD=", NULL };
	struct start s = { .path = "/ro/probe", .env = env };
	static const char *const modes[] = { "fork", "fork2", "thread" };
	struct osh_task t;
	struct running r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		s.mode = modes[i];
		assert_string_equal(taint_name(run_start(s).tainted), "LD_PRELOAD");
	}
	s.mode = "hold";
	start(&r, s);
	assert_int_equal(write(r.in, "x", 1), 1);
	hear(&r);
	assert_int_equal(task_read(r.pid, &t), 0);
	stop(&r);
	assert_int_equal(t.tainted, 0);
	assert_int_equal(t.why, 0);
}

static int tests(void)
{
	static const struct CMUnitTest all[] = {
		cmocka_unit_test(every_listed_variable),
		cmocka_unit_test(harmless_variables),
		cmocka_unit_test(own_values_are_exempt),
		cmocka_unit_test(many_variables),
		cmocka_unit_test(long_values),
		cmocka_unit_test(taint_goes_with_fork_and_ends_at_exec),
	};

	return cmocka_run_group_tests(all, NULL, NULL);
}

int main(int argc, char **argv)
{
	return world_main(argc, argv, prepare, tests);
}
