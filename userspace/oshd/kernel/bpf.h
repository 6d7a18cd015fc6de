/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel half, as oshd sees it: load once, then per sandbox fill maps and attach. Only oshd
 * links this. Nothing here parses text; policy arrives as a checked bundle.
 */
#pragma once

#include <stdbool.h>
#include <stdbool.h>
#include <stdint.h>

#include "bundle.h"
#include "err.h"
#include "osh/abi.h"

enum osh_hook {
#define HOOK(id, program, where) OSH_HOOK_##id,
#include "osh/hooks.def"
#undef HOOK
	OSH_HOOK_MAX
};

/* Programs that are never attached, a bit each by enum osh_hook. None, unless built with OSH_TEST. */
struct kbpf_off {
	uint64_t w[2];
};
_Static_assert(OSH_HOOK_MAX <= 128, "struct kbpf_off has a bit for each hook");

struct kbpf;				/* the loaded object */

/*
 * Opens, sizes and loads. `small`: maps sized for one embedded run (faster load). `off`: NULL = nothing
 * is left out.
 * Every error names the kernel feature that is missing.
 */
int kbpf_load(struct kbpf **ret, int small, const struct kbpf_off *off, struct err *e);

/* Loads this one program alone, to say what the kernel has against it; nothing stays. */
int kbpf_try_hook(enum osh_hook hook, struct err *e);
/* Is task storage there for every program of ours; are LSM programs asked (trial.c)? */
int kbpf_has_task_storage(void);
int kbpf_has_lsm(void);
__u64 kbpf_symbol(const char *name);	/* address of what the kernel exports to nobody, 0 = it does not say */

/* Attach the GLOBAL programs (exec, fork). */
int kbpf_attach_global(struct kbpf *k, struct err *e);

/* Pin maps, GLOBAL links and programs below `dir` (a bpffs directory that exists); reuse them instead. */
int kbpf_pin(struct kbpf *k, const char *dir, struct err *e);
int kbpf_adopt(struct kbpf **ret, const char *dir, const struct kbpf_off *off, struct err *e);
int kbpf_is_whole(const char *dir);	/* a pin that was completed; else nothing was ever enforced by it */
void kbpf_unpin(const char *dir);

/*
 * Adopted pins whose programs are of another build (kbpf_replaces()): ours take their places, one by one,
 * never without one. First what is host-wide and of the cgroups, then each living sandbox, then the mark.
 * Killed in between, the next daemon of whichever build begins again.
 */
bool kbpf_replaces(const struct kbpf *k);
int kbpf_replace(struct kbpf *k, const char *dir, int box_fd, int egress_fd, struct err *e);
int kbpf_replace_netns(struct kbpf *k, int netns_fd, int steer_link_fd, struct err *e);
int kbpf_replace_done(struct kbpf *k, const char *dir, struct err *e);

/* After adoption: removes what a former daemon had written for sandboxes that nobody keeps. Walks every map. */
void kbpf_sweep(struct kbpf *k, bool (*alive)(void *, uint32_t id), void *data);
void kbpf_free(struct kbpf *k);

/* The last sandbox id that was given out by whichever daemon used these maps. */
uint32_t kbpf_last_id(const struct kbpf *k);
void kbpf_set_last_id(struct kbpf *k, uint32_t id);

int kbpf_map_fd(const struct kbpf *k, const char *name);	/* borrowed; -ENOENT */
/* One that can only be looked up in, for the unprivileged roles; the caller's to close. */
int kbpf_map_fd_ro(const struct kbpf *k, const char *name);
int kbpf_prog_fd(const struct kbpf *k, enum osh_hook hook);	/* borrowed */
bool kbpf_hook_is_lsm(enum osh_hook hook);
/* After a load or an adoption: of a call that this kernel does not have; another does what it would do. */
bool kbpf_hook_needless(enum osh_hook hook);
bool kbpf_hook_spare(enum osh_hook hook);
bool kbpf_hook_optional(enum osh_hook hook);	/* may be left out, and everything else holds */

/* A copy of the sk_lookup program with a sockmap of its own; both descriptors become the caller's. */
int kbpf_steer_new(struct kbpf *k, int *ret_prog_fd, int *ret_map_fd, struct err *e);
void kbpf_steer_ahead(struct kbpf *k);	/* makes the next one while nobody waits */

/*
 * Tables of one (sandbox, generation), from a bundle. kbpf_fill() writes everything a generation
 * needs but does not flip it; on failure it removes what it wrote and the old generation stays.
 * New names take unused addresses; names of earlier generations keep theirs.
 */
struct kbpf_sandbox {
	uint32_t slot, id, generation;
	uint64_t cgroup, netns;
	uint32_t net6[4];
};
int kbpf_fill(struct kbpf *k, const struct kbpf_sandbox *s, const struct bundle *b, struct err *e);

/* Takes back a fill that is not to be flipped. */
void kbpf_unfill(struct kbpf *k, const struct kbpf_sandbox *s, const struct bundle *b);

/*
 * Leaves s->generation, which must be the one in force, as the only one: before a fill, where a former
 * daemon may have died over one of its own.
 */
void kbpf_only(struct kbpf *k, const struct kbpf_sandbox *s);
uint32_t kbpf_in_force(const struct kbpf *k, const struct kbpf_sandbox *s);	/* generation; 0 = unknown */

/* Entries of the shared tables, by table (need.c). */
#define KBPF_TABLES 13
struct kbpf_need {
	uint64_t n[KBPF_TABLES];
};
void kbpf_need_policy(const struct bundle *b, struct kbpf_need *n);	/* adds one generation, names apart */
void kbpf_need_new_names(const struct bundle *b, struct kbpf_need *n);	/* adds all its names */
void kbpf_need_names(struct kbpf *k, const struct kbpf_sandbox *s, const struct bundle *b, struct kbpf_need *n); /* what it has */
int kbpf_need_check(struct kbpf *k, const struct kbpf_need *mine, const struct kbpf_need *others, struct err *e);

/* Does this path lie in a tree that the policy lists as writable? */
int kbpf_in_writable(const struct bundle *b, const char *path);

/* Publishes the slot (first call) or flips its generation (later calls): one aligned store. */
int kbpf_flip(struct kbpf *k, const struct kbpf_sandbox *s, const struct bundle *b, struct err *e);
int kbpf_set_netns(struct kbpf *k, struct kbpf_sandbox *s, uint64_t cookie, struct err *e);

/*
 * It is furnished and nothing of the agent's runs yet: from here on LSM programs keep what no process inside
 * may do to others or to the kernel, osh-launch's own child included. For the sandbox's life; idempotent.
 */
void kbpf_guard(struct kbpf *k, const struct kbpf_sandbox *s);

/* Removes every entry of the sandbox from every map and frees the slot. Idempotent. */
void kbpf_clear(struct kbpf *k, const struct kbpf_sandbox *s);
/* Removes entries of generations other than s->generation; of one that is no longer in force. */
void kbpf_clear_old(struct kbpf *k, const struct kbpf_sandbox *s);
void kbpf_clear_generation(struct kbpf *k, const struct kbpf_sandbox *s, uint32_t generation);

/*
 * Registers programs of writable trees for s->generation. `binary[i]` indexes b->binaries. Someone
 * must keep each file open for the sandbox's life, or its inode could become another file's.
 * -ETXTBSY: a file is open for writing.
 */
int kbpf_register_inodes(struct kbpf *k, const struct kbpf_sandbox *s, const struct bundle *b,
			 const int *fds, const uint32_t *binary, int n, struct err *e);

/*
 * May a process that serves everybody write to a caller's descriptor? Not where the caller himself
 * answers for the file system. Pipes and no descriptor (-1) are fine. Asks the kernel's structures and
 * never the file system: fstat(2) would already wait.
 */
int kbpf_fd_check(struct kbpf *k, int fd, const char *what, struct err *e);

/*
 * What programs that were executed or registered under earlier generations mean in s->generation:
 * carries inode entries over, and fills `by` of every ident. kbpf_fill() and kbpf_flip() call it;
 * idempotent. A program of a writable tree that only the new policy lists is not registered by it.
 */
int kbpf_rejudge(struct kbpf *k, const struct kbpf_sandbox *s, const struct bundle *b, struct err *e);

/*
 * `filesystem_policy.deny`, where LSM programs live (kbpf_lsm). A tree that the sandbox can write and where it
 * is in its view, or a file that an entry denies; `fd` is open at it. What is entered must
 * stay in memory for the sandbox's life: a root by its mount, a file by a descriptor. `workdir`: where
 * relative entries begin, as the view has it.
 */
bool kbpf_lsm(const struct kbpf *k);
int kbpf_deny_root(struct kbpf *k, const struct kbpf_sandbox *s, const struct bundle *b, const char *workdir,
		   const char *path, int fd, struct err *e);
int kbpf_deny_file(struct kbpf *k, const struct kbpf_sandbox *s, uint32_t row, const char *path, int fd,
		   struct err *e);
int kbpf_deny_twins(struct kbpf *k, const struct kbpf_sandbox *s, struct err *e);	/* not all such files are entered */
bool kbpf_deny_has(const struct kbpf *k, const struct kbpf_sandbox *s);	/* was any root entered? */

/*
 * `process.exec: strict`, where LSM programs live: a listed file, or a directory below which everything is
 * listed, or the root of a writable mount. Whoever enters one keeps it in memory.
 */
int kbpf_run_enter(struct kbpf *k, const struct kbpf_sandbox *s, enum osh_run what, const char *path, int fd,
		   struct err *e);

/*
 * Where LSM programs live: a path that is for some programs only, or lies below one; `entry` is reserved_at() of it.
 * The sandbox must have been flipped. What is entered must stay in memory for the sandbox's life.
 */
int kbpf_reserve(struct kbpf *k, const struct kbpf_sandbox *s, const struct osh_reserved *entry, const char *path, int fd,
		 struct err *e);
bool kbpf_has_reserved(const struct kbpf *k, const struct kbpf_sandbox *s);

/* Character devices that the sandbox may open, for its life; rights: OSH_DEVICE_*. */
struct kbpf_device {
	uint32_t major, minor, rights;
};
int kbpf_devices(struct kbpf *k, const struct kbpf_sandbox *s, const struct kbpf_device *devices, uint32_t n,
		 struct err *e);

bool kbpf_has_device(const struct kbpf *k, const struct kbpf_sandbox *s, uint32_t major, uint32_t minor);

/* One value that osh sets in the sandbox's environment ("NAME=value") does not taint. */
int kbpf_env_exempt(struct kbpf *k, const struct kbpf_sandbox *s, const char *text, struct err *e);

/*
 * A host directory (the workdir, a volume) mounted at `path` in the sandbox: sockets below it are not
 * the sandbox's own. Only matters below /tmp, /dev/shm and /sandbox; listed paths are known already.
 */
int kbpf_unix_outside(struct kbpf *k, const struct kbpf_sandbox *s, const char *path, struct err *e);

/* Attach the CGROUP or EGRESS programs to a cgroup directory; they go when the cgroup goes. */
int kbpf_attach_sandbox(struct kbpf *k, int cgroup_fd, struct err *e);
int kbpf_attach_egress(struct kbpf *k, int cgroup_fd, struct err *e);

/* The egress cage: its cgroup, and one address or network that the operator trusts. */
int kbpf_egress_cgroup(struct kbpf *k, const struct kbpf_sandbox *s, uint64_t cgroup, struct err *e);
int kbpf_egress_trust(struct kbpf *k, const struct kbpf_sandbox *s, const uint32_t addr_be[4],
		      uint32_t bits, uint32_t port, struct err *e);
