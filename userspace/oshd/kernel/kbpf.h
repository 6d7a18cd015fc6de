/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the kernel half: the loaded object, and what each sandbox has written into which map.
 * For the files of this directory only; the outside sees bpf.h.
 */
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf.h"

struct btf;
struct osh_bpf;				/* the skeleton */

/* Maps that hold entries of a sandbox: rows of `kbpf_maps`, in maps.c. */
enum kmap {
	KMAP_SANDBOXES, KMAP_BY_CGROUP, KMAP_BY_NETNS, KMAP_BY_EGRESS, KMAP_NAMES, KMAP_ADDRS, KMAP_SUFFIXES,
	KMAP_CIDRS, KMAP_ENDPOINTS, KMAP_FRONT, KMAP_PROGRAMS, KMAP_INODES, KMAP_GLOBS, KMAP_IDENTS, KMAP_PATHS, KMAP_ENV_EXEMPT,
	KMAP_UNIX_ALLOW, KMAP_DENIES, KMAP_DENY_GLOBS, KMAP_DENY_ROOTS, KMAP_DENY_INODES, KMAP_RUN_INODES, KMAP_RESERVED, KMAP_MAPPED, KMAP_DEVICES,
	KMAP_EGRESS_PORTS, KMAP_EGRESS_ALLOW, KMAP_DENIALS, KMAP_FUNNEL, KMAP_HOST, KMAP_LANE_SLOTS,
	KMAP_LANE_TAILS, KMAP_RING_ALLOW, KMAP_RING_DENY, KMAP_TASK_DATA, KMAP_TASKS,
	KMAP_MAX
};

struct kmap_info {
	const char *name;
	uint32_t key, value;		/* bytes */
	int id_at, gen_at;		/* offset of the sandbox id and generation in the key, -1 = none */
	uint32_t small;			/* entries (rings: bytes) for one embedded run, 0 = leave */
	int journal;			/* filled by the loader: its keys are remembered */
};
extern const struct kmap_info kbpf_maps[KMAP_MAX];

/* Keys that one sandbox has in one map, back to back. */
struct kkeys {
	char *p;
	uint32_t n, cap;		/* keys */
};

/* What was written for the tenant `id` of a slot. Absent after adoption: clearing then walks maps. */
struct kjournal {
	uint32_t id;
	struct kkeys keys[KMAP_MAX];
};

#define KBUILD_MAX 65			/* SHA-256 of the BPF object as text */

struct kbpf {
	struct osh_bpf *skel;
	char build[KBUILD_MAX];
	bool replaces;			/* the pinned programs are of another build; see replace.c */
	struct bpf_object *obj;
	struct osh_sandbox *sandboxes;	/* the map itself, OSH_SLOTS entries */
	struct osh_front *front;	/* likewise, 1 << OSH_FRONT_BITS entries */
	struct osh_host *host;		/* likewise, one entry */
	struct kjournal *journal[OSH_SLOTS];
	struct bpf_link *links[OSH_HOOK_MAX];
	int map[KMAP_MAX];
	int prog[OSH_HOOK_MAX];		/* -1 = not in the object */
	int own_progs;			/* prog[] are descriptors of pins, to be closed */
	uint32_t adopted[OSH_SLOTS];	/* sandbox of a former daemon: its keys are not in a journal */
	int steer_prog, steer_map;	/* a copy for the next sandbox; -1 = none */
	struct kbpf_off off;
	int lsm;			/* LSM programs load and are asked here */
	bool lacks[OSH_HOOK_MAX];	/* LSM programs that this kernel does not take */
};

/* Leaves programs out that this kernel does not take; after a load that failed: finds more of them (lsm.c). */
void kbpf_lsm_open(struct kbpf *k);
bool kbpf_lsm_narrow(const char *why);
/* The same for those that only tell: sandboxes that live were promised the others. */
bool kbpf_lsm_narrow_tells(void);
bool kbpf_asks_lsm(const struct btf *types);	/* kbpf_has_lsm(), with the kernel's own types; NULL = none (trial.c) */
/* Does it take a program at the entry of this function, and let it be attached? */
bool kbpf_takes_entry(const struct btf *types, const char *function);

enum kwhere { AT_CGROUP, AT_EGRESS, AT_GLOBAL, AT_NETNS, AT_TC, AT_LSM, AT_GUARD, AT_TELL, AT_ITER };
enum kwhere kbpf_hook_where(enum osh_hook hook);

/* Fills map, prog and sandboxes from the loaded object (bpf.c). */
int kbpf_open(struct kbpf **ret, const struct kbpf_off *off, struct err *e);	/* off: NULL = nothing is left out */
int kbpf_load_some(struct kbpf **ret, int small, const struct kbpf_off *off, struct err *e);	/* kbpf_load() in any build; for tests */
int kbpf_bind(struct kbpf *k, struct err *e);
int kbpf_load_object(struct kbpf *k, struct err *e);
void kbpf_deny_stamp(struct kbpf *k, const struct kbpf_sandbox *s);	/* to the sandbox, from its tables (deny.c) */
int kbpf_lanes(struct kbpf *k, struct err *e);	/* constants of the programs, from the size of the maps */
int kbpf_prog_id(const struct kbpf *k, enum osh_hook hook, uint32_t *ret, struct err *e);
int kbpf_steer_load(struct kbpf *k, int map_fd, int *ret_prog_fd, struct err *e);	/* for this sockmap */
struct bpf_program *kbpf_program(const struct kbpf *k, enum osh_hook hook);
const char *kbpf_hook_name(enum osh_hook hook);
bool kbpf_hook_linked(const struct kbpf *k, enum osh_hook hook);	/* once for the host, by a link of ours? */
int kbpf_hook_off(const struct kbpf *k, enum osh_hook hook);

/*
 * Writes n entries and remembers their keys for the sandbox, where the map is one that the journal
 * covers. On failure entries before the failing one stay (they are in the journal).
 */
int kbpf_put(struct kbpf *k, const struct kbpf_sandbox *s, enum kmap m, const void *keys,
	     const void *values, uint32_t n, struct err *e);

/* The front table (front.c): a copy of `endpoints` entries, kept by kbpf_put() and kbpf_delete(). */
#define KFRONT_BYTES (sizeof(struct osh_front) << OSH_FRONT_BITS)
void kbpf_front_put(struct kbpf *k, const struct osh_endpoint_key *keys, const struct osh_endpoint *eps, uint32_t n);
void kbpf_front_drop(struct kbpf *k, const struct osh_endpoint_key *keys, uint32_t n);

/* Deletes entries of the sandbox from m whose generation is not `keep` (0 = all of them). */
void kbpf_drop(struct kbpf *k, const struct kbpf_sandbox *s, enum kmap m, uint32_t keep);
/* Deletes entries of this one generation: the undoing of a fill. */
void kbpf_drop_generation(struct kbpf *k, const struct kbpf_sandbox *s, enum kmap m, uint32_t gen);
void kbpf_delete(struct kbpf *k, enum kmap m, const void *keys, uint32_t n);
void kbpf_forget_free(struct kbpf *k, enum kmap m);	/* of a map of slots: what names one without a tenant */
void kbpf_journal_free(struct kbpf *k, uint32_t slot);

/* Names and addresses of one generation (names.c). ret_addr[host - 1] = address index, where it is exact. */
int kbpf_names_fill(struct kbpf *k, const struct kbpf_sandbox *s, const struct bundle *b, uint32_t *ret_addr,
		    struct err *e);
/* Names under wildcards that are connected again without being asked for; after the suffixes are there. */
int kbpf_names_wild(struct kbpf *k, const struct kbpf_sandbox *s, struct err *e);
void kbpf_names_undo(struct kbpf *k, const struct kbpf_sandbox *s, const struct bundle *b);
void kbpf_names_only(struct kbpf *k, const struct kbpf_sandbox *s, uint32_t wild_used);
uint32_t kbpf_names_used(struct kbpf *k, uint32_t id);	/* listed ones; they stay for the sandbox's life */
void kbpf_names_clear(struct kbpf *k, const struct kbpf_sandbox *s, uint32_t wild_used);

/* The inode behind a descriptor of ours (inodes.c). */
int kbpf_inode_of(struct kbpf *k, int fd, const char *what, struct osh_fd_inode *ret, struct err *e);

/* Which groups list a program (idents.c). `path`: of a file, or the pattern that found it. */
void kbpf_group_set(__u64 *groups, uint32_t group);
void kbpf_row_groups(const struct bundle *b, const char *path, __u64 *groups);
