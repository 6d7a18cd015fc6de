/* SPDX-License-Identifier: Apache-2.0 */
/* tests/preflight asks the same, and a few things that only tests need. */
#include "needs.h"

#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel.h"
#include "own.h"

/* Of oshd or of osh-launch; without any one of them no sandbox starts, or none can be ended. */
static const struct {
	unsigned bit;
	const char *name;
} caps[] = {
	{ CAP_CHOWN, "CAP_CHOWN" },	    { CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE" },
	{ CAP_KILL, "CAP_KILL" },	    { CAP_SETGID, "CAP_SETGID" },
	{ CAP_SETUID, "CAP_SETUID" },	    { CAP_SETPCAP, "CAP_SETPCAP" },
	{ CAP_NET_ADMIN, "CAP_NET_ADMIN" }, { CAP_SYS_PTRACE, "CAP_SYS_PTRACE" },
	{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN" },
};

int needs_caps(struct err *e)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct have[2] = { 0 };
	char missing[160] = "";
	size_t n = 0;

	if (syscall(SYS_capget, &head, have) < 0)
		return fail(e, errno, "own capabilities: %s", strerror(errno));
	for (size_t i = 0; i < ARRAY_SIZE(caps); i++)
		if (!(have[caps[i].bit / 32].effective >> caps[i].bit % 32 & 1))
			n += (size_t)snprintf(missing + n, sizeof(missing) - n, " %s", caps[i].name);
	return n ? fail(e, EPERM, "missing:%s; in a container, run osh on its host, or the container with all "
				  "capabilities", missing)
		 : 0;
}

/* BPF programs, cgroups and the host's network belong to the machine's own root. */
int needs_own_root(struct err *e)
{
	FILE *f = fopen("/proc/self/uid_map", "re");
	unsigned inside = 1, outside = 1, n = 0;
	int got = f ? fscanf(f, "%u %u %u", &inside, &outside, &n) : 0;

	if (f)
		fclose(f);
	if (got == 3 && !inside && !outside && n == UINT32_MAX)
		return 0;
	return fail(e, EPERM, "inside a user namespace; osh needs the machine's own root");
}

int needs_check(struct err *e)
{
	int r = kernel_check(e);

	if (!r)
		r = needs_own_root(e);
	return r ? r : needs_caps(e);
}
