// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Doors of the kernel that are shut for a sandbox, where LSM programs load: what seccomp refuses by the
 * number of the call is refused here by what it does, whichever call leads there.
 *
 * Calls that only capabilities open (reboot, swapon, settimeofday, kexec_load, open_by_handle_at, ...) have
 * none here: a sandbox has no capabilities, and that is their second lock. Nor has userfaultfd(2)'s
 * like, for which the kernel has no hook: name_to_handle_at, modify_ldt, fanotify_init.
 */
#include "guard.bpf.h"

#define READING_FIRMWARE 1		/* for a device that is opened: the driver's doing */

static __always_inline int shut(__u32 op, __u32 why)
{
	struct ask q = { .kind = OSH_EV_TASK, .aux = op };

	return guarded_task(&q) ? refuse(&q, why) : 0;
}

/* Where the policy has nested user namespaces their mounts are their own, as seccomp has it. */
static __always_inline int shut_unless_nested(__u32 op, __u32 why)
{
	struct ask q = { .kind = OSH_EV_TASK, .aux = op };

	return guarded_task(&q) && !(q.sb->flags & OSH_SB_USERNS) ? refuse(&q, why) : 0;
}

SEC("lsm/bpf")
int BPF_PROG(osh_bpf_call, int cmd)
{
	return shut(OSH_OP_BPF, OSH_WHY_KERNEL);
}

SEC("lsm/perf_event_open")
int BPF_PROG(osh_perf)
{
	return shut(OSH_OP_PERF, OSH_WHY_KERNEL);
}

/*
 * Rings of io_uring make system calls that no filter sees, and userfaultfd(2) holds the kernel up in the
 * middle of a copy. Before Linux 6.15 this is the one hook that sees a ring being made.
 */
SEC("lsm/inode_init_security_anon")
int BPF_PROG(osh_anon_inode, struct inode *inode, const struct qstr *name)
{
	struct ask q = { .kind = OSH_EV_TASK };
	struct words w;

	if (!guarded_task(&q))
		return 0;
	w = words_of(BPF_CORE_READ(name, name));
	if (same_words(w, WORDS("[io_uring]")))
		q.aux = OSH_OP_URING;
	else if (same_words(w, WORDS("[userfaultfd]")))
		q.aux = OSH_OP_USERFAULT;
	return q.aux ? refuse(&q, OSH_WHY_KERNEL) : 0;
}

SEC("lsm/syslog")
int BPF_PROG(osh_syslog, int type)
{
	return shut(OSH_OP_SYSLOG, OSH_WHY_KERNEL);
}

SEC("lsm/kernel_module_request")
int BPF_PROG(osh_module_request, char *name)
{
	return shut(OSH_OP_MODULE, OSH_WHY_KERNEL);
}

SEC("lsm/kernel_read_file")
int BPF_PROG(osh_read_file, struct file *file, int id)
{
	return id == READING_FIRMWARE ? 0 : shut(OSH_OP_MODULE, OSH_WHY_KERNEL);
}

SEC("lsm/kernel_load_data")
int BPF_PROG(osh_load_data, int id)
{
	return id == READING_FIRMWARE ? 0 : shut(OSH_OP_MODULE, OSH_WHY_KERNEL);
}

/*
 * Keys outlive a sandbox and belong to the user, whose session outside reads them. The kernel looks keys up
 * for itself too (names of NFS owners), with credentials of its own.
 */
static __always_inline int shut_keys(__u32 op)
{
	struct ask q = { .kind = OSH_EV_TASK, .aux = op };

	if (!guarded_task(&q) || q.t->cred != q.t->real_cred)
		return 0;
	return refuse(&q, OSH_WHY_KERNEL);
}

SEC("lsm/key_alloc")
int BPF_PROG(osh_key_alloc, struct key *key)
{
	return shut_keys(OSH_OP_KEY);
}

SEC("lsm/key_permission")
int BPF_PROG(osh_key_use, void *key)
{
	return shut_keys(OSH_OP_KEY);
}

SEC("lsm/userns_create")
int BPF_PROG(osh_userns, const struct cred *cred)
{
	return shut_unless_nested(OSH_OP_USERNS, OSH_WHY_USERNS);
}

SEC("lsm/sb_mount")
int BPF_PROG(osh_mount, const char *dev_name)
{
	return shut_unless_nested(OSH_OP_MOUNT, OSH_WHY_MOUNTS);
}

SEC("lsm/sb_remount")
int BPF_PROG(osh_remount, struct super_block *sb)
{
	return shut_unless_nested(OSH_OP_MOUNT, OSH_WHY_MOUNTS);
}

SEC("lsm/sb_umount")
int BPF_PROG(osh_umount, struct vfsmount *mnt, int flags)
{
	return shut_unless_nested(OSH_OP_UMOUNT, OSH_WHY_MOUNTS);
}

SEC("lsm/sb_pivotroot")
int BPF_PROG(osh_pivot, const struct path *old)
{
	return shut_unless_nested(OSH_OP_MOUNT, OSH_WHY_MOUNTS);
}

SEC("lsm/move_mount")
int BPF_PROG(osh_move_mount, const struct path *from)
{
	return shut(OSH_OP_MOUNT, OSH_WHY_MOUNTS);
}
