/* SPDX-License-Identifier: Apache-2.0 */
/* What the state database keeps: what was acknowledged is there after it is opened again, what failed is not. */
#include "state_rig.h"

static void every_field_comes_back(void **data)
{
	struct fixture *f = *data;
	struct state_label labels[] = { { (char *)"team", (char *)"a" }, { (char *)"app", (char *)"b; DROP TABLE label" } };
	char spec[] = "argv\0env";
	struct state_sandbox s = some("one", 1000), got;
	struct err e = { 0 };
	_close_ int fd = -1;
	char read_back[64];

	s.n_groups = 2;
	s.groups[0] = 27;
	s.groups[1] = 4000000000u;
	s.labels = labels;
	s.n_labels = 2;
	s.spec = spec;
	s.spec_len = sizeof(spec);
	s.spec_head.argc = 7;
	strcpy(s.volumes[0].name, "cache");
	strcpy(s.volumes[0].path, "/cache");
	strcpy(s.volumes[1].name, "ro");
	strcpy(s.volumes[1].path, "/ro");
	s.volumes[1].read_only = true;
	s.n_volumes = 2;
	assert_int_equal(create(f, &s, 1, &e), 0);
	assert_true(s.key > 0 && s.revision == 1 && s.created_us > 0);
	assert_int_equal(state_wanted(f->st, s.key, false, 256, "it 'ended'", &e), 0);
	again(f);
	assert_int_equal(state_find(f->st, "one", &got, &e), 0);
	assert_int_equal(got.key, s.key);
	assert_int_equal(got.uid, 1000);
	assert_int_equal(got.n_groups, 2);
	assert_int_equal(got.groups[1], 4000000000u);
	assert_string_equal(got.workdir, "/home/u/work");
	assert_int_equal(got.created_us, s.created_us);
	assert_false(got.wanted);
	assert_int_equal(got.exit_status, 256);
	assert_string_equal(got.reason, "it 'ended'");
	assert_int_equal(got.revision, 1);
	assert_int_equal(got.n_labels, 2);
	assert_string_equal(got.labels[0].key, "app");
	assert_string_equal(got.labels[0].value, "b; DROP TABLE label");
	assert_int_equal(got.n_volumes, 2);
	assert_string_equal(got.volumes[0].path, "/cache");
	assert_true(got.volumes[1].read_only && got.volumes[1].key != got.volumes[0].key);
	assert_int_equal(got.spec_head.argc, 7);
	assert_int_equal(got.spec_len, sizeof(spec));
	state_sandbox_done(&got);
	assert_int_equal(state_command_open(f->st, s.key, &fd, &e), 0);
	assert_int_equal(read(fd, read_back, sizeof(read_back)), sizeof(spec));
	assert_memory_equal(read_back, spec, sizeof(spec));
	assert_int_equal(state_find(f->st, "two", &got, &e), -ENOENT);
}

static void names_are_data(void **data)
{
	static const char *const names[] = {
		"a'; DROP TABLE sandbox; --", "\"", "?1", "%", "_", "a\nb", "\xff\xfe", "../../etc", "NULL",
	};
	struct fixture *f = *data;
	struct state_sandbox got;
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct state_label l = { (char *)names[i], (char *)names[i] };
		uint64_t key = created(f, names[i], 1000);

		assert_int_equal(state_label(f->st, key, &l, 1, NULL, 0, &e), 0);
		assert_int_equal(state_volume_need(f->st, 1000, names[i], &key, &e), 0);
	}
	assert_int_equal(count(f), ARRAY_SIZE(names));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(state_find(f->st, names[i], &got, &e), 0);
		assert_string_equal(got.name, names[i]);
		assert_string_equal(got.labels[0].key, names[i]);
		assert_int_equal(state_delete(f->st, got.key, &e), 0);
		state_sandbox_done(&got);
		assert_int_equal(count(f), ARRAY_SIZE(names) - i - 1);
	}
}

static void a_name_is_taken_once_and_a_key_never_again(void **data)
{
	struct fixture *f = *data;
	struct state_sandbox s = some("one", 1001);
	uint64_t first = created(f, "one", 1000), second;
	struct err e = { 0 };

	assert_int_equal(create(f, &s, 2, &e), -EEXIST);
	assert_non_null(strstr(e.text, "exists; choose another name"));
	assert_int_equal(count(f), 1);
	assert_int_equal(state_delete(f->st, first, &e), 0);
	assert_int_equal(state_delete(f->st, first, &e), -ENOENT);
	again(f);
	second = created(f, "one", 1001);
	assert_true(second > first);
}

static void limits_hold_and_leave_nothing(void **data)
{
	struct fixture *f = *data;
	struct state_label many[OSH_LABELS + 1], l = { (char *)"k", NULL };
	struct state_sandbox s = some("", 1000), got;
	char keys[OSH_LABELS + 1][8], big[300];
	uint64_t key = created(f, "one", 1000), volume;
	struct err e = { 0 };

	assert_int_equal(create(f, &s, 1, &e), -EINVAL);
	s = some("big", 1000);
	s.spec = big;
	s.spec_len = OSH_SPEC_BYTES + 1;
	assert_int_equal(create(f, &s, 1, &e), -E2BIG);
	for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
		many[i] = (struct state_label){ keys[i], (char *)"v" };
	}
	assert_int_equal(state_label(f->st, key, many, OSH_LABELS + 1, NULL, 0, &e), -E2BIG);
	assert_int_equal(state_find(f->st, "one", &got, &e), 0);
	assert_int_equal(got.n_labels, 0);
	state_sandbox_done(&got);
	assert_int_equal(state_label(f->st, key, many, OSH_LABELS, NULL, 0, &e), 0);
	memset(big, 'x', sizeof(big));
	big[256] = 0;
	l.value = big;
	assert_int_equal(state_label(f->st, key, &l, 1, NULL, 0, &e), -EINVAL);
	l = (struct state_label){ (char *)"", (char *)"v" };
	assert_int_equal(state_label(f->st, key, &l, 1, NULL, 0, &e), -EINVAL);
	assert_int_equal(state_label(f->st, 99, &l, 1, NULL, 0, &e), -EINVAL);
	l.key = (char *)"k";
	assert_true(state_label(f->st, 99, &l, 1, NULL, 0, &e) < 0);
	assert_int_equal(state_volume_need(f->st, 1000, "", &volume, &e), -EINVAL);
}

static void a_share_is_of_each_user(void **data)
{
	struct fixture *f = *data;
	struct state_sandbox s;
	_close_ int bundle = -1, source = -1;
	struct err e = { 0 };
	char name[32];
	uint64_t key;

	policy_fds(1, &bundle, &source);
	for (int i = 0; i < OSH_SANDBOXES_EACH; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		s = some(name, 1000);
		assert_int_equal(state_create(f->st, &s, bundle, source, &e), 0);
	}
	s = some("more", 1000);
	assert_int_equal(state_create(f->st, &s, bundle, source, &e), -EDQUOT);
	s = some("more", 0);
	assert_int_equal(state_create(f->st, &s, bundle, source, &e), 0);
	for (int i = 0; i < OSH_VOLUMES_EACH; i++) {
		snprintf(name, sizeof(name), "v%d", i);
		assert_int_equal(state_volume_need(f->st, 1000, name, &key, &e), 0);
	}
	assert_int_equal(state_volume_need(f->st, 1000, "more", &key, &e), -EDQUOT);
	assert_int_equal(state_volume_need(f->st, 1000, "v0", &key, &e), 0);
	assert_int_equal(state_volume_need(f->st, 1001, "more", &key, &e), 0);
	state_close(f->st);		/* one policy: kept once */
	f->st = NULL;
	assert_int_equal(ask(f, "SELECT count(*) FROM blob"), 2);
}

static void labels_are_set_and_removed_in_one(void **data)
{
	struct fixture *f = *data;
	uint64_t key = created(f, "one", 1000);
	struct state_label l[] = { { (char *)"a", (char *)"1" }, { (char *)"b", (char *)"2" } };
	char *gone[] = { (char *)"a" };
	struct state_sandbox got;
	struct err e = { 0 };

	assert_int_equal(state_label(f->st, key, l, 2, NULL, 0, &e), 0);
	l[1].value = (char *)"3";
	assert_int_equal(state_label(f->st, key, l + 1, 1, gone, 1, &e), 0);
	again(f);
	assert_int_equal(state_find(f->st, "one", &got, &e), 0);
	assert_int_equal(got.n_labels, 1);
	assert_string_equal(got.labels[0].value, "3");
	state_sandbox_done(&got);
}

static uint32_t add(struct fixture *f, uint64_t key, unsigned n)
{
	_close_ int bundle = -1, source = -1;
	struct err e = { 0 };
	uint32_t revision = 0;

	policy_fds(n, &bundle, &source);
	if (state_policy_add(f->st, key, bundle, source, 1000, 0, &revision, &e) < 0)
		fail_msg("add: %s", e.text);
	return revision;
}

static int add_large(struct fixture *f, uint64_t key, unsigned n)
{
	_close_ int bundle = -1, source = -1, big = -1;
	char *text = malloc(OSH_POLICY_BYTES);
	struct err e = { 0 };
	uint32_t revision;

	assert_non_null(text);
	memset(text, (int)n, OSH_POLICY_BYTES);
	big = sealed_fd(text, OSH_POLICY_BYTES);
	free(text);
	policy_fds(1, &bundle, &source);
	return state_policy_add(f->st, key, bundle, big, 1000, 0, &revision, &e);
}

static void what_a_user_keeps_is_bounded(void **data)
{
	const unsigned most = OSH_POLICIES_EACH / OSH_POLICY_BYTES - 1;
	struct fixture *f = *data;
	uint64_t one = created(f, "one", 1000), two = created(f, "two", 1000);
	struct state_sandbox s = some("three", 1000);
	struct err e = { 0 };

	for (unsigned i = 0; i < most; i++)
		assert_int_equal(add_large(f, i % 2 ? one : two, i), 0);
	assert_int_equal(add_large(f, one, most - 1), 0);	/* has it already */
	assert_int_equal(add_large(f, one, most), -EDQUOT);
	assert_int_equal(create(f, &s, 2, &e), 0);		/* a small one fits */
	assert_int_equal(add_large(f, created(f, "other", 1001), most), 0);
	assert_int_equal(add_large(f, created(f, "root", 0), most + 1), 0);
	assert_int_equal(state_delete(f->st, two, &e), 0);
	assert_int_equal(add_large(f, one, most), 0);
}

static int collect(void *data, const struct state_revision *r)
{
	uint32_t *seen = data;

	seen[++seen[0]] = r->revision;
	assert_int_equal(strlen(r->hash), 64);
	return 0;
}

static void revisions_are_kept_as_given(void **data)
{
	struct fixture *f = *data;
	uint64_t key = created(f, "one", 1000);
	uint32_t seen[OSH_REVISIONS + 8] = { 0 }, revision;
	_close_ int bundle = -1, source = -1, bundle2 = -1, none = -1;
	struct bundle b = { 0 };
	struct err e = { 0 };
	char text[256] = "";

	assert_int_equal(add(f, key, 2), 2);
	again(f);
	assert_int_equal(in_force(f, "one"), 2);
	assert_int_equal(state_policy_open(f->st, key, 2, &bundle, &source, &e), 0);
	assert_int_equal(bundle_open_fd(&b, bundle, &e), 0);
	bundle_done(&b);
	assert_true(read(source, text, sizeof(text) - 1) > 0 && strstr(text, "h2.example"));
	assert_int_equal(state_policy_open(f->st, key, 7, &bundle2, NULL, &e), -ENOENT);
	assert_int_equal(state_policy_add(f->st, key, bundle, -1, 1000, 1, &revision, &e), 0);
	assert_int_equal(state_policy_open(f->st, key, revision, &bundle2, &none, &e), 0);
	assert_int_equal(none, -1);
	assert_int_equal(state_policy_each(f->st, key, collect, seen, &e), 0);
	assert_int_equal(seen[0], 3);
	assert_int_equal(state_policy_add(f->st, 99, bundle, -1, 1000, 0, &revision, &e), -ENOENT);
}

static void the_newest_revisions_stay(void **data)
{
	struct fixture *f = *data;
	uint64_t key = created(f, "one", 1000), other = created(f, "two", 1000);
	uint32_t seen[OSH_REVISIONS + 8] = { 0 };
	struct err e = { 0 };

	for (unsigned i = 2; i <= OSH_REVISIONS + 10; i++)
		assert_int_equal(add(f, key, i), i);
	assert_int_equal(state_policy_each(f->st, key, collect, seen, &e), 0);
	assert_int_equal(seen[0], OSH_REVISIONS);
	assert_int_equal(seen[1], 11);
	assert_int_equal(seen[OSH_REVISIONS], OSH_REVISIONS + 10);
	seen[0] = 0;
	assert_int_equal(state_policy_each(f->st, other, collect, seen, &e), 0);
	assert_int_equal(seen[0], 1);	/* policy 1 is still the other's */
	state_close(f->st);
	f->st = NULL;
	assert_int_equal(ask(f, "SELECT count(*) FROM blob"), 2 * (OSH_REVISIONS + 1));
}

static void a_crash_leaves_what_the_kernel_has(void **data)
{
	struct fixture *f = *data;
	uint64_t key = created(f, "one", 1000);
	uint32_t seen[8] = { 0 };
	_close_ int one = -1, two = -1, three = -1, source = -1;
	struct err e = { 0 };

	policy_fds(1, &one, &source);
	own_close(&source);
	policy_fds(2, &two, &source);
	own_close(&source);
	policy_fds(3, &three, &source);
	assert_int_equal(add(f, key, 2), 2);
	assert_int_equal(in_force(f, "one"), 2);
	again(f);
	assert_int_equal(state_policy_settle(f->st, key, two, &e), 0);	/* killed after the flip */
	assert_int_equal(in_force(f, "one"), 2);
	assert_int_equal(state_policy_settle(f->st, key, one, &e), 0);	/* killed before it */
	assert_int_equal(in_force(f, "one"), 1);
	assert_int_equal(state_policy_each(f->st, key, collect, seen, &e), 0);
	assert_int_equal(seen[0], 1);
	assert_int_equal(state_policy_settle(f->st, key, three, &e), -ENOENT);
	assert_int_equal(in_force(f, "one"), 1);
	assert_int_equal(add(f, key, 3), 2);
	assert_int_equal(state_policy_cut(f->st, key, 1, &e), 0);	/* the flip failed */
	assert_int_equal(state_policy_cut(f->st, key, 9, &e), -ENOENT);
	assert_int_equal(in_force(f, "one"), 1);
	assert_int_equal(add(f, key, 1), 2);	/* the same policy again: the later one stays in force */
	assert_int_equal(state_policy_settle(f->st, key, one, &e), 0);
	assert_int_equal(in_force(f, "one"), 2);
}

static void bad_policies_are_no_revisions(void **data)
{
	struct fixture *f = *data;
	uint64_t key = created(f, "one", 1000);
	_close_ int bundle = -1, source = -1, loose = memfd_create("loose", MFD_CLOEXEC), big = -1, junk = sealed_fd("junk", 4);
	uint32_t revision, seen[8] = { 0 };
	char *text = calloc(1, OSH_POLICY_BYTES + 1);
	struct err e = { 0 };

	policy_fds(2, &bundle, &source);
	big = sealed_fd(text, OSH_POLICY_BYTES + 1);
	free(text);
	assert_true(state_policy_add(f->st, key, junk, source, 1000, 0, &revision, &e) < 0);
	assert_true(state_policy_add(f->st, key, loose, source, 1000, 0, &revision, &e) < 0);
	assert_int_equal(state_policy_add(f->st, key, bundle, loose, 1000, 0, &revision, &e), -EINVAL);
	assert_int_equal(state_policy_add(f->st, key, bundle, big, 1000, 0, &revision, &e), -E2BIG);
	assert_int_equal(state_policy_each(f->st, key, collect, seen, &e), 0);
	assert_int_equal(seen[0], 1);
}

static int one_volume(void *data, uid_t uid, const char *name, uint64_t key, unsigned users)
{
	(void)key;
	snprintf((char *)data + strlen(data), 200, "%u/%s/%u ", uid, name, users);
	return 0;
}

static void a_volume_in_use_stays(void **data)
{
	struct fixture *f = *data;
	struct state_sandbox s = some("one", 1000);
	struct err e = { 0 };
	uint64_t key, same;
	char seen[1024] = "";

	strcpy(s.volumes[0].name, "cache");
	strcpy(s.volumes[0].path, "/cache");
	strcpy(s.volumes[1].name, "cache");
	strcpy(s.volumes[1].path, "/again");
	s.n_volumes = 2;
	assert_int_equal(create(f, &s, 1, &e), 0);
	assert_int_equal(state_volume_need(f->st, 1000, "cache", &same, &e), 0);
	assert_int_equal(same, s.volumes[0].key);
	assert_int_equal(state_volume_need(f->st, 1001, "cache", &key, &e), 0);
	assert_true(key != same);
	assert_int_equal(state_volume_each(f->st, one_volume, seen, &e), 0);
	assert_string_equal(seen, "1000/cache/1 1001/cache/0 ");
	assert_int_equal(state_volume_delete(f->st, 1000, "cache", &key, &e), -EBUSY);
	assert_int_equal(state_volume_delete(f->st, 1000, "none", &key, &e), -ENOENT);
	assert_int_equal(state_delete(f->st, s.key, &e), 0);
	assert_int_equal(state_volume_delete(f->st, 1000, "cache", &key, &e), 0);
	assert_int_equal(key, same);
}

static int one_trash(void *data, enum state_tree kind, uint64_t key)
{
	snprintf((char *)data + strlen(data), 64, "%u/%llu ", kind, (unsigned long long)key);
	return 0;
}

static void what_was_deleted_is_trash_until_it_is_gone(void **data)
{
	struct fixture *f = *data;
	uint64_t a = created(f, "a", 1000), b = created(f, "b", 1000), v;
	struct err e = { 0 };
	char seen[256] = "", want[64];

	assert_int_equal(state_volume_need(f->st, 1000, "v", &v, &e), 0);
	assert_int_equal(state_trash_each(f->st, one_trash, seen, &e), 0);
	assert_string_equal(seen, "");
	assert_int_equal(state_delete(f->st, a, &e), 0);
	assert_int_equal(state_volume_delete(f->st, 1000, "v", &v, &e), 0);
	again(f);
	snprintf(want, sizeof(want), "1/%llu 2/%llu ", (unsigned long long)a, (unsigned long long)v);
	assert_int_equal(state_trash_each(f->st, one_trash, seen, &e), 0);
	assert_string_equal(seen, want);
	assert_int_equal(state_trash_done(f->st, STATE_HOME, a, &e), 0);
	assert_int_equal(state_trash_done(f->st, STATE_VOLUME, v, &e), 0);
	seen[0] = 0;
	assert_int_equal(state_trash_each(f->st, one_trash, seen, &e), 0);
	assert_string_equal(seen, "");
	assert_int_equal(state_keys_above(f->st, STATE_HOME, b + 100, &e), 0);
	assert_int_equal(state_keys_above(f->st, STATE_HOME, 1, &e), 0);
	assert_int_equal(state_keys_above(f->st, STATE_VOLUME, 70, &e), 0);
	assert_true(created(f, "c", 1000) == b + 101);
	assert_int_equal(state_volume_need(f->st, 1000, "v", &v, &e), 0);
	assert_true(v == 71);
}

static void a_deletion_gives_its_room_back(void **data)
{
	struct fixture *f = *data;
	uint64_t key = created(f, "one", 1000), other = created(f, "two", 1000);
	char *text = calloc(1, OSH_POLICY_BYTES);
	struct err e = { 0 };
	int64_t pages;

	for (unsigned i = 2; i < 8; i++) {
		_close_ int bundle = -1, source = -1, big = -1;
		uint32_t revision;

		policy_fds(i, &bundle, &source);
		memset(text, (int)i, OSH_POLICY_BYTES);
		big = sealed_fd(text, OSH_POLICY_BYTES);
		assert_int_equal(state_policy_add(f->st, key, bundle, big, 1000, 0, &revision, &e), 0);
	}
	free(text);
	assert_int_equal(state_delete(f->st, key, &e), 0);
	assert_int_equal(state_delete(f->st, other, &e), 0);
	state_close(f->st);
	f->st = NULL;
	pages = ask(f, "PRAGMA page_count");
	assert_true(pages < 2200);
	open_state(f);
}

static int delete_each(void *data, const struct state_sandbox *s)
{
	return state_delete(data, s->key, NULL);
}

static void a_loop_may_change_what_it_walks(void **data)
{
	struct fixture *f = *data;

	for (char name[] = "a"; name[0] <= 'e'; name[0]++)
		created(f, name, 1000);
	assert_int_equal(state_each(f->st, delete_each, f->st, NULL), 0);
	assert_int_equal(count(f), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(every_field_comes_back),
		T(names_are_data),
		T(a_name_is_taken_once_and_a_key_never_again),
		T(limits_hold_and_leave_nothing),
		T(a_share_is_of_each_user),
		T(what_a_user_keeps_is_bounded),
		T(labels_are_set_and_removed_in_one),
		T(revisions_are_kept_as_given),
		T(the_newest_revisions_stay),
		T(a_crash_leaves_what_the_kernel_has),
		T(bad_policies_are_no_revisions),
		T(a_volume_in_use_stays),
		T(what_was_deleted_is_trash_until_it_is_gone),
		T(a_deletion_gives_its_room_back),
		T(a_loop_may_change_what_it_walks),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
