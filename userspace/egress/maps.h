/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Look-ups in BPF maps through descriptors that were passed in. The bpf system call alone: a look-up
 * on an open descriptor needs no capability, and libbpf has no business in this process.
 */
#pragma once

#include "osh/abi.h"

/* 0, or -ENOENT, or another -errno. */
int maps_lookup(int fd, const void *key, void *ret_value);
int maps_addr(int fd, __u32 id, __u32 addr, struct osh_addr *ret);
