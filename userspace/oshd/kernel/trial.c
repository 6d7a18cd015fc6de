// SPDX-License-Identifier: Apache-2.0
/*
 * What this kernel can do beyond the oldest one, found by trying. Runs in oshd before each load. A
 * trial that fails for whatever reason means "no", and the way of the oldest kernel is taken.
 */
#include "kbpf.h"
#include "own.h"

#include <bpf/btf.h>
#include <fcntl.h>

/* file_open notes that it was asked: a kernel may load and attach programs of an LSM that it does not call. */
static int lsm_program(const struct btf *types, int map)
{
	const struct bpf_insn insns[] = {
		{ BPF_LD | BPF_IMM | BPF_DW, BPF_REG_1, BPF_PSEUDO_MAP_VALUE, 0, map },
		{ 0 },
		{ BPF_ST | BPF_MEM | BPF_W, BPF_REG_1, 0, 0, 1 },
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	int id = btf__find_by_name_kind(types, "bpf_lsm_file_open", BTF_KIND_FUNC);
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_LSM_MAC, .attach_btf_id = (__u32)id);

	return id > 0 ? bpf_prog_load(BPF_PROG_TYPE_LSM, "trial", "GPL", insns, ARRAY_SIZE(insns), &opts) : -1;
}

bool kbpf_asks_lsm(const struct btf *types)
{
	_close_ int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "trial", 4, 4, 1, NULL), prog = -1, link = -1, fd = -1;
	__u32 zero = 0, asked = 0;

	if (types && map >= 0)
		prog = lsm_program(types, map);
	if (prog >= 0)
		link = bpf_raw_tracepoint_open(NULL, prog);
	if (link >= 0)
		fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && !bpf_map_lookup_elem(map, &zero, &asked) && asked;
}

int kbpf_has_lsm(void)
{
	struct btf *types = btf__load_vmlinux_btf();
	bool asked = kbpf_asks_lsm(types);

	btf__free(types);
	return asked;
}

bool kbpf_takes_entry(const struct btf *types, const char *function)
{
	const struct bpf_insn insns[] = {
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	int id = types ? btf__find_by_name_kind(types, function, BTF_KIND_FUNC) : -1;
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FENTRY, .attach_btf_id = (__u32)id);
	_close_ int prog = -1, link = -1;

	if (id > 0)
		prog = bpf_prog_load(BPF_PROG_TYPE_TRACING, "trial", "GPL", insns, ARRAY_SIZE(insns), &opts);
	if (prog >= 0)
		link = bpf_raw_tracepoint_open(NULL, prog);
	return link >= 0;
}

/* One call of bpf_kallsyms_lookup_name: the answer and the name lie in a map's value. */
struct symbol {
	__u64 at;
	char name[24];			/* zero-padded */
};

static int symbol_program(int map, size_t len)
{
	const struct bpf_insn insns[] = {
		{ BPF_LD | BPF_IMM | BPF_DW, BPF_REG_4, BPF_PSEUDO_MAP_VALUE, 0, map },
		{ 0 },
		{ BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_4, 0, 0 },
		{ BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_1, 0, 0, offsetof(struct symbol, name) }, // NOLINT(misc-redundant-expression)
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, (__s32)len },
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, 0 },
		{ BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_kallsyms_lookup_name },
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_SLEEPABLE);

	return bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "trial", "GPL", insns, ARRAY_SIZE(insns), &opts);
}

/* /proc/kallsyms says the same after 200 000 lines. */
__u64 kbpf_symbol(const char *name)
{
	_close_ int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "trial", 4, sizeof(struct symbol), 1, NULL), prog = -1;
	LIBBPF_OPTS(bpf_test_run_opts, run);
	struct symbol s = { 0 };
	size_t n = strlen(name);
	__u32 zero = 0;

	if (map < 0 || n >= sizeof(s.name))
		return 0;
	memcpy(s.name, name, n);
	if (bpf_map_update_elem(map, &zero, &s, BPF_ANY) < 0)
		return 0;
	prog = symbol_program(map, n + 1);
	if (prog < 0 || bpf_prog_test_run_opts(prog, &run) < 0 || bpf_map_lookup_elem(map, &zero, &s) < 0)
		return 0;
	return s.at;
}

static int storage_map(void)
{
	struct btf *btf = btf__new_empty();
	int word = btf ? btf__add_int(btf, "int", 4, BTF_INT_SIGNED) : -1, map = -1;
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC, .btf_key_type_id = word,
		    .btf_value_type_id = word);

	if (word > 0 && !btf__load_into_kernel(btf)) {
		opts.btf_fd = btf__fd(btf);
		map = bpf_map_create(BPF_MAP_TYPE_TASK_STORAGE, "trial", 4, 4, 0, &opts);
	}
	btf__free(btf);
	return map;
}

/* The one call, on the running task, as the socket and DNS hooks make it. */
static int storage_used_by(enum bpf_prog_type type, enum bpf_attach_type attach, int map)
{
	const struct bpf_insn insns[] = {
		{ BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_current_task_btf },
		{ BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_0, 0, 0 },
		{ BPF_LD | BPF_IMM | BPF_DW, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map },
		{ 0 },
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, 0 },
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_4, 0, 0, 0 },
		{ BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_task_storage_get },
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach);
	_close_ int prog = bpf_prog_load(type, "trial", "GPL", insns, ARRAY_SIZE(insns), &opts);

	return prog >= 0;
}

int kbpf_has_task_storage(void)
{
	_close_ int map = storage_map();

	return map >= 0 &&
	       storage_used_by(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT, map) &&
	       storage_used_by(BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_CREATE, map) &&
	       storage_used_by(BPF_PROG_TYPE_SCHED_CLS, 0, map);
}
