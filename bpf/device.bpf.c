// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Device nodes, by number and whatever name, mount or link leads to one: those of every sandbox's /dev,
 * terminals, and what was granted to this one. Only opening and making a node are asked about: a
 * descriptor that is open already, or comes from somebody else, is not (bpf/peer.bpf.c).
 */
#include "decide.bpf.h"

#define DEV_CHAR 2			/* BPF_DEVCG_DEV_CHAR, and the accesses; the kernel's types have no such names */
#define ACC_MKNOD 1u
#define ACC_READ 2u
#define ACC_WRITE 4u

#define TTY_MAJOR 5u
#define PTMX_MINOR 2u
#define PTS_MAJOR 136u			/* to 143: terminals, whose mount is each sandbox's own */
#define PTS_LAST 143u

static __always_inline int is_base(const struct osh_device_key *dev)
{
#define NODE(name, major_, minor_)                                                                 \
	if (dev->major == major_ && dev->minor == minor_)                                          \
		return 1;
#include "osh/devices.def"
#undef NODE
	return 0;
}

static __always_inline int is_terminal(const struct osh_device_key *dev)
{
	return (dev->major >= PTS_MAJOR && dev->major <= PTS_LAST) ||
	       (dev->major == TTY_MAJOR && dev->minor == PTMX_MINOR);
}

/* Not by EACCES as elsewhere: EPERM is what a device cgroup says, and programs know it. */
SEC("cgroup/dev")
int osh_device(struct bpf_cgroup_dev_ctx *ctx)
{
	struct osh_device_key key = { .major = ctx->major, .minor = ctx->minor };
	__u32 access = ctx->access_type >> 16, type = ctx->access_type & 0xffff, *rights;
	struct ask q = { .kind = OSH_EV_DEVICE };
	int base = type == DEV_CHAR && is_base(&key);

	if (!(access & ACC_MKNOD) && (base || (type == DEV_CHAR && is_terminal(&key))))
		return 1;
	ask_subject(&q);
	/* osh-launch's child makes the nodes, maybe before the tables are filled. They are harmless. */
	if (access & ACC_MKNOD && base && !(q.sb && q.sb->flags & OSH_SB_GUARD))
		return 1;
	q.aux = OSH_DEVICE_AUX(type == DEV_CHAR, key.major, key.minor);
	if (!q.sb || access & ACC_MKNOD || type != DEV_CHAR)
		return decide(&q, access & ACC_MKNOD ? OSH_WHY_MKNOD : OSH_WHY_DEVICE) == OSH_ALLOW;
	key.id = q.sb->id;
	rights = bpf_map_lookup_elem(&devices, &key);
	if (rights && !(access & ~*rights))
		return 1;
	return decide(&q, OSH_WHY_DEVICE) == OSH_ALLOW;
}

char LICENSE[] SEC("license") = "GPL";
