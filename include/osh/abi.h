/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Kernel <-> user contract: map keys and values, event records, verdicts.
 * Zeroed memory denies. All integers are host order unless the name ends in _be.
 * A change of any size here is an ABI change: bump OSH_ABI in limits.h.
 */
#pragma once

#ifndef __VMLINUX_H__			/* BPF objects get __u64 and friends from vmlinux.h */
#include <linux/types.h>
#endif
#include "osh/limits.h"

enum osh_verdict { OSH_DENY = 0, OSH_ALLOW = 1, OSH_AUDIT = 2 };

enum osh_event_kind {
#define EVENT(id, text, class_uid, has_name) OSH_EV_##id,
#include "osh/events.def"
#undef EVENT
	OSH_EV_MAX
};

enum osh_op {
#define OP(id, text) OSH_OP_##id,
#include "osh/ops.def"
#undef OP
	OSH_OP_MAX
};

enum osh_reason {
#define REASON(id, text) OSH_WHY_##id,
#include "osh/reasons.def"
#undef REASON
	OSH_WHY_MAX
};

/*
 * SO_MARK of an accepted flow: what the egress reads to know who connects. 0 = no hook knows it = closed.
 * A socket gets its maker's mark when it is made, where the connect hooks are in place; they correct
 * it to the mark of the task that connects. The egress judges once more, by destination, port, program,
 * taint and generation, and needs nothing but the mark for it.
 *   bits  0..15  ident: number of the program in `idents` (0 = no identity)
 *   bit   16     tainted
 *   bits 17..30  generation of the policy in force then, modulo 2^14
 *   bit   31     always 1, so that a mark of ours is never 0
 */
#define OSH_MARK_JUDGED 0x80000000u
#define OSH_MARK_TAINT 0x00010000u
#define OSH_MARK_IDENT(m) ((m) & 0xffffu)
#define OSH_MARK_GEN(m) (((m) >> 17) & 0x3fffu)

/* Addresses: index i of a sandbox is 198.18.0.0 + i, and <prefix>::i in its own RFC 4193 /48. */
#define OSH_NET4 0xc6120000u		/* 198.18.0.0/15, RFC 2544 benchmarking range */
#define OSH_NET4_MASK 0xfffe0000u

/*
 * ARRAY `sandboxes`, index = slot. The one place that says what generation is in force.
 * `id` is monotonic and never reused, so a stale entry of a former tenant of a slot cannot match.
 */
struct osh_sandbox {
	__u32 id;			/* 0 = slot is free */
	__u32 generation;		/* starts at 1; flipping it is the whole of a reload */
	__u64 cgroup;			/* cgroup v2 id */
	__u64 netns;			/* netns cookie */
	__u32 net6[4];			/* network order; /48 prefix, the rest zero */
	__u32 wild_budget;		/* names that may be allocated in this life */
	__u32 wild_used;		/* atomic; addresses OSH_ADDR_EXACT + 0 .. used-1 are taken */
	__u32 ident_used;		/* atomic; last ident given out, idents start at 1 */
	__u32 n_globs;			/* entries 0..n_globs-1 of `globs` for this (id, generation) */
	__u32 denials;			/* atomic; distinct denials held in `denials` */
	__u32 flags;			/* OSH_SB_* */
	__u64 allow_drops;		/* atomic; allow records that found no room */
	__u64 deny_overflow;		/* atomic; denials counted but with no entry of their own */
	__u32 mapped;			/* atomic; entries of the sandbox in `mapped` */
	__u32 slot;			/* this one's */
	__u64 deny_stamp;		/* that of its osh_deny, 0 where nothing may be remembered of it */
	__u64 deny_bits;		/* osh_inode_bit() of each inode in `deny_roots` and `deny_inodes` */
	__u64 reserved_bits;		/* of each in `reserved`; 0 = no path is for some programs only */
};
#define OSH_SB_USERNS 1u		/* policy allows nested user namespaces */
#define OSH_SB_STRICT 2u		/* process.exec.mode: strict */
#define OSH_SB_DENY 4u			/* filesystem_policy.deny has entries, and LSM programs keep them */
#define OSH_SB_GUARD 8u			/* furnished: from here on LSM programs refuse what nobody inside may do */

/* HASH `by_cgroup` (key: __u64 cgroup id) and `by_netns` (key: __u64 netns cookie) -> __u32 slot. */

/*
 * TASK_STORAGE `task_data`, or, where cgroup and tc programs may not use that (Linux 6.12), HASH
 * `tasks` (key: __u32 tid in the initial pid namespace): set at exec, copied at fork, removed at exit.
 * An entry of `tasks` counts only while start_ns is the task's own: a number may be given out again.
 */
struct osh_task {
	__u32 slot;
	__u32 id;			/* sandbox id; must equal sandboxes[slot].id */
	__u32 generation;		/* that `groups` was computed for */
	__u16 ident;			/* 0 = none */
	__u8 why;			/* OSH_WHY_* when ident is 0 or the task is tainted */
	__u8 tainted;			/* 0, 1 + index in taint.def, or OSH_TAINT_UNREAD */
	__u64 start_ns;			/* task->start_boottime */
	__u64 exec_id;			/* task->self_exec_id at exec; a mismatch is no identity */
	__u64 groups[OSH_GROUP_WORDS];	/* bit g: the program is in binaries group g */
};

#define OSH_TAINT_UNREAD 255		/* environment unreadable, or beyond OSH_ENV_VARS, OSH_ENV_LEN */
#define OSH_TAINT_MAPPED 254		/* runs code of a file that the sandbox can write */

/*
 * HASH `mapped`, where LSM programs live: address spaces in which such code was mapped while several tasks
 * shared them; -> 1. Where one task has it alone, its osh_task says so.
 */
struct osh_mapped_key {
	__u64 mm;			/* address of struct mm_struct */
	__u32 id, pad;
};

/*
 * HASH `run_inodes`, where LSM programs live: what `process.exec: strict` lets run, by inode. A file has an entry
 * of its own, or one is above it; the nearest decides, none denies. Whoever enters an inode keeps it in memory.
 */
struct osh_run_key {
	__u64 inode;
	__u32 id, pad;
};
enum osh_run { OSH_RUN_NOT, OSH_RUN_ALLOWED };	/* NOT: the root of a writable mount */

/*
 * HASH `devices`: character devices that were granted to a sandbox -> OSH_DEVICE_*. It is the record of who has
 * what as well: an oshd that adopts sandboxes finds it here. Nothing changes in it for a sandbox's life.
 */
struct osh_device_key {
	__u32 id;			/* sandbox id */
	__u32 major, minor;
};
#define OSH_DEVICE_READ 2u		/* as BPF_DEVCG_ACC_READ and _WRITE; nobody ever makes a node */
#define OSH_DEVICE_WRITE 4u

/* `aux` of an event DEVICE: the number as the kernel has it, and the kind in the bit that is left over. */
#define OSH_DEVICE_AUX(is_char, major, minor)                                                      \
	((__u32)(is_char) << 31 | ((major) & 0x7ffu) << 20 | ((minor) & 0xfffffu))

/* HASH `names`: exact names, and names allocated under a wildcard. */
struct osh_name_key {
	__u32 id;			/* sandbox id */
	char name[OSH_NAME_MAX];	/* lower case, no trailing dot, NUL padded */
};
/*
 * The host number of a name or address in one generation. Generations g and g+1 use by[g & 1] and
 * by[(g+1) & 1], so filling the next one never disturbs the one in force. A pair counts only while
 * its generation equals the sandbox's; it is written with one 8-byte store.
 */
struct osh_name_in {
	__u32 host, generation;
} __attribute__((aligned(8)));
#define OSH_HOST_IN(by, g) ((by)[(g) & 1].generation == (g) ? (by)[(g) & 1].host : 0)
struct osh_name {
	__u32 addr;			/* index, see OSH_NET4; stable for the sandbox's life; 0 = not yet */
	__u32 wild;			/* 1 = allocated under a wildcard */
	struct osh_name_in by[2];
};

/* HASH `addrs`: the reverse, key {id, addr}. */
struct osh_addr_key {
	__u32 id, addr;
};
struct osh_addr {
	struct osh_name_in by[2];	/* as in struct osh_name */
	char name[OSH_NAME_MAX];
};

/* LPM_TRIE `suffixes`: reversed ".example.com" of `*.example.com` and `**.example.com`. */
#define OSH_SUFFIX_LEN 240
struct osh_suffix_key {
	__u32 bits;			/* prefix length: 64 + 8 * text length */
	__u32 id, generation;
	char rev[OSH_SUFFIX_LEN];
};
struct osh_suffix {
	__u32 one;			/* host number for one extra label; 0 = not allowed */
	__u32 deep;			/* host number for two or more */
	__u32 dots;			/* dots in ".example.com" */
};

/* LPM_TRIE `cidrs`: IP-literal and CIDR endpoints; v4 as v4-mapped v6. */
struct osh_cidr_key {
	__u32 bits;			/* 64 + prefix length of the mapped v6 form */
	__u32 id, generation;
	__u32 addr_be[4];
};
struct osh_cidr {
	__u32 host;
};

/*
 * HASH `endpoints`: may (host, port) be connected, and by which groups? Host numbers start at 1. A
 * listed name whose address is below OSH_ADDR_EXACT is keyed by OSH_EP_ADDR | address instead, and by
 * that alone: the hook then knows from one look-up what else takes two, by way of `addrs`.
 */
#define OSH_EP_ADDR 0x80000000u
struct osh_endpoint_key {
	__u32 id, generation, host;
	__u32 port;			/* host order */
};
struct osh_endpoint {
	__u64 groups[OSH_GROUP_WORDS];	/* groups of all its rules; bit 0 = any program */
	__u64 taint_ok[OSH_GROUP_WORDS]; /* groups whose rule says `taint: ignore`; bit 0: any program */
	__u32 rule;			/* first rule + 1, for the event */
	__u32 flags;			/* OSH_EP_* */
	__u32 host, pad;		/* number of the host, whatever the key */
};
#define OSH_EP_L7 1u			/* some rule needs a look inside */

/*
 * ARRAY `front`: endpoints of listed names once more, where the connect hook finds one without a call:
 * at osh_front_at(). What comes to a place that is taken is in `endpoints` alone. Written by the loader
 * in mapped memory, read at any moment: seq is odd while an entry changes, and another number after.
 */
struct osh_front {
	__u64 seq;
	struct osh_endpoint_key key;	/* id 0 = empty */
	struct osh_endpoint ep;
};

static inline __attribute__((always_inline)) __u32 osh_front_at(const struct osh_endpoint_key *k)
{
	__u64 h = ((__u64)k->id << 32 | k->generation) * 0x9e3779b97f4a7c15ull;

	h = (h ^ h >> 32 ^ ((__u64)k->host << 16 ^ k->port)) * 0x9e3779b97f4a7c15ull;
	return (__u32)(h >> (64 - OSH_FRONT_BITS));
}

/*
 * HASH `programs`: exact program paths of a policy. Written by the loader alone; the exec hook reads.
 */
struct osh_program_key {
	__u32 id, generation;
	char path[OSH_PATH_MAX];	/* as seen in the sandbox, NUL padded */
};
struct osh_program {
	__u64 groups[OSH_GROUP_WORDS];
	__u32 ident;			/* unused */
	__u32 flags;			/* OSH_PROG_* */
};
#define OSH_PROG_INODE 1u		/* in a writable tree: only the inode entry counts */

/* HASH `inodes`: programs of writable trees, pinned by a descriptor that osh keeps open. */
struct osh_inode_key {
	__u64 inode;			/* address of struct inode, from the descriptor iterator */
	__u32 id, generation;
};
struct osh_inode {
	__u64 groups[OSH_GROUP_WORDS];
	__s64 mtime_s, ctime_s;		/* at registration; a later change is "replaced" */
	__u32 mtime_ns, ctime_ns;
	__u32 ident;			/* 0 until it is first executed; kept by later generations */
	__u32 pad;
	char path[OSH_PATH_MAX];	/* for the log */
};

/*
 * `filesystem_policy.deny`, where LSM programs live. All entries of a sandbox are one list of segments; a
 * set of them says what may still come below a directory (bpf/deny.bpf.h). Fixed for the sandbox's life.
 * HASH `denies`: key = sandbox id. HASH `deny_globs`: the text of a segment of kind OSH_SEG_GLOB.
 * HASH `deny_roots`: inode at the root of each writable mount of the view -> the set that holds there.
 * HASH `deny_inodes`: files that were denied by their full path, or denied and known by several names, when the
 * sandbox began, whatever name leads to them. Whoever enters an inode keeps it in memory for the sandbox's life.
 */
enum osh_seg_kind { OSH_SEG_LITERAL, OSH_SEG_GLOB, OSH_SEG_ANY, OSH_SEG_DEEP, OSH_SEG_SUFFIX };
struct osh_seg {
	__u64 hash;			/* of a literal, or what follows the star of a SUFFIX: osh_seg_hash() */
	__u16 len;			/* of the same */
	__u8 kind;			/* enum osh_seg_kind; DEEP = any number of segments, none included */
	__u8 last;			/* a path that comes to its end here is denied, and all below it */
	__u32 row;			/* in the bundle's FS */
};
struct osh_deny {
	__u32 n;
	__u32 linked;			/* 1 = not all denied files with other names are in `deny_inodes` */
	__u64 roots, files;		/* osh_inode_bit() of each inode in `deny_roots`, in `deny_inodes` */
	__u64 stamp;			/* another one after each change of these tables, and in each sandbox */
	struct osh_seg seg[OSH_DENY_SEGS];
};
#define OSH_DENY_WORDS (OSH_DENY_SEGS / 64)
static inline __attribute__((always_inline)) __u64 osh_inode_bit(__u64 inode)
{
	return 1ull << (inode * 0x9e3779b97f4a7c15ull >> 58);
}
struct osh_deny_glob_key {
	__u32 id, n;
};
struct osh_deny_glob {
	char pattern[OSH_PATH_MAX];
};
struct osh_deny_inode_key {
	__u64 inode;
	__u32 id, pad;
};
struct osh_deny_root {
	__u64 live[OSH_DENY_WORDS];	/* bit n: segment n may come next */
	__u32 all;			/* row + 1 where the whole tree is denied */
	__u32 len;
	char path[OSH_PATH_MAX];	/* for the log, cut at the front */
};

/*
 * Of a name of `len` bytes in words that are zero after it: the first four, and all others where it is longer.
 * Two names that are equal never differ in it: a collision only denies.
 */
#define OSH_SEG_SHORT 32		/* bytes; a shorter name leaves room for its NUL */
static inline __attribute__((always_inline)) __u64 osh_seg_mix(__u64 h, __u64 word)
{
	h = (h ^ word) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}
static inline __attribute__((always_inline)) __u64 osh_seg_hash_short(const __u64 *words, __u32 len)
{
	__u64 h = len ^ 0xcbf29ce484222325ull;

	for (int i = 0; i < OSH_SEG_SHORT / 8; i++)
		h = osh_seg_mix(h, words[i]);
	return h;
}
static inline __attribute__((always_inline)) __u64 osh_seg_hash(const __u64 *words, __u32 len)
{
	__u64 h = osh_seg_hash_short(words, len);

	if (len >= OSH_SEG_SHORT)
		for (int i = OSH_SEG_SHORT / 8; i < OSH_PATH_MAX / 8; i++)
			h = osh_seg_mix(h, words[i]);
	return h;
}

/*
 * HASH `reserved`, where LSM programs live: paths that are for some programs only (`binaries` in filesystem_policy), by the
 * inode of the file or directory in the view, and what lies below them and is listed or mounted by itself. The nearest
 * above a file decides; where there is none the file is no such path. Fixed for the sandbox's life, as groups of files are
 * numbered alike in all its policies. Whoever enters an inode keeps it in memory.
 */
struct osh_reserved_key {
	__u64 inode;
	__u32 id, pad;
};
struct osh_reserved {
	__u64 read[OSH_GROUP_WORDS], write[OSH_GROUP_WORDS];	/* groups that may; who may write may read */
	__u32 all;			/* enum osh_reserved_all: whatever the program */
	__u32 row;			/* row + 1 of the entry in the bundle's FS, 0 = none */
	__u32 len, pad;
	char path[OSH_PATH_MAX];	/* for the log, cut at the front */
};
enum osh_reserved_all { OSH_RESERVED_NONE, OSH_RESERVED_READ, OSH_RESERVED_WRITE };

/* HASH `fd_inodes`: key = descriptor of oshd. oshd writes zeroes, the iterator fills what it finds. */
struct osh_fd_inode {
	__u64 inode;			/* 0 = not visited */
	__s64 mtime_s, ctime_s;
	__u32 mtime_ns, ctime_ns;
	__u32 writers;			/* open for writing somewhere: never an identity */
	__u32 flags;			/* OSH_FD_* */
};
#define OSH_FD_USERS 1u			/* on a file system that a user runs: FUSE, or of a user namespace */
#define OSH_FD_FOLDS 2u			/* its file system takes different names for one: case, trailing dots */

/* HASH `globs`: key {id, generation, n} -> pattern among the binaries. `*` stays inside a segment. */
struct osh_glob_key {
	__u32 id, generation, n, pad;
};
struct osh_glob {
	__u64 groups[OSH_GROUP_WORDS];
	char pattern[OSH_PATH_MAX];
};

/*
 * HASH `idents`: key {id, ident} -> the program behind a mark, for the log, the egress, and a task
 * that was executed under an earlier generation. What it may do is `by`, never its path: a replaced
 * file keeps its path and gets another ident. by[generation & 1] counts while its generation equals
 * the sandbox's. HASH `paths`, key struct osh_path_key -> __u32 ident, is the exec hook's way back.
 */
enum osh_ident_kind {
	OSH_IDENT_NAMED = 0,		/* the sandbox could change file or path: never any groups */
	OSH_IDENT_PATH = 1,		/* path from end to end on read-only mounts */
	OSH_IDENT_INODE = 2,		/* registered inode; kbpf_register_inodes() sets `by` */
};
struct osh_ident_key {
	__u32 id, ident;
};
struct osh_ident_in {
	__u64 groups[OSH_GROUP_WORDS];
	__u32 generation, pad;
};
struct osh_ident {
	struct osh_ident_in by[2];
	__u32 kind, pad;		/* enum osh_ident_kind */
	char path[OSH_PATH_MAX];
};
struct osh_path_key {
	__u32 id, kind;			/* enum osh_ident_kind */
	char path[OSH_PATH_MAX];
};

/* HASH `env_exempt`: key = hash of {id, "NAME=value"}; values that osh set itself. */
struct osh_env_key {
	__u32 id, pad;
	char text[OSH_PATH_MAX];	/* "NAME=value", NUL padded; longer values cannot be exempt */
};

/*
 * HASH `unix_allow`: text of pathname sockets -> __u32 OSH_UNIX_*. LISTED: a socket that the policy
 * lists. OUTSIDE: a directory of the host that is mounted below one of the sandbox's private trees.
 */
#define OSH_UNIX_LISTED 1u
#define OSH_UNIX_OUTSIDE 2u
struct osh_unix_key {
	__u32 id, generation;
	char path[108];
	__u32 pad;
};

/*
 * The egress' own cage. HASH `by_egress` (key: __u64 cgroup id of an egress) -> __u32 sandbox slot.
 * HASH `egress_ports`: ports that the egress of this sandbox may dial at all; value __u32 1.
 * LPM_TRIE `egress_allow`: addresses it may dial although they are private, loopback or otherwise
 * special: allowed_ips, CIDR endpoints, --upstream-hosts, and the resolvers (port 53, UDP and TCP).
 */
struct osh_eport_key {
	__u32 id, generation, port;
};
struct osh_upstream_key {
	__u32 bits;			/* 96 + prefix length (mapped v6) */
	__u32 id;
	__u32 generation;		/* 0 = by the operator: every generation, special addresses too */
	__u32 port;			/* port 0 = any port in `egress_ports` */
	__u32 addr_be[4];
};

/*
 * Events. `struct osh_event` alone for kinds without a name, else followed by name[OSH_NAME_MAX].
 * Denials are in `ring_deny`, allows with a name in `ring_allow`, allows without one in the lanes.
 */
struct osh_event {
	__u64 time_ns;			/* CLOCK_BOOTTIME */
	__u32 id;			/* sandbox id */
	__u32 generation;
	__u16 kind;			/* OSH_EV_* */
	__u8 verdict;			/* OSH_DENY .. */
	__u8 why;			/* OSH_WHY_* */
	__u32 pid;			/* tgid in the initial pid namespace */
	__u32 tid;
	__u32 uid;
	__u32 ident;			/* program, 0 = none */
	__u32 rule;			/* rule number in the bundle + 1, 0 = none */
	__u32 aux;			/* see events.def */
	__u16 port;			/* host order */
	__u16 family;			/* AF_*, or 0 */
	__u32 addr_be[4];		/* v4 in [3] as v4-mapped; family 0: hash of the name */
	__u32 host;			/* host number, 0 = none */
	__u32 name_len;			/* bytes of the name that follows, 0 = none follows */
	char comm[16];
};

struct osh_event_named {
	struct osh_event ev;
	char name[OSH_NAME_MAX];
};

/*
 * HASH `denials`: one entry per distinct denial, with an exact count. The first occurrence is also
 * an event; repeats only count. osh-audit reads the counts when it reports and at the end. The key
 * is the event's own fields of the same names, so an event finds its entry.
 */
struct osh_denial_key {
	__u32 id;
	__u16 kind;
	__u8 why, pad;
	__u32 ident;
	__u32 host;			/* host number, 0 = unknown */
	__u32 addr_be[4];		/* address, or hash of the name where there is no address */
	__u32 aux;
	__u32 port;
};
struct osh_denial {
	__u64 count;			/* atomic; the reported first occurrence included */
	__u64 first_ns;			/* 0 = the ring was full: this entry is the only record */
	__u64 last_ns;
};

/*
 * The lanes: ARRAY `lane_slots` is shared out evenly among the entries of ARRAY `lane_tails`. The n-th
 * record of a lane (from 0) is in its slot n modulo the lane's size, and there while seq == n + 1. The
 * reader of a lane advances its tail; what a tail says never decides where the kernel writes. Both are
 * mapped by osh-audit; the slots are frozen, so that nobody outside the kernel can write to them.
 */
struct osh_lane_slot {
	__u64 seq;			/* stored last */
	struct osh_event ev;
};
struct osh_lane_tail {
	__u64 tail;			/* records that were read */
	__u64 pad[7];
};
struct osh_lane_head {
	__u64 head;			/* records that were taken to be written */
	__u64 pad[7];
};

/* ARRAY `funnel`, one entry: the kernel's own state of the event lanes. */
struct osh_funnel {
	__u64 deny_woken_ns, allow_woken_ns;
	__u64 allow_n;			/* allow records, about; says when to look at the ring's fill */
	__u64 tick, tick_ns;		/* jiffies, and BOOTTIME at the tick's first allow */
	__u64 seed;			/* random, set at load: names cannot be made to collide */
	__u64 pad[2];
	struct osh_lane_head lanes[OSH_LANES];
};

/*
 * ARRAY `host`, one entry, mapped by the daemon: what is of no sandbox and outlives a daemon. Of the programs
 * osh_connect4 and osh_connect6 the kernel's numbers; two each, since an upgrade replaces one by the other.
 */
struct osh_host {
	__u32 last_id;			/* sandbox ids up to here were given out; none is ever used again */
	__u32 reserved;			/* 1 = some sandbox had an entry in `reserved`: opens for reading are looked at, too */
	__u32 connect4[2], connect6[2];
};

_Static_assert(sizeof(struct osh_event) == 88, "osh_event is ABI");
_Static_assert(sizeof(struct osh_lane_slot) == 96, "osh_lane_slot is ABI");
_Static_assert(sizeof(struct osh_task) == 64, "osh_task is ABI");
_Static_assert(sizeof(struct osh_sandbox) == 112, "osh_sandbox is ABI");
_Static_assert(sizeof(struct osh_reserved) == 336, "osh_reserved is ABI");
_Static_assert(sizeof(struct osh_seg) == 16, "osh_seg is ABI");
_Static_assert(sizeof(struct osh_deny_root) == 296, "osh_deny_root is ABI");
_Static_assert(sizeof(struct osh_ident) == 344, "osh_ident is ABI");
_Static_assert(sizeof(struct osh_name) == 24, "osh_name is ABI");
_Static_assert(sizeof(struct osh_endpoint) == 80, "osh_endpoint is ABI");
_Static_assert(sizeof(struct osh_front) == 104, "osh_front is ABI");
_Static_assert(sizeof(struct osh_host) == 24, "osh_host is ABI");
_Static_assert(sizeof(struct osh_denial_key) == 40, "osh_denial_key is ABI");
