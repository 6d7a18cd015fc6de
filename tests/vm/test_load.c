/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each BPF program loads on this kernel. In the virtual machine one is the oldest kernel that
 * osh supports: a helper that came later shows here, by the name of the program that uses it.
 *
 * What the verifier does for it and how often it asks maps is held against tests/vm/budget, so that neither
 * grows unseen: every start loads all programs, and a hook is on the way of every system call of its kind.
 */
#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "../../userspace/oshd/kernel/kbpf.h"

static char stats[128][1 << 14];		/* by program, in the object's order */

static int on_print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	static const char *const telling[] = { "cannot use", "unknown func", "not allowed", "too large", "invalid", "failed" };
	static char text[1 << 16];
	char *line, *save;

	(void)level;
	vsnprintf(text, sizeof(text), fmt, ap);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		for (size_t i = 0; i < sizeof(telling) / sizeof(*telling); i++)
			if (strstr(line, telling[i])) {
				printf("# %s\n", line);
				break;
			}
	return 0;
}

enum { INSNS, STATES, LOOKUPS, COSTS };

static const char *const cost_names[COSTS] = { "instructions", "states", "lookups" };
static const unsigned spare[COSTS] = { 8, 4, 0 };	/* a tenth of a small number is nothing */

struct cost {
	char program[64], kernel[16];
	unsigned n[COSTS];
};

#define BUDGET "tests/vm/budget"
static struct cost budget[512];
static size_t n_budget;
static char kernel[16];			/* "6.12" */
static bool kernel_known;

static void budget_read(void)
{
	FILE *f = fopen(BUDGET, "r");
	struct utsname u;
	char line[256];
	int major, minor;

	uname(&u);
	if (sscanf(u.release, "%d.%d", &major, &minor) == 2)
		snprintf(kernel, sizeof(kernel), "%d.%d", major, minor);
	while (f && n_budget < sizeof(budget) / sizeof(*budget) && fgets(line, sizeof(line), f)) {
		struct cost *c = &budget[n_budget];

		if (line[0] == '#' || sscanf(line, "%63s %15s %u %u %u", c->program, c->kernel, &c->n[INSNS],
					     &c->n[STATES], &c->n[LOOKUPS]) != 5)
			continue;
		kernel_known |= !strcmp(c->kernel, kernel);
		n_budget++;
	}
	if (f)
		fclose(f);
}

/* Calls of lookups in the program and in the functions that came with it. */
static unsigned lookups(const struct bpf_program *p)
{
	const struct bpf_insn *insn = bpf_program__insns(p);
	unsigned n = 0;

	for (size_t i = 0; i < bpf_program__insn_cnt(p); i++)
		n += insn[i].code == (BPF_JMP | BPF_CALL) && !insn[i].src_reg &&
		     (insn[i].imm == BPF_FUNC_map_lookup_elem || insn[i].imm == BPF_FUNC_task_storage_get);
	return n;
}

static struct cost cost_now;

static void cost_take(const struct bpf_program *p, const char *said)
{
	const char *insns = strstr(said, "processed "), *states = strstr(said, "total_states ");

	memset(&cost_now, 0, sizeof(cost_now));
	snprintf(cost_now.program, sizeof(cost_now.program), "%s", bpf_program__name(p));
	snprintf(cost_now.kernel, sizeof(cost_now.kernel), "%s", kernel);
	cost_now.n[INSNS] = insns ? (unsigned)atoi(insns + strlen("processed ")) : 0;
	cost_now.n[STATES] = states ? (unsigned)atoi(states + strlen("total_states ")) : 0;
	cost_now.n[LOOKUPS] = lookups(p);
}

static bool within_budget(void)
{
	const struct cost *c = NULL;
	bool good = cost_now.n[INSNS] > 0;

	for (size_t i = 0; i < n_budget; i++)
		if (!strcmp(budget[i].program, cost_now.program) && !strcmp(budget[i].kernel, kernel))
			c = &budget[i];
	if (!c) {
		printf("# no row in " BUDGET ": make budget\n");
		return false;
	}
	for (int i = 0; i < COSTS; i++)
		if (cost_now.n[i] > c->n[i] + (c->n[i] / 10 > spare[i] ? c->n[i] / 10 : spare[i])) {
			printf("# %s: %u, and its budget is %u; where that is meant: make budget\n", cost_names[i], cost_now.n[i], c->n[i]);
			good = false;
		}
	return good;
}

/*
 * NULL, or why this one is not for this kernel. LSM programs and those at the entry of a function load only where the kernel
 * lets them; in the virtual machine they must.
 */
static const char *unwanted(const struct bpf_program *p)
{
	const char *section = bpf_program__section_name(p);

	if ((!strncmp(section, "lsm", 3) || !strncmp(section, "fentry", 6)) && !getenv("OSH_VM"))
		return "such programs are tested in the virtual machine";
	for (enum osh_hook h = 0; h < OSH_HOOK_MAX; h++)
		if (!strcmp(kbpf_hook_name(h), bpf_program__name(p)) && kbpf_hook_needless(h))
			return "this kernel has nothing that asks it";
	return NULL;
}

/* Opened by the loader, which knows what libbpf does not; `name`, or all that are wanted. NULL where it does not load. */
static struct kbpf *load(const char *name)
{
	struct kbpf *k;
	struct bpf_program *p;
	struct bpf_map *m;
	struct err e;
	size_t n = 0;

	if (kbpf_open(&k, NULL, &e) < 0) {
		printf("# %s\n", e.text);
		return NULL;
	}
	bpf_object__for_each_map(m, k->obj)
		bpf_map__set_autocreate(m, true);
	bpf_object__for_each_program(p, k->obj) {
		if (n == sizeof(stats) / sizeof(*stats)) {
			puts("# more programs than this test has room for");
			exit(1);
		}
		bpf_program__set_autoload(p, name ? !strcmp(bpf_program__name(p), name) : !unwanted(p));
		bpf_program__set_log_level(p, 4);	/* BPF_LOG_STATS */
		stats[n][0] = 0;
		bpf_program__set_log_buf(p, stats[n], sizeof(stats[n]));
		n++;
	}
	if (!bpf_object__load(k->obj))
		return k;
	kbpf_free(k);
	return NULL;
}

static int n_tests, n_bad;

static void result(bool good, const char *name, const char *what)
{
	printf("%sok %d - %s %s\n", good ? "" : "not ", ++n_tests, name, what);
	fflush(stdout);
	n_bad += !good;
}

static void one(const struct bpf_program *p, bool loaded, const char *said)
{
	const char *name = bpf_program__name(p), *why = unwanted(p);
	char what[96];

	if (why) {
		snprintf(what, sizeof(what), "loads # SKIP %s", why);
		result(true, name, what);
		return;
	}
	result(loaded, name, "loads");
	cost_take(p, said);
	printf("# cost %s %s %u %u %u\n", name, kernel, cost_now.n[INSNS], cost_now.n[STATES], cost_now.n[LOOKUPS]);
	if (kernel_known)
		result(loaded && within_budget(), name, "is within its budget");
}

/* Some program does not load: each alone says which, and why. An emulated processor takes seconds for each. */
static void each_alone(void)
{
	struct kbpf *k, *alone;
	struct bpf_program *p;
	size_t n = 0;

	libbpf_set_print(on_print);
	if (kbpf_open(&k, NULL, NULL) < 0)
		exit(1);
	bpf_object__for_each_program(p, k->obj) {
		alone = unwanted(p) ? NULL : load(bpf_program__name(p));
		one(p, alone, stats[n++]);
		kbpf_free(alone);
	}
	kbpf_free(k);
}

int main(void)
{
	struct bpf_program *p;
	struct kbpf *k;
	size_t n = 0;

	budget_read();
	k = load(NULL);
	if (k)
		bpf_object__for_each_program(p, k->obj)
			one(p, true, stats[n++]);
	else
		each_alone();
	kbpf_free(k);
	if (!kernel_known)
		result(true, "all programs", "# SKIP " BUDGET " has no rows for this kernel: make budget");
	printf("1..%d\n", n_tests);
	return n_bad > 0;
}
