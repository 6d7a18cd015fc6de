/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each BPF program loads alone on this kernel. In the virtual machine that is the oldest kernel that
 * osh supports: a helper that came later shows here, by the name of the program that uses it.
 */
#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdlib.h>

#include "../../userspace/oshd/kernel/kbpf.h"

static char stats[1 << 16];

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

/*
 * Every embedded run loads all LSM programs: what the verifier looks at in each is bounded here, so that no
 * loop in a loop makes a start slow unseen.
 */
#define LSM_BUDGET 20000

static bool within_budget(const struct bpf_program *p)
{
	const char *said = strstr(stats, "processed ");
	unsigned n = 0;

	if (strncmp(bpf_program__section_name(p), "lsm", 3))
		return true;
	return said && sscanf(said, "processed %u insns", &n) == 1 && n <= LSM_BUDGET;
}

/* LSM programs load only where the kernel lets them; in the virtual machine they must. */
static bool wanted(const struct bpf_program *p)
{
	return strncmp(bpf_program__section_name(p), "lsm", 3) || getenv("OSH_VM");
}

/* Opened by the loader, which knows what libbpf does not, with one program left in. */
static bool loads(const char *name)
{
	struct kbpf *k;
	struct bpf_program *p;
	struct bpf_map *m;
	struct err e;
	bool good;

	if (kbpf_open(&k, &e) < 0) {
		printf("# %s\n", e.text);
		return false;
	}
	bpf_object__for_each_map(m, k->obj)
		bpf_map__set_autocreate(m, true);
	bpf_object__for_each_program(p, k->obj)
		bpf_program__set_autoload(p, !strcmp(bpf_program__name(p), name));
	libbpf_set_print(on_print);
	p = bpf_object__find_program_by_name(k->obj, name);
	bpf_program__set_log_level(p, 4);	/* BPF_LOG_STATS */
	bpf_program__set_log_buf(p, stats, sizeof(stats));
	stats[0] = 0;
	good = !bpf_object__load(k->obj);
	kbpf_free(k);
	return good;
}

int main(void)
{
	struct kbpf *k;
	struct bpf_program *p;
	int n = 0, bad = 0;

	if (kbpf_open(&k, NULL) < 0)
		return 1;
	bpf_object__for_each_program(p, k->obj) {
		const char *name = bpf_program__name(p);
		bool good = !wanted(p) || (loads(name) && within_budget(p));

		printf("%sok %d - %s loads%s\n", good ? "" : "not ", ++n, name,
		       wanted(p) ? "" : " # SKIP LSM programs are tested in the virtual machine");
		if (wanted(p) && strstr(stats, "processed"))
			printf("# %s: %.*s\n", name, (int)strcspn(strstr(stats, "processed"), "(\n"), strstr(stats, "processed"));
		fflush(stdout);
		bad += !good;
	}
	printf("1..%d\n", n);
	kbpf_free(k);
	return bad > 0;
}
