/* SPDX-License-Identifier: Apache-2.0 */
#include "proc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "own.h"

int proc_start(int pid, unsigned long long *ret_ticks)
{
	char path[64], line[1024];
	_fclose_ FILE *f = NULL;
	const char *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	if (!fgets(line, sizeof(line), f))
		return -ESRCH;
	p = strrchr(line, ')');		/* the command may hold anything, even ')' */
	if (!p)
		return -EPROTO;
	/* state is field 3, starttime field 22 */
	if (sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d"
		   " %*d %llu", ret_ticks) != 1)
		return -EPROTO;
	return 0;
}
