/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock's user interface up to ABI 9, because distributions ship older kernel headers. Numbers as
 * documented in the kernel's Documentation/userspace-api/landlock.rst; nothing here is probed, use
 * landlock_abi() and mask by it.
 */
#pragma once

#include <stdint.h>

/* Rights on files and directories; the ABI that introduced each is in the table of landlock.c. */
#define OSH_LL_EXECUTE		(1ull << 0)
#define OSH_LL_WRITE_FILE	(1ull << 1)
#define OSH_LL_READ_FILE	(1ull << 2)
#define OSH_LL_READ_DIR		(1ull << 3)
#define OSH_LL_REMOVE_DIR	(1ull << 4)
#define OSH_LL_REMOVE_FILE	(1ull << 5)
#define OSH_LL_MAKE_CHAR	(1ull << 6)
#define OSH_LL_MAKE_DIR		(1ull << 7)
#define OSH_LL_MAKE_REG		(1ull << 8)
#define OSH_LL_MAKE_SOCK	(1ull << 9)
#define OSH_LL_MAKE_FIFO	(1ull << 10)
#define OSH_LL_MAKE_BLOCK	(1ull << 11)
#define OSH_LL_MAKE_SYM		(1ull << 12)
#define OSH_LL_REFER		(1ull << 13)	/* ABI 2 */
#define OSH_LL_TRUNCATE		(1ull << 14)	/* ABI 3 */
#define OSH_LL_IOCTL_DEV	(1ull << 15)	/* ABI 5 */
#define OSH_LL_RESOLVE_UNIX	(1ull << 16)	/* ABI 9: connect to a pathname socket made outside */

#define OSH_LL_SCOPE_ABSTRACT	(1ull << 0)	/* ABI 6: abstract unix sockets made outside */
#define OSH_LL_SCOPE_SIGNAL	(1ull << 1)	/* ABI 6: signals to processes outside */

#define OSH_LL_VERSION		1u		/* flag of landlock_create_ruleset: tell the ABI */
#define OSH_LL_PATH_BENEATH	1		/* rule type */

struct osh_ll_ruleset {
	uint64_t fs;
	uint64_t net;			/* ABI 4; unused: ports are the connect hook's business */
	uint64_t scoped;		/* ABI 6 */
};

struct osh_ll_path {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));
