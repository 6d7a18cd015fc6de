/* SPDX-License-Identifier: Apache-2.0 */
/* The egress judges by the generation that the kernel's table says is in force, or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "../../userspace/egress/grant.h"
#include "osh/abi.h"

#include <cmocka.h>

#define ID 5u

static unsigned flips, stale;
static struct generation now = { .table = { .id = ID, .generation = 3 }, .refs = 9 };
static struct generation next = { .table = { .id = ID, .generation = 4 }, .refs = 9 };
static struct generations ps;

static void on_flipped(struct generations *p)
{
	(void)p;
	flips++;
}

static void on_stale(struct generations *p)
{
	(void)p;
	stale++;
}

static void in_force(uint32_t id, uint32_t generation)
{
	struct osh_sandbox sb = { .id = id, .generation = generation };

	assert_int_equal(bpf_map_update_elem(ps.sandboxes_fd, &ps.slot, &sb, BPF_ANY), 0);
}

static int set_up(void **state)
{
	(void)state;
	flips = stale = 0;
	ps = (struct generations){ .now = &now, .slot = 1, .flipped = on_flipped, .stale = on_stale };
	ps.sandboxes_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "sandboxes", sizeof(uint32_t), sizeof(struct osh_sandbox), 2, NULL);
	return ps.sandboxes_fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(ps.sandboxes_fd);
	return 0;
}

static void the_one_in_force(void **state)
{
	(void)state;
	in_force(ID, 3);
	assert_ptr_equal(generation_now(&ps), &now);
	ps.next = &next;
	assert_ptr_equal(generation_now(&ps), &now);
	assert_int_equal(flips + stale, 0);
	in_force(ID, 4);
	assert_ptr_equal(generation_now(&ps), &next);
	assert_null(ps.next);
	assert_int_equal(flips, 1);
	assert_int_equal(stale, 0);
}

static void passed_by(void **state)
{
	(void)state;
	in_force(ID, 4);
	(void)generation_now(&ps);
	assert_int_equal(stale, 1);
	ps.next = &next;
	in_force(ID, 5);
	(void)generation_now(&ps);
	assert_int_equal(stale, 2);
	in_force(ID, 2);
	(void)generation_now(&ps);
	assert_int_equal(stale, 3);
	assert_int_equal(flips, 0);
}

/* Its slot is another's, or empty: what it serves has no cgroup any more, and its pidfd ends it. */
static void the_sandbox_ends(void **state)
{
	(void)state;
	in_force(ID + 1, 9);
	assert_ptr_equal(generation_now(&ps), &now);
	in_force(0, 0);
	assert_ptr_equal(generation_now(&ps), &now);
	assert_int_equal(flips + stale, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = { T(the_one_in_force), T(passed_by), T(the_sandbox_ends) };

	if (geteuid())
		return puts("1..0 # SKIP needs root"), 0;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
