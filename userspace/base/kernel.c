/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

#include <errno.h>
#include <stdio.h>
#include <sys/utsname.h>

int kernel_check(struct err *e)
{
	unsigned major = 0, minor = 0;
	struct utsname u;

	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return fail(e, ENOSYS, "kernel version is unknown");
	if (major < KERNEL_MAJOR || (major == KERNEL_MAJOR && minor < KERNEL_MINOR))
		return fail(e, ENOSYS, "kernel %u.%u is too old: osh needs Linux %d.%d or newer", major, minor,
			    KERNEL_MAJOR, KERNEL_MINOR);
	return 0;
}
