/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much memory of a device one sandbox may take: the controller `dmem` of cgroup v2 (Linux 6.14). Its regions are
 * named by the drivers that count, "drm/0000:03:00.0/vram"; most drivers do not.
 */
#pragma once

#include "cgroup.h"

/*
 * Each region of the PCI device gets this limit. -ENOENT: the machine has no such controller, or nobody above the
 * sandboxes passes it on; -ENODEV: the device's driver counts nothing. *ret_why says so.
 */
int dmem_set(const struct cgroup_base *c, int box_fd, const char *pci, uint64_t bytes, const char **ret_why);
bool dmem_has(const struct cgroup_base *c);	/* the kernel has the controller, in v2 */
uint64_t dmem_use(int box_fd);		/* of all regions; 0 also where nobody counts */
