/* SPDX-License-Identifier: Apache-2.0 */
/* What else is kept of sandboxes: stored providers, by owner and name, and what a sandbox has of them; and the route that was chosen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../userspace/oshd/state/state.h"
#include "bundle.h"
#include "own.h"
#include "../tools/policy_fd.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

struct fixture {
	char dir[64];
	struct state *st;
};

static void open_state(struct fixture *f)
{
	struct err e = { 0 };

	if (state_open(&f->st, f->dir, &e) < 0)
		fail_msg("state_open: %s", e.text);
}

static void again(struct fixture *f)
{
	state_close(f->st);
	f->st = NULL;
	open_state(f);
}

static int setup(void **data)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/osh-state-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	open_state(f);
	*data = f;
	return 0;
}

static int teardown(void **data)
{
	struct fixture *f = *data;
	DIR *dir = opendir(f->dir);
	struct dirent *d;

	state_close(f->st);
	while ((d = readdir(dir)))
		(void)unlinkat(dirfd(dir), d->d_name, 0);
	closedir(dir);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static uint64_t created(struct fixture *f, const char *name, uid_t uid)
{
	struct state_sandbox s = { .uid = uid, .gid = uid, .workdir = "/home/u/work", .wanted = true };
	_close_ int bundle = -1, source = -1;
	struct err e = { 0 };

	snprintf(s.name, sizeof(s.name), "%s", name);
	policy_fds(1, &bundle, &source);
	if (state_create(f->st, &s, bundle, source, &e) < 0)
		fail_msg("create %s: %s", name, e.text);
	return s.key;
}

static struct state_provider provider(const char *name, uid_t uid, const char *box)
{
	struct state_provider p = { .uid = uid, .type = "generic", .record = (char *)"{}", .box = (void *)box,
				    .box_len = strlen(box) };

	snprintf(p.name, sizeof(p.name), "%s", name);
	return p;
}

static int count_provider(void *data, const struct state_provider *p)
{
	*(unsigned *)data += p->box_len > 0;
	return 0;
}

/* By owner and name; what a sandbox has stays until nobody has it. */
static void providers(void **data)
{
	struct fixture *f = *data;
	struct state_provider a = provider("acme", 1000, "box-1"), b = provider("acme", 1001, "box-2"), got;
	struct state_provider_use u = { "acme", "placeholder-0123456789" }, none = { "nobody", "placeholder-0123456789" };
	struct state_sandbox s;
	struct err e = { 0 };
	uint64_t key = created(f, "one", 1000);
	unsigned n = 0;

	assert_int_equal(state_provider_add(f->st, &a, &e), 0);
	assert_int_equal(state_provider_add(f->st, &a, &e), -EEXIST);
	assert_int_equal(state_provider_add(f->st, &b, &e), 0);
	assert_int_equal(state_provider_use(f->st, key, 1000, &none, &e), -ENOENT);
	assert_int_equal(state_provider_use(f->st, key, 1000, &u, &e), 0);
	strcpy(u.placeholder, "another-0123456789");
	assert_int_equal(state_provider_use(f->st, key, 1000, &u, &e), 0);
	a.box = (void *)"box-three";
	a.box_len = 9;
	assert_int_equal(state_provider_set(f->st, &a, &e), 0);
	again(f);
	assert_int_equal(state_provider_find(f->st, 1000, "acme", &got, &e), 0);
	assert_int_equal(got.box_len, 9);
	assert_memory_equal(got.box, "box-three", 9);
	assert_int_equal(got.sandboxes, 1);
	state_provider_done(&got);
	assert_int_equal(state_find(f->st, "one", &s, &e), 0);
	assert_int_equal(s.n_providers, 1);
	assert_string_equal(s.providers[0].placeholder, "another-0123456789");
	state_sandbox_done(&s);
	assert_int_equal(state_provider_delete(f->st, 1000, "acme", &e), -EBUSY);
	assert_int_equal(state_provider_delete(f->st, 1001, "acme", &e), 0);
	assert_int_equal(state_provider_delete(f->st, 1001, "acme", &e), -ENOENT);
	assert_int_equal(state_provider_set(f->st, &b, &e), -ENOENT);
	assert_int_equal(state_provider_each(f->st, count_provider, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_int_equal(state_delete(f->st, key, &e), 0);
	assert_int_equal(state_provider_delete(f->st, 1000, "acme", &e), 0);
}

/* One a sandbox; a created one's goes with it, those of runs when none lives any more. */
static void choices(void **data)
{
	struct fixture *f = *data;
	int64_t key = (int64_t)created(f, "one", 1000);
	struct state_choice a = { .sandbox = key, .route = "here", .model = "m", .by = 7 }, run = { .sandbox = -3, .route = "r" }, got;
	struct err e = { 0 };

	assert_int_equal(state_choice_get(f->st, key, &got, &e), -ENOENT);
	assert_int_equal(state_choice_put(f->st, &a, &e), 0);
	assert_int_equal(state_choice_put(f->st, &run, &e), 0);
	strcpy(a.route, "there");
	assert_int_equal(state_choice_put(f->st, &a, &e), 0);
	assert_int_equal(state_choice_get(f->st, key, &got, &e), 0);
	assert_string_equal(got.route, "there");
	assert_string_equal(got.model, "m");
	assert_true(got.by == 7 && got.time_us && got.sandbox == key);
	assert_int_equal(state_choice_drop_runs(f->st, &e), 0);
	assert_int_equal(state_choice_get(f->st, -3, &got, &e), -ENOENT);
	assert_int_equal(state_choice_get(f->st, key, &got, &e), 0);
	assert_int_equal(state_delete(f->st, (uint64_t)key, &e), 0);
	assert_int_equal(state_choice_get(f->st, key, &got, &e), -ENOENT);
	assert_int_equal(state_choice_put(f->st, &a, &e), 0);
	assert_int_equal(state_choice_drop(f->st, key, &e), 0);
	assert_int_equal(state_choice_get(f->st, key, &got, &e), -ENOENT);
}

/* One a user, beside what was chosen for a sandbox. */
static void presets(void **data)
{
	struct fixture *f = *data;
	struct state_choice a = { .route = "here", .model = "m", .by = 1000 }, got, copy;
	struct err e = { 0 };

	assert_int_equal(state_preset_get(f->st, 1000, &got, &e), -ENOENT);
	assert_true(!*got.route && got.preset);
	assert_int_equal(state_preset_put(f->st, &a, &e), 0);
	strcpy(a.route, "there");
	assert_int_equal(state_preset_put(f->st, &a, &e), 0);
	assert_int_equal(state_preset_get(f->st, 1001, &got, &e), -ENOENT);
	assert_int_equal(state_preset_get(f->st, 1000, &got, &e), 0);
	assert_string_equal(got.route, "there");
	assert_string_equal(got.model, "m");
	assert_true(got.by == 1000 && got.time_us && got.preset);
	copy = got;
	copy.sandbox = (int64_t)created(f, "one", 1000);
	assert_int_equal(state_choice_put(f->st, &copy, &e), 0);
	assert_int_equal(state_choice_get(f->st, copy.sandbox, &got, &e), 0);
	assert_true(got.preset);
	copy.preset = false;
	assert_int_equal(state_choice_put(f->st, &copy, &e), 0);
	assert_int_equal(state_choice_get(f->st, copy.sandbox, &got, &e), 0);
	assert_false(got.preset);
	assert_int_equal(state_preset_drop(f->st, 1000, &e), 0);
	assert_int_equal(state_preset_get(f->st, 1000, &got, &e), -ENOENT);
	assert_int_equal(state_choice_get(f->st, copy.sandbox, &got, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(providers, setup, teardown),
		cmocka_unit_test_setup_teardown(choices, setup, teardown),
		cmocka_unit_test_setup_teardown(presets, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
