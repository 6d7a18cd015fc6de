/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oshd's reload against every order of what can happen to it: each answer, lateness and death, and each failure of a
 * step, in all sequences up to a depth. The world around reload.c is a model of this file: whoever calls a function of
 * it asks for the next decision, and all decisions are enumerated. One policy or the other must come of it, whole; also
 * where oshd is killed at any step, once the next one has looked at what is stored and what is in force.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../userspace/oshd/across.h"
#include "../../userspace/oshd/auditor.h"
#include "../../userspace/oshd/control.h"
#include "../../userspace/oshd/fixed.h"
#include "../../userspace/oshd/launcher.h"
#include "../../userspace/oshd/reach.h"
#include "../../userspace/oshd/reload.h"
#include "../../userspace/oshd/share.h"
#include "../../userspace/oshd/store.h"
#include "own.h"

static int no(struct err *e, const char *what)
{
	return fail(e, EIO, "%s", what);
}

#include <cmocka.h>	/* last: it defines a macro called fail */

#define DEPTH 24	/* decisions in one history */
#define EVENTS 7	/* happenings in one history; then what is late comes */
#define OLD 7u

enum lives { NONE, STARTING, ALIVE, DEAD };	/* DEAD: oshd has not heard yet */

/* The decisions of one history, and how many there were at each; the next history differs in the last that can. */
static struct {
	int taken[DEPTH], of[DEPTH], n, at;
} script;

static struct {
	enum lives egress;
	bool next, ready;			/* what it holds, what it said */
	bool owes_ready, owes_flipped, killed;
	struct osh_msg_reload asked;
	uint32_t in_force, stored;
	bool failed_to_store;
	bool filled;				/* the tables of the next generation */
	bool mortal;				/* oshd may die at its next step */
	launcher_routed *followed;
	sd_event_time_handler_t late;
	int done;
	char error[256];
} world;

static struct daemon d;
static struct sandbox s;
static char broken[256];
static long histories;

static void claim(bool ok, const char *what)
{
	if (!ok && !broken[0])
		snprintf(broken, sizeof(broken), "%s", what);
}

static int choose(int n)
{
	if (script.at == DEPTH)
		return 0;
	if (script.at == script.n) {
		script.of[script.n] = n;
		script.taken[script.n++] = 0;
	}
	return script.taken[script.at++];
}

static bool next_history(void)
{
	while (script.n && ++script.taken[script.n - 1] >= script.of[script.n - 1])
		script.n--;
	script.at = 0;
	return script.n > 0;
}

static jmp_buf death;

static void may_die(void)
{
	if (world.mortal && choose(2))
		longjmp(death, 1);
}

static int may_fail(struct err *e, const char *what)
{
	may_die();
	return choose(2) ? no(e, what) : 0;
}

/* What reload.c stands on. */

void across_again(struct sandbox *x)
{
	(void)x;
}

int share_open(struct bundle *ret, uid_t uid, int fd, struct err *e)
{
	(void)uid;
	(void)fd;
	(void)e;
	memset(ret, 0, sizeof(*ret));
	return 0;
}

int share_check(const struct sandbox *x, const struct bundle *b, struct err *e)
{
	(void)x;
	(void)b;
	(void)e;
	return 0;
}

int fixed_check(const struct sandbox *x, const struct bundle *next, struct err *e)
{
	(void)x;
	(void)next;
	(void)e;
	return 0;
}

bool reach_same_programs(const struct bundle *a, const struct bundle *b)
{
	(void)a;
	(void)b;
	return true;
}

bool reach_same_routes(const struct bundle *a, const struct bundle *b)
{
	(void)a;
	(void)b;
	return world.followed == NULL && !choose(2);
}

int launcher_routes(struct sandbox *x, int fd, uint32_t flags, launcher_routed *done, struct err *e)
{
	int r = x->routed ? no(e, "osh-launch has not answered yet") : may_fail(e, "routes");

	(void)fd;
	(void)flags;
	if (!r)
		x->routed = world.followed = done;
	return r;
}

int auditor_policy(struct daemon *x, const struct sandbox *y, uint32_t generation, int fd, bool in_force, struct err *e)
{
	(void)x;
	(void)y;
	(void)generation;
	(void)fd;
	(void)in_force;
	(void)e;
	return 0;
}

int store_save(struct sandbox *x, struct err *e)
{
	int r = may_fail(e, "store");

	if (!r)
		world.stored = x->k.generation;
	else
		world.failed_to_store = true;
	return r;
}

int kbpf_fill(struct kbpf *k, const struct kbpf_sandbox *x, const struct bundle *b, struct err *e)
{
	(void)k;
	(void)b;
	(void)e;
	claim(x->generation == OLD + 1, "another generation than the next is filled");
	world.filled = true;
	return 0;
}

void kbpf_unfill(struct kbpf *k, const struct kbpf_sandbox *x, const struct bundle *b)
{
	(void)k;
	(void)b;
	claim(x->generation != world.in_force, "the tables in force are taken away");
	world.filled = false;
}

void kbpf_only(struct kbpf *k, const struct kbpf_sandbox *x)
{
	(void)k;
	(void)x;
}

void kbpf_clear_generation(struct kbpf *k, const struct kbpf_sandbox *x, uint32_t generation)
{
	(void)k;
	(void)x;
	claim(generation != world.in_force, "the tables in force are cleared");
}

uint32_t kbpf_in_force(const struct kbpf *k, const struct kbpf_sandbox *x)
{
	(void)k;
	(void)x;
	return world.in_force;
}

int kbpf_rejudge(struct kbpf *k, const struct kbpf_sandbox *x, const struct bundle *b, struct err *e)
{
	(void)k;
	(void)x;
	(void)b;
	return may_fail(e, "rejudge");
}

int kbpf_register_inodes(struct kbpf *k, const struct kbpf_sandbox *x, const struct bundle *b, const int *fds,
			 const uint32_t *binary, int n, struct err *e)
{
	(void)k;
	(void)x;
	(void)b;
	(void)fds;
	(void)binary;
	(void)n;
	(void)e;
	return 0;
}

int kbpf_flip(struct kbpf *k, const struct kbpf_sandbox *x, const struct bundle *b, struct err *e)
{
	int r = may_fail(e, "flip");

	(void)k;
	(void)b;
	claim(x->generation > world.in_force, "the kernel flips to a generation that is not the next");
	claim(world.egress != STARTING, "the kernel flips while an egress starts with the old policy");
	claim(world.egress != ALIVE || world.ready, "the kernel flips past an egress that is not ready");
	claim(r || x->generation == world.stored, "the kernel flips to what the next oshd does not know of");
	claim(r || world.filled, "the kernel flips to tables that are not there");
	if (!r)
		world.in_force = x->generation;
	return r;
}

enum egress_state egress_hold(struct sandbox *x)
{
	x->egress.held = true;
	return x->egress.state;
}

void egress_release(struct sandbox *x)
{
	x->egress.held = false;
}

/* Whether it ends at once, or hangs in the kernel for a while, it decides nothing any more. */
void egress_kill(struct sandbox *x)
{
	(void)x;
	world.killed = true;
	if (world.egress == ALIVE)
		world.egress = DEAD;
}

int control_say(struct sandbox *x, unsigned type, uint32_t generation, uint64_t serial, int fd)
{
	(void)x;
	(void)fd;
	may_die();
	if (world.egress == ALIVE && choose(2))
		world.egress = DEAD;
	if (world.egress != ALIVE)
		return -EPIPE;
	world.asked = (struct osh_msg_reload){ .generation = generation, .serial = serial };
	if (type == OSH_MSG_EGRESS_NEXT)
		world.next = world.owes_ready = true;
	else if (type == OSH_MSG_EGRESS_FLIP)
		world.owes_flipped = true;
	return 0;
}

/* Two timers: the reload's (told by the time that it is given), and the one that clears old tables. */
int sd_event_add_time_relative(sd_event *e, sd_event_source **ret, clockid_t clock, uint64_t usec, uint64_t accuracy,
			       sd_event_time_handler_t callback, void *userdata)
{
	(void)e;
	(void)ret;
	(void)clock;
	(void)accuracy;
	(void)userdata;
	if (usec > 1000000)
		world.late = callback;
	return 0;
}

sd_event_source *sd_event_source_disable_unref(sd_event_source *source)
{
	return source;
}

/* What happens. */

static int commit(void *arg, uint32_t generation, struct err *e)
{
	(void)arg;
	claim(generation == OLD + 1, "another generation is committed");
	return may_fail(e, "commit");
}

static void on_done(void *arg, uint32_t generation, const char *error)
{
	(void)arg;
	world.done++;
	snprintf(world.error, sizeof(world.error), "%s", error ? error : "");
	claim(generation == s.k.generation, "the caller hears of another generation");
	claim(!s.reload, "the caller hears before it is over");
}

static void answers(unsigned type, bool bad)
{
	struct osh_msg_reloaded m = { .h.type = type, .generation = world.asked.generation, .serial = world.asked.serial,
				      .code = bad ? EINVAL : 0 };

	if (type == OSH_MSG_EGRESS_READY)
		world.owes_ready = false, world.ready = !bad;
	else
		world.owes_flipped = false;
	if (choose(2))			/* it is dead by the time that its word is read */
		world.egress = DEAD;
	reload_answered(&s, &m);
}

static void egress_is_up(void)
{
	world.egress = ALIVE;
	s.egress.state = EGRESS_UP;
	reload_egress_up(&s);
}

static void egress_is_gone(void)
{
	world.egress = NONE;
	s.egress.state = EGRESS_NONE;
	reload_egress_gone(&s);
}

static void routes_answer(void)
{
	launcher_routed *f = s.routed;
	bool bad = choose(2);

	world.followed = s.routed = NULL;
	f(&s, bad ? EIO : 0, bad ? "no route" : "");
}

static void lateness(void)
{
	if (world.late)
		(void)world.late(NULL, 0, &s);
}

static void happens(void)
{
	void (*events[8])(void);
	int n = 0, i;

	events[n++] = lateness;
	if (world.followed)
		events[n++] = routes_answer;
	if (world.egress == STARTING)
		events[n++] = egress_is_up;
	if (world.egress == STARTING || world.egress == ALIVE || world.egress == DEAD)
		events[n++] = egress_is_gone;
	i = choose(n + (world.egress == ALIVE && world.owes_ready ? 2 : 0) +
		   (world.egress == ALIVE && world.owes_flipped ? 2 : 0));
	if (i < n)
		events[i]();
	else if (world.owes_ready)
		answers(OSH_MSG_EGRESS_READY, i > n);
	else
		answers(OSH_MSG_EGRESS_FLIPPED, i > n);
}

static void judge(int old_fd, int new_fd)
{
	bool new = !world.error[0];
	struct stat is, ought;

	claim(world.done == 1, "the caller does not hear once");
	claim(world.in_force == OLD + new, new ? "done, and the old policy is in force" : "refused, and the new one is in force");
	claim(s.k.generation == world.in_force, "oshd believes another generation in force than is");
	claim(world.stored == world.in_force || world.failed_to_store, "what is stored is not what is in force");
	claim(fstat(s.bundle_fd, &is) == 0 && fstat(new ? new_fd : old_fd, &ought) == 0 && is.st_ino == ought.st_ino,
	      "the next egress would get another policy than is in force");
	claim(!new || world.egress != ALIVE || world.ready, "an egress lives that does not know what is in force");
	claim(!s.egress.held, "no egress will be started any more");
}

/* The next oshd: it has what osh-launch keeps, and the kernel. */
static void resume(void)
{
	struct sandbox next = { .d = &d, .state = SB_RUNNING, .name = "s", .k.generation = world.stored };
	struct err e = { 0 };

	world.mortal = false;
	claim(world.stored == world.in_force || world.stored == world.in_force + 1 || world.failed_to_store,
	      "what is stored is neither in force nor the next");
	if (world.failed_to_store)
		return;
	script.at = DEPTH;		/* nothing fails from here on */
	if (world.egress == STARTING)	/* it is asked for with what was stored before, and none is flipped past it */
		claim(world.stored == world.in_force, "a policy is stored while an egress starts with another");
	claim(reload_resume(&next, &e) == 0 && world.in_force == next.k.generation, "the next oshd finds no policy in force");
	claim(world.egress != ALIVE || world.ready || world.in_force == OLD, "an egress lives that does not know what is in force");
}

static void history(enum egress_state begins, bool mortal)
{
	int old_fd = memfd_create("old", MFD_CLOEXEC), new_fd = memfd_create("new", MFD_CLOEXEC);
	struct reload_request q = { .bundle_fd = new_fd, .commit = commit, .done = on_done };
	struct err e = { 0 };

	memset(&world, 0, sizeof(world));
	world.egress = begins == EGRESS_UP ? ALIVE : begins == EGRESS_ASKED ? STARTING : NONE;
	world.in_force = world.stored = OLD;
	s = (struct sandbox){ .d = &d, .state = SB_RUNNING, .name = "s", .k.generation = OLD, .egress.state = begins,
			      .bundle_fd = fcntl(old_fd, F_DUPFD_CLOEXEC, 3) };
	world.mortal = mortal;
	if (setjmp(death)) {
		resume();
		reload_cancel(&s, "killed");	/* memory and descriptors, which the kernel takes back */
	} else {
		if (reload_start(&s, &q, &e) < 0) {
			world.done++;
			snprintf(world.error, sizeof(world.error), "%s", e.text);
		}
		for (int i = 0; s.reload && i < EVENTS; i++)
			happens();
		for (int i = 0; s.reload && i < 4; i++)
			lateness();
		judge(old_fd, new_fd);
	}
	close(s.bundle_fd);
	close(old_fd);
	close(new_fd);
	histories++;
}

static void every_history(enum egress_state begins, bool mortal)
{
	int said = dup(2), null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(null, 2);			/* oshd's own lines */
	script.n = script.at = 0;
	broken[0] = 0;
	do
		history(begins, mortal);
	while (!broken[0] && next_history());
	dup2(said, 2);
	close(said);
	close(null);
	if (!broken[0])
		return;
	fprintf(stderr, "# decisions:");
	for (int i = 0; i < script.n; i++)
		fprintf(stderr, " %d/%d", script.taken[i], script.of[i]);
	fail_msg("%s", broken);
}

static void all_from(enum egress_state begins)
{
	every_history(begins, false);
	every_history(begins, true);
}

static void no_egress(void **state)
{
	(void)state;
	all_from(EGRESS_NONE);
}

static void one_that_starts(void **state)
{
	(void)state;
	all_from(EGRESS_ASKED);
}

static void one_that_lives(void **state)
{
	(void)state;
	all_from(EGRESS_UP);
}

/* A history whose first decision is the second of two, and all others the first. */
static void routes_differ(void)
{
	script.taken[0] = 1;
	script.of[0] = 2;
	script.n = 1;
	script.at = 0;
	world.followed = NULL;
}

/* What osh-launch says of a reload that was given up is not taken for an answer to the next one. */
static void a_late_answer_is_nobodys(void **state)
{
	int fd = memfd_create("next", MFD_CLOEXEC);
	struct reload_request q = { .bundle_fd = fd, .commit = commit, .done = on_done };
	struct err e = { 0 };

	(void)state;
	memset(&world, 0, sizeof(world));
	broken[0] = 0;
	world.in_force = world.stored = OLD;
	s = (struct sandbox){ .d = &d, .state = SB_RUNNING, .name = "s", .k.generation = OLD,
			      .bundle_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3) };
	routes_differ();
	assert_int_equal(reload_start(&s, &q, &e), 0);
	lateness();
	assert_int_equal(world.done, 1);
	assert_string_not_equal(world.error, "");
	routes_differ();
	assert_true(reload_start(&s, &q, &e) < 0);
	assert_null(s.reload);
	assert_int_equal(world.in_force, OLD);
	routes_answer();
	assert_int_equal(world.done, 1);
	routes_differ();
	assert_int_equal(reload_start(&s, &q, &e), 0);
	routes_answer();
	assert_int_equal(world.done, 2);
	assert_string_equal(world.error, "");
	assert_int_equal(world.in_force, OLD + 1);
	assert_string_equal(broken, "");
	close(s.bundle_fd);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_late_answer_is_nobodys),
		cmocka_unit_test(no_egress),
		cmocka_unit_test(one_that_starts),
		cmocka_unit_test(one_that_lives),
	};
	int r;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	r = cmocka_run_group_tests(tests, NULL, NULL);

	printf("# %ld histories\n", histories);
	return r;
}
