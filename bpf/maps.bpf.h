/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Every map, once. Declared __weak so that each object may include this file and the linker merges
 * them. Sizes here are defaults; the loader may shrink them for an embedded run before load.
 */
#pragma once

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#include "osh/abi.h"

/*
 * Set by the loader after a trial. verifier: a constant, so the branch for other kernels is never
 * looked at, and one object loads on all of them.
 */
const volatile __u8 task_storage __weak = 0;

/* Of the lanes of allowed decisions: the last one, and the last slot of each; powers of two less one. */
const volatile __u32 lanes_last __weak = 0;
const volatile __u32 lane_last __weak = 0;

#define MAP_HASH(name_, key_, value_, max_, flags_)                                                \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_HASH);                                                   \
		__uint(max_entries, max_);                                                         \
		__uint(map_flags, flags_);                                                         \
		__type(key, key_);                                                                 \
		__type(value, value_);                                                             \
	} name_ __weak SEC(".maps")

#define MAP_LPM(name_, key_, value_, max_)                                                         \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_LPM_TRIE);                                               \
		__uint(max_entries, max_);                                                         \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                              \
		__type(key, key_);                                                                 \
		__type(value, value_);                                                             \
	} name_ __weak SEC(".maps")

/* Mapped by the daemon: it stores one field at a time beside the counters that programs add to. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, OSH_SLOTS);
	__type(key, __u32);
	__type(value, struct osh_sandbox);
} sandboxes __weak SEC(".maps");

/* Where the kernel lets every program use it (`task_storage`), instead of `tasks`. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct osh_task);
} task_data __weak SEC(".maps");

/* By slot: id << 32 | inode number of its mount namespace, that of its first exec, osh-init's. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, OSH_SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} views __weak SEC(".maps");

MAP_HASH(tasks, __u32, struct osh_task, OSH_TASKS, BPF_F_NO_PREALLOC);
MAP_HASH(by_cgroup, __u64, __u32, OSH_SLOTS, BPF_F_NO_PREALLOC);
MAP_HASH(by_netns, __u64, __u32, OSH_SLOTS, BPF_F_NO_PREALLOC);
MAP_HASH(by_egress, __u64, __u32, OSH_SLOTS, BPF_F_NO_PREALLOC);
MAP_HASH(names, struct osh_name_key, struct osh_name, 1 << 20, BPF_F_NO_PREALLOC);
MAP_HASH(addrs, struct osh_addr_key, struct osh_addr, 1 << 20, BPF_F_NO_PREALLOC);
MAP_LPM(suffixes, struct osh_suffix_key, struct osh_suffix, 1 << 18);
MAP_LPM(cidrs, struct osh_cidr_key, struct osh_cidr, 1 << 18);
MAP_HASH(endpoints, struct osh_endpoint_key, struct osh_endpoint, 1 << 20, BPF_F_NO_PREALLOC);
/* Mapped by the daemon, see abi.h. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1 << OSH_FRONT_BITS);
	__type(key, __u32);
	__type(value, struct osh_front);
} front __weak SEC(".maps");

MAP_HASH(programs, struct osh_program_key, struct osh_program, 1 << 20, BPF_F_NO_PREALLOC);
MAP_HASH(inodes, struct osh_inode_key, struct osh_inode, 1 << 16, BPF_F_NO_PREALLOC);
MAP_HASH(globs, struct osh_glob_key, struct osh_glob, 1 << 16, BPF_F_NO_PREALLOC);
MAP_HASH(idents, struct osh_ident_key, struct osh_ident, 1 << 19, BPF_F_NO_PREALLOC);
MAP_HASH(paths, struct osh_path_key, __u32, 1 << 19, BPF_F_NO_PREALLOC);
MAP_HASH(fd_inodes, __u32, struct osh_fd_inode, 4096, BPF_F_NO_PREALLOC);
MAP_HASH(env_exempt, struct osh_env_key, __u32, 1 << 16, BPF_F_NO_PREALLOC);
MAP_HASH(unix_allow, struct osh_unix_key, __u32, 1 << 16, BPF_F_NO_PREALLOC);
MAP_HASH(egress_ports, struct osh_eport_key, __u32, 1 << 18, BPF_F_NO_PREALLOC);
MAP_LPM(egress_allow, struct osh_upstream_key, __u32, 1 << 18);
MAP_HASH(run_inodes, struct osh_run_key, __u32, 1 << 16, BPF_F_NO_PREALLOC);
MAP_HASH(reserved, struct osh_reserved_key, struct osh_reserved, OSH_RESERVED, BPF_F_NO_PREALLOC);
MAP_HASH(devices, struct osh_device_key, __u32, 1 << 16, BPF_F_NO_PREALLOC);
MAP_HASH(mapped, struct osh_mapped_key, __u32, OSH_MAPPED, BPF_F_NO_PREALLOC);
MAP_HASH(denials, struct osh_denial_key, struct osh_denial, OSH_DENIALS, BPF_F_NO_PREALLOC);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct osh_funnel);
} funnel __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct osh_host);
} host __weak SEC(".maps");

/* Both mapped by osh-audit; the first is frozen by the loader. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, OSH_LANE_SLOTS);
	__type(key, __u32);
	__type(value, struct osh_lane_slot);
} lane_slots __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, OSH_LANES);
	__type(key, __u32);
	__type(value, struct osh_lane_tail);
} lane_tails __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, OSH_RING_ALLOW);
} ring_allow __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, OSH_RING_DENY);
} ring_deny __weak SEC(".maps");
