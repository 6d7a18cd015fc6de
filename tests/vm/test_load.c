/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each BPF program loads alone on this kernel. In the virtual machine that is the oldest kernel that
 * osh supports: a helper that came later shows here, by the name of the program that uses it.
 */
#include <bpf/libbpf.h>
#include <stdbool.h>

#include "osh.skel.h"

static int on_print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	static char text[1 << 16];
	char *line, *save;

	(void)level;
	vsnprintf(text, sizeof(text), fmt, ap);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strstr(line, "cannot use") || strstr(line, "unknown func") || strstr(line, "not allowed") ||
		    strstr(line, "too large") || strstr(line, "invalid") || strstr(line, "failed to load"))
			printf("# %s\n", line);
	return 0;
}

/* LSM programs load only where the kernel lets them; tests/vm is where they must. */
static bool wanted(const struct bpf_program *p)
{
	return strncmp(bpf_program__section_name(p), "lsm", 3) || getenv("OSH_VM");
}

static bool loads(const char *name)
{
	struct osh_bpf *o = osh_bpf__open();
	struct bpf_program *p;
	int r;

	if (!o)
		return false;
	bpf_object__for_each_program(p, o->obj)
		bpf_program__set_autoload(p, !strcmp(bpf_program__name(p), name));
	r = osh_bpf__load(o);
	osh_bpf__destroy(o);
	return !r;
}

int main(void)
{
	struct osh_bpf *o = osh_bpf__open();
	struct bpf_program *p;
	int n = 0, bad = 0;

	libbpf_set_print(on_print);
	if (!o)
		return 1;
	bpf_object__for_each_program(p, o->obj) {
		const char *name = bpf_program__name(p);
		bool good = !wanted(p) || loads(name);

		printf("%sok %d - %s loads%s\n", good ? "" : "not ", ++n, name,
		       wanted(p) ? "" : " # SKIP LSM programs are tested in the virtual machine");
		fflush(stdout);
		bad += !good;
	}
	printf("1..%d\n", n);
	osh_bpf__destroy(o);
	return bad > 0;
}
