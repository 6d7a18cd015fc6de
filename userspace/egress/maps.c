/* SPDX-License-Identifier: Apache-2.0 */
#include "maps.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int maps_lookup(int fd, const void *key, void *ret_value)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (__u32)fd;
	attr.key = (uintptr_t)key;
	attr.value = (uintptr_t)ret_value;
	return syscall(__NR_bpf, BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

int maps_addr(int fd, __u32 id, __u32 addr, struct osh_addr *ret)
{
	struct osh_addr_key key = { id, addr };

	return maps_lookup(fd, &key, ret);
}
